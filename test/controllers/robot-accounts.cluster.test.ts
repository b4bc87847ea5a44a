import { expect, onTestFinished, test } from 'vitest';
import { Metrics } from '../../src/base/metrics.ts';
import { HandOver } from '../../src/controllers/hand-over.ts';
import { ensureInstallation } from '../../src/controllers/installation.ts';
import { RobotAccounts } from '../../src/controllers/robot-accounts.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { eventually } from '../cluster/cluster.ts';
import { RegistryPlace } from './registry-place.ts';

const signal = AbortSignal.timeout(600_000);

/** A robot of ninety days as this replica sees it, with a secret of its own or a generated one. */
async function robotOf(own?: string) {
  const place = await RegistryPlace.make();
  const { api, namespace, calendar: clock } = place;
  const { caches, client } = await place.replica();
  const { clusterID, digestKey, verifierKeys } = await ensureInstallation(client, namespace, 4, signal);
  const world = { caches, client, clock, metrics: tokenMetrics(new Metrics()), report: () => {} };
  const robots = new RobotAccounts(world, {
    statusLists: { seen: () => 'retired', write: async () => {} } as never, // robots are in none
    handOver: new HandOver(world, { namespace, clusterID }),
    digestKey,
    verifiers: new Verifiers(verifierKeys),
    refreshKeys: async () => {},
    takeID: async () => 1,
  });
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const bring = (password: string) => ({ password: Buffer.from(password).toString('base64') });
  if (own !== undefined) await api.create(secrets, { metadata: { name: 'mine' }, data: bring(own) });
  const valueFrom = { secretKeyRef: { name: 'mine', key: 'password' } };
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/robotaccounts`;
  await api.create(path, {
    apiVersion: 'botmint.dev/v1alpha1',
    kind: 'RobotAccount',
    metadata: { name: 'ci' },
    spec: {
      issuerRef: { kind: 'ClusterTokenIssuer', name: place.name },
      project: 'shop',
      expiresIn: '90d',
      secret: { ...(own !== undefined && { valueFrom }) },
    },
  });
  onTestFinished(() => api.patch(`${path}/ci`, { metadata: { finalizers: null } }).then(() => {}));
  const key = `${namespace}/ci`;
  await eventually('the cache has the robot', () => caches.robots.get(key));
  /** When the robot is looked at again after a pass: in so many seconds from before the pass and from after it. */
  const rest = async () => {
    const before = clock.now();
    const outcome = await robots.reconcile(key, signal);
    const from = (time: Date) =>
      outcome.next === 'at' ? (outcome.time.getTime() - time.getTime()) / 1000 : Number.NaN;
    return { fromBefore: from(before), fromAfter: from(clock.now()) };
  };
  const revision = () => caches.robots.get(key)?.status?.revision;
  const change = (password: string) => api.patch(`${secrets}/mine`, { data: bring(password) });
  return { rest, revision, change };
}

test('a secret of its own is looked at every 30 s, however far the end of the robot is', async () => {
  const { rest, revision, change } = await robotOf('Passw0rd-of-ours');
  const { fromBefore, fromAfter } = await rest();
  expect(revision()).toBe(1);
  expect(fromBefore).toBeGreaterThan(20);
  expect(fromAfter).toBeLessThanOrEqual(30);
  await change('An0ther-of-ours');
  await rest();
  expect(revision()).toBe(2);
});

test('a robot with a generated secret is left alone until something is due', async () => {
  const { rest, revision } = await robotOf();
  expect((await rest()).fromAfter).toBeGreaterThan(24 * 3600);
  expect(revision()).toBe(1);
});
