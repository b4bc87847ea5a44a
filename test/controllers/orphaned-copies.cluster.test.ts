import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { OrphanedCopies } from '../../src/controllers/orphaned-copies.ts';
import { wantedCopyMetadata } from '../../src/decide/copy-metadata.ts';
import { robotAccounts } from '../../src/decide/robot-account.ts';
import { secretMetadata } from '../../src/kube/core-kinds.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { source } from '../decide/copied.ts';
import { served } from '../decide/robots.ts';
import { forward, refuse } from '../faults/proxy.ts';
import { clientBehindProxy } from '../kube/follower.ts';
import { silent } from '../kube/local-server.ts';
import { RegistryPlace } from './registry-place.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);

/** A robot that no cache shows, and a copy of its Secret, listed by the ServiceAccount `builder`. */
async function setUp() {
  const place = await RegistryPlace.make();
  const { caches, deafen } = await place.replica();
  await deafen();
  const { api } = place;
  const { client, proxy } = await clientBehindProxy(cluster);
  const robots = `/apis/botmint.dev/v1alpha1/namespaces/${place.namespace}/robotaccounts`;
  const make = () =>
    api.create(robots, {
      apiVersion: 'botmint.dev/v1alpha1',
      kind: 'RobotAccount',
      metadata: { name: 'ci' },
      spec: { issuerRef: { kind: 'ClusterTokenIssuer', name: place.name }, project: 'shop', expiresIn: 'never' },
    });
  const { metadata } = await make();
  const object = { ...served, metadata: { ...served.metadata, uid: metadata.uid, namespace: place.namespace } };
  const namespace = await cluster.namespace();
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts/builder`;
  const list = { metadata: { name: 'builder' }, imagePullSecrets: [{ name: 'own' }, { name: 'ci' }] };
  await api.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, list);
  const marks = wantedCopyMetadata({ kind: robotAccounts, object }, source, ['builder']);
  const copy = await client.create(secretMetadata, { metadata: { name: 'ci', namespace, ...marks } }, { signal });
  const key = `${namespace}/ci`;
  const orphans = (of: Caches) => new OrphanedCopies({ caches: of, client, clock: systemClock, log: silent });
  const look = (of = caches) => {
    of.secrets.put(copy);
    return orphans(of).reconcile(key, signal);
  };
  const isThere = async () => (await client.get(secretMetadata, copy.metadata, { signal })) !== undefined;
  const lists = async () => (await api.get(account))?.imagePullSecrets;
  const path = `/api/v1/namespaces/${namespace}/secrets/ci`;
  return { api, caches, client, proxy, path, key, make, robot: `${robots}/ci`, look, isThere, lists };
}

test('a copy whose owner is gone is taken away, and its name out of the lists that it was put into', async () => {
  const { api, robot, caches, key, look, isThere, lists } = await setUp();
  await api.delete(robot);
  expect(await look()).toEqual({ next: 'on-change' });
  expect([await isThere(), await lists()]).toEqual([false, [{ name: 'own' }]]);
  expect(caches.secrets.get(key)).toBeUndefined();
});

test('a copy stays while its owner is there, whatever the caches show, and is looked at again', async () => {
  const { look, isThere, lists } = await setUp();
  expect(await look()).toMatchObject({ next: 'at' });
  expect([await isThere(), await lists()]).toEqual([true, [{ name: 'own' }, { name: 'ci' }]]);
});

test('nobody else is its owner by the name alone', async () => {
  const { api, robot, make, look, isThere } = await setUp();
  await api.delete(robot);
  await make();
  expect(await look()).toEqual({ next: 'on-change' });
  expect(await isThere()).toBe(false);
});

test('nothing is taken away before the caches have been complete for the first time', async () => {
  const { api, robot, client, look, isThere } = await setUp();
  await api.delete(robot);
  const fresh = new Caches({ client, namespace: 'botmint-system', log: silent, clock: systemClock });
  expect(await look(fresh)).toMatchObject({ next: 'at' });
  expect(await isThere()).toBe(true);
});

test('a copy that has moved since it was seen is left to the next look', async () => {
  const { api, robot, path, look, isThere } = await setUp();
  await api.delete(robot);
  await api.patch(path, { metadata: { labels: { theirs: 'x' } } });
  expect(await look()).toMatchObject({ next: 'at' });
  expect(await isThere()).toBe(true);
});

test('a copy goes although its name cannot be taken out of a list', async () => {
  const { api, robot, proxy, look, isThere } = await setUp();
  await api.delete(robot);
  proxy.rule = ({ verb, resource }) =>
    verb === 'patch' && resource === 'serviceaccounts' ? refuse(403, 'Forbidden') : forward;
  expect(await look()).toEqual({ next: 'on-change' });
  expect(await isThere()).toBe(false);
});
