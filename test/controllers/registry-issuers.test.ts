import { expect, test } from 'vitest';
import { inUseFinalizer } from '../../src/api/names.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { RegistryIssuers } from '../../src/controllers/registry-issuers.ts';
import { SigningChains } from '../../src/controllers/signing-chains.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { deleting } from '../decide/healthy.ts';
import { registry, served } from '../decide/robots.ts';
import { clientOf, configOf, json, localServer, silent } from '../kube/local-server.ts';

const { signal } = new AbortController();
const newer: KubeObject = { ...served, spec: { ...served.spec, deletionPolicy: 'Newer' } } as KubeObject;
const leaving = deleting({ ...registry, metadata: { ...registry.metadata, finalizers: [inUseFinalizer] } });

/** An issuer that is being deleted, with robots that nobody can read: in the cache, or only at the API server. */
async function afterLook({ cached = [], live = [] }: { cached?: readonly KubeObject[]; live?: readonly KubeObject[] }) {
  let issuer: object = { apiVersion: 'botmint.dev/v1alpha1', kind: 'ClusterTokenIssuer', ...leaving };
  let version = 10;
  const { origin } = await localServer((request, response) => {
    if (request.method === 'PATCH') {
      const moved = { metadata: { resourceVersion: String(++version) } };
      issuer = applyMergePatch(applyMergePatch(issuer, JSON.parse(request.body)), moved) as object;
    }
    const isList = request.url?.includes('/robotaccounts') === true;
    json(200, isList ? { metadata: { resourceVersion: '50' }, items: live } : issuer)(request, response);
  });
  const { client } = clientOf(configOf(origin));
  const around = { client, namespace: 'botmint-system', log: silent, clock: systemClock };
  const caches = new Caches(around);
  caches.issuers.put(leaving);
  for (const robot of cached) caches.robots.putUnreadable(robot);
  const chains = new SigningChains({ ...around, secrets: caches.secrets, issuers: caches.issuers });
  const world = { caches, client, clock: systemClock, metrics: tokenMetrics(new Metrics()), report: () => {} };
  await new RegistryIssuers(world, chains).reconcile('registry', signal);
  return issuer;
}

test.each<[string, Parameters<typeof afterLook>[0]]>([
  ['that the cache shows', { cached: [newer] }],
  ['that only the API server shows', { live: [newer] }],
])('an issuer stays for a robot %s and nobody can read', async (_, given) => {
  expect(await afterLook(given)).toMatchObject({
    metadata: { finalizers: [inUseFinalizer] },
    status: { conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', reason: 'InUse' })]) },
  });
});

test('and goes without one', async () =>
  expect(await afterLook({})).not.toMatchObject({ metadata: { finalizers: [inUseFinalizer] } }));
