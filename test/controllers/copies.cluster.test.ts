import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { Copies } from '../../src/controllers/copies.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import type { CopyStep } from '../../src/decide/copies-seen.ts';
import { secretMetadata } from '../../src/kube/core-kinds.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { copied, copyIn, source } from '../decide/copied.ts';
import { forward, refuse } from '../faults/proxy.ts';
import { clientBehindProxy, clientFor } from '../kube/follower.ts';
import { silent } from '../kube/local-server.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);
const token = copied();
const stale = { uid: 'stale', resourceVersion: '1', creationTimestamp: '' };

/** A copy in a namespace, and the step that takes it away. `isCurrent`: what a live read of the token shows. */
async function setUp(isCurrent = true, client = clientFor(cluster.kubeconfigPath).client, accounts: string[] = []) {
  const namespace = await cluster.namespace();
  const caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock: systemClock });
  const metadata = { name: 'deploy', namespace, ...copyIn(namespace, {}, accounts).metadata };
  const made = await client.create(secretMetadata, { metadata }, { signal });
  caches.secrets.put(made);
  caches.tokens.put(token);
  const metrics = tokenMetrics(new Metrics());
  const copies = new Copies({
    world: { caches, client, clock: systemClock, metrics, report: () => undefined },
    kind: botTokens,
    store: caches.tokens,
    digestKey: new SecretValue('digest key'),
    isCurrent: async () => isCurrent,
  });
  const seen = () => copies.seen(token);
  const over = seen()?.copies[0];
  if (over === undefined) throw new Error('the copy is not seen');
  const change = { do: 'delete', place: namespace, wanted: 'delete', namespace, over } as const;
  const step: CopyStep = { do: 'copy', source: undefined, changes: [change] };
  const isThere = async () => (await client.get(secretMetadata, metadata, { signal })) !== undefined;
  return { namespace, client, caches, copies, step, isThere, seen };
}

/** The namespace as it is, into the cache. */
async function see(caches: Caches, namespace: string): Promise<void> {
  const live = await (await cluster.api()).get(`/api/v1/namespaces/${namespace}`);
  if (live === undefined) throw new Error('there is no namespace');
  caches.namespaces.put({ metadata: { ...live.metadata, creationTimestamp: '' } });
}

test('a copy is taken away when object and namespace are live as the caches have them', async () => {
  const { namespace, caches, copies, step, isThere, seen } = await setUp();
  await see(caches, namespace);
  await copies.carryOut(token, step, signal);
  expect(await isThere()).toBe(false);
  expect(seen()?.copies).toEqual([]);
});

test('no cache that lags takes a copy away: the namespace may agree by now', async () => {
  const { namespace, caches, copies, step, isThere, seen } = await setUp();
  caches.namespaces.put({ metadata: { name: namespace, ...stale } });
  await (await cluster.api()).patch(`/api/v1/namespaces/${namespace}`, {
    metadata: { labels: { team: 'a', 'accept.botmint.dev/team-a': 'true' } },
  });
  await copies.carryOut(token, step, signal);
  expect(await isThere()).toBe(true);
  expect(seen()?.takers).toEqual([namespace]); // the next look knows
});

test('nor may the token have changed', async () => {
  const { namespace, caches, copies, step, isThere } = await setUp(false);
  await see(caches, namespace);
  await copies.carryOut(token, step, signal);
  expect(await isThere()).toBe(true);
});

test('a token that is revoked needs no such reads', async () => {
  const { copies, step, isThere } = await setUp(false);
  await copies.carryOut({ ...token, spec: { ...token.spec, revoked: true } }, step, signal);
  expect(await isThere()).toBe(false);
});

test('another Secret of that name by now is left alone', async () => {
  const { namespace, client, copies, step, isThere } = await setUp();
  const api = await cluster.api();
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  await api.delete(`${path}/deploy`);
  await api.create(path, { metadata: { name: 'deploy' } });
  await copies.carryOut({ ...token, spec: { ...token.spec, revoked: true } }, step, signal);
  expect(await isThere()).toBe(true);
  expect(
    (await client.get(secretMetadata, { namespace, name: 'deploy' }, { signal }))?.metadata.labels,
  ).toBeUndefined();
});

test('nothing is written from a Secret that is another one by now', async () => {
  const { namespace, client, copies, step } = await setUp();
  const change = {
    do: 'write',
    place: namespace,
    wanted: 'write',
    namespace,
    over: undefined,
    serviceAccounts: [],
  } as const;
  await copies.carryOut(token, { ...step, source, changes: [change] }, signal);
  const found = await client.get(secretMetadata, { namespace, name: 'deploy' }, { signal });
  expect(found?.metadata.resourceVersion).toBe(
    step.changes[0]?.do === 'delete' ? step.changes[0].over.resourceVersion : '',
  );
});

test.each([503, 500, 429])(
  'a ServiceAccount does not list what was taken away because the API server answered %s once',
  async status => {
    const { client, proxy } = await clientBehindProxy(cluster);
    const { namespace, copies, step, isThere, seen } = await setUp(true, client, ['puller']);
    const api = await cluster.api();
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await api.create(path, { metadata: { name: 'puller' }, imagePullSecrets: [{ name: 'deploy' }] });
    let failed = 0;
    proxy.rule = request =>
      request.verb === 'patch' && request.resource === 'serviceaccounts' && failed++ === 0
        ? refuse(status, 'ServiceUnavailable')
        : forward;
    const over = { ...token, spec: { ...token.spec, revoked: true } };
    // As often as the controller would, while there is something to take away.
    for (let tries = 0; tries < 4 && (seen()?.copies.length ?? 0) > 0; tries++)
      await copies.carryOut(over, step, signal);
    expect(failed).toBeGreaterThan(0);
    expect(await isThere()).toBe(false);
    expect((await api.get(`${path}/puller`))?.imagePullSecrets ?? []).toEqual([]);
  },
);
