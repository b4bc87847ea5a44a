import { expect, test } from 'vitest';
import type { Revocation } from '../../src/api/revocation.ts';
import { revocationKind } from '../../src/api/revocation.ts';
import { BotmintError, type Retry } from '../../src/base/errors.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { Revocations } from '../../src/controllers/revocations.ts';
import { addTokenGauges } from '../../src/controllers/token-metrics.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import type { RevocationOrder, RevocationOutcome, Revoker } from '../../src/issuers/revoker.ts';
import { keyOf } from '../../src/kube/objects.ts';
import { revocation } from '../api/sample.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { clientFor } from '../kube/follower.ts';
import { silent } from '../kube/local-server.ts';

// The objects are on a real API server. The issuer is a stand-in that fails as backends do: the one that is embedded cannot.
const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);
const start = new Date('2026-12-01T00:00:00Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);

/** Says why it did not answer, or what became of it. */
class Scripted implements Revoker {
  answer: RevocationOutcome | Error = 'done';
  readonly orders: RevocationOrder[] = [];
  meanwhile: () => Promise<unknown> = async () => {};

  async revoke(order: RevocationOrder): Promise<RevocationOutcome> {
    this.orders.push(order);
    await this.meanwhile();
    if (this.answer instanceof Error) throw this.answer;
    return this.answer;
  }
}

class Down extends BotmintError {
  readonly reason = 'Unreachable';
  readonly retry: Retry = { kind: 'backoff' };
}

async function world(spec: Partial<Revocation['spec']> = {}) {
  const namespace = await cluster.namespace();
  const { client } = clientFor(cluster.kubeconfigPath);
  const time = { now: start };
  const clock = { now: () => time.now, monotonic: () => 0 };
  const caches = new Caches({ client, namespace, log: silent, clock });
  const metrics = new Metrics();
  addTokenGauges(metrics, caches);
  const told: string[] = [];
  const report = (_: string, __: object, { reason, message }: { reason: string; message: string }) =>
    void told.push(`${reason}: ${message}`);
  const revoker = new Scripted();
  const all = { caches, client, clock, metrics: tokenMetrics(metrics), report };
  const revocations = new Revocations(all, {
    revokers: { jwt: revoker, registry: revoker },
    clusterID: 'this-cluster',
    owns: () => true,
  });
  const { object } = revocation(spec);
  const made = await client.create(
    revocationKind,
    { ...object, metadata: { ...object.metadata, namespace } },
    { signal },
  );
  caches.revocations.put(made);
  const live = () => client.get(revocationKind, made.metadata, { signal });
  const reconcile = () => revocations.reconcile(keyOf(made), signal);
  return { caches, client, live, made, metrics, reconcile, revoker, time, told };
}

test('what an issuer does not do is tried until it does it; then the Revocation is looked at once more, and goes', async () => {
  const { live, metrics, reconcile, revoker, time } = await world();
  revoker.answer = new Down('no answer within 30 s');
  expect(await reconcile()).toEqual({ next: 'at', time: later(5) });
  expect(await live()).toMatchObject({
    status: {
      retry: { attempts: 1, at: '2026-12-01T00:00:05Z' },
      conditions: [{ reason: 'RevocationFailed' }, {}, {}],
    },
  });
  expect(await metrics.text()).toContain('botmint_revocations_open{issuer="builtin",reason="RevocationFailed"} 1');
  expect(await metrics.text()).toMatch(/botmint_revocations_oldest_timestamp_seconds\{issuer="builtin"\} \d+/);
  time.now = later(5);
  revoker.answer = 'done';
  expect(await reconcile()).toEqual({ next: 'at', time: later(305) });
  expect(await live()).toMatchObject({ status: { revokedAt: '2026-12-01T00:00:05Z' } });
  expect((await live())?.status).not.toHaveProperty('retry');
  expect(await metrics.text()).not.toContain('botmint_revocations_oldest_timestamp_seconds{');
  time.now = later(305);
  expect(await reconcile()).toEqual({ next: 'on-change' });
  expect(await live()).toBeUndefined();
  expect(await metrics.text()).not.toContain('botmint_revocations_open{');
  expect(revoker.orders).toHaveLength(3);
});

test('the issuer is told whose credentials are meant, and which', async () => {
  const { reconcile, revoker } = await world();
  await reconcile();
  expect(revoker.orders).toEqual([
    {
      mark: { clusterID: 'this-cluster', kind: 'BotToken', namespace: 'team-a', name: 'deploy', uid: 'owner-uid' },
      issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'issuer-uid', type: 'jwt' },
      credentials: [{ tokenID: 'owner-uid.1.x' }],
    },
  ]);
});

test('at rest nothing is written and nobody is asked, also after a restart', async () => {
  const { live, made, reconcile, revoker } = await world();
  await reconcile();
  const before = await live();
  await reconcile();
  expect(await live()).toEqual(before);
  expect(before?.metadata.uid).toBe(made.metadata.uid);
  expect(revoker.orders).toHaveLength(1);
});

test('credentials that are added while it is carried out are carried out too, also at its very end', async () => {
  const { caches, client, live, made, reconcile, revoker, time } = await world();
  let more = 0;
  revoker.meanwhile = async () => {
    const now = await live();
    if (now === undefined || more === 2) return;
    const credentials = [...now.spec.credentials, { tokenID: `more.${++more}` }];
    const options = { signal, resourceVersion: now.metadata.resourceVersion };
    const changed = await client.patch(revocationKind, made.metadata, { spec: { credentials } }, options);
    if (more === 1) caches.revocations.put(changed); // the second time the cache does not know yet
  };
  await reconcile();
  expect(revoker.orders.map(({ credentials }) => credentials.length)).toEqual([1, 2, 3]);
  revoker.meanwhile = async () => {};
  const { metadata } = (await live()) ?? made;
  const options = { signal, resourceVersion: metadata.resourceVersion };
  const credentials = [...(caches.revocations.get(keyOf(made))?.spec.credentials ?? []), { tokenID: 'last' }];
  await client.patch(revocationKind, made.metadata, { spec: { credentials } }, options);
  time.now = later(300);
  expect(await reconcile()).toEqual({ next: 'at', time: later(600) }); // the delete met another object than it had seen
  expect(revoker.orders.at(-1)?.credentials).toHaveLength(4);
});

test('it goes unasked when all of its credentials have ended', async () => {
  const { live, reconcile, revoker, time, told } = await world({ notAfter: '2026-12-01T00:00:10Z' });
  revoker.answer = new Down('no answer');
  await reconcile();
  time.now = later(3610);
  await reconcile();
  expect(await live()).toBeUndefined();
  expect(told.at(-1)).toMatch(/^CredentialsEnded: /);
});

test('one that is deleted by hand before it is carried out leaves a trace, and after it none', async () => {
  const { caches, made, reconcile, revoker, told } = await world();
  revoker.answer = new Down('no answer');
  await reconcile();
  caches.revocations.remove(keyOf(made), made.metadata.uid);
  expect(told.at(-1)).toContain('deleted by hand before it was carried out: nobody revokes owner-uid.1.x any more');
  const done = await world();
  await done.reconcile();
  done.caches.revocations.remove(keyOf(done.made), done.made.metadata.uid);
  expect(done.told.filter(news => news.includes('by hand'))).toEqual([]);
});

test('a defect of an issuer is a defect, not a refusal', async () => {
  const { reconcile, revoker } = await world();
  revoker.answer = new TypeError('x is not a function');
  await expect(reconcile()).rejects.toThrow('x is not a function');
});
