import { expect, test } from 'vitest';
import type { Revocation } from '../../src/api/revocation.ts';
import { revocationKind } from '../../src/api/revocation.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { HandOver } from '../../src/controllers/hand-over.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import { type Estate, estatesOf, handOver } from '../../src/decide/hand-over.ts';
import { decide } from '../../src/decide/revocation.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { deleting, later, seen, served, tokenID, uid } from '../decide/healthy.ts';
import { clientFor } from '../kube/follower.ts';
import { silent } from '../kube/local-server.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);
const minuteLater = new Date(later(60));
const going = deleting(served);
const name = `${uid}.issuer-uid`;

/** An operator with caches of its own, which no watch fills. */
function operator(namespace: string) {
  const { client } = clientFor(cluster.kubeconfigPath);
  const caches = new Caches({ client, namespace, log: silent, clock: systemClock });
  const told: string[] = [];
  const report = (_: string, __: object, { reason }: { reason: string }) => void told.push(reason);
  const world = { caches, client, clock: systemClock, metrics: tokenMetrics(new Metrics()), report };
  const carrier = new HandOver(world, { namespace, clusterID: 'this-cluster' });
  const next = (estates?: Partial<Estate>) => {
    const token =
      estates?.credentials === undefined ? going : withPrevious(estates.credentials.map(each => each.tokenID));
    return { token, step: handOver(seen({ token, revocations: carrier.seen(token) }), minuteLater) };
  };
  /** Looks and acts until all is taken over; the number of steps that took. */
  const settle = async (estates?: Partial<Estate>) => {
    for (let steps = 0; steps < 5; steps++) {
      const { token, step } = next(estates);
      if (step === 'taken-over') return steps;
      if (step === undefined) throw new Error('it waits');
      await carrier.carryOut(token, step, signal);
    }
    throw new Error('it does not come to its end');
  };
  const live = () => client.get(revocationKind, { namespace, name }, { signal });
  return { caches, client, live, next, settle, told };
}

function withPrevious(ids: readonly string[]) {
  const previous = ids.map(id => ({ tokenID: id, revokeAt: later(900) }));
  return { ...going, status: { ...going.status, previous } };
}

test('a Revocation stands after one write, with all that is needed, and is carried out from there', async () => {
  const namespace = await cluster.namespace();
  const { live, settle, told } = operator(namespace);
  expect(await settle()).toBe(1);
  const revocation = await live();
  expect(revocation?.spec).toEqual({
    owner: { kind: 'BotToken', namespace: 'team-a', name: 'deploy', uid },
    clusterID: 'this-cluster',
    issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'issuer-uid', type: 'jwt' },
    credentials: [{ tokenID }],
    notAfter: '2027-01-30T00:00:00Z',
  });
  expect(told).toEqual(['HandedOver']);
  const at = { revocation: revocation as Revocation, clusterID: 'this-cluster', attempt: undefined };
  expect(decide(at, minuteLater)).toEqual({ do: 'revoke' });
});

test('two operators, or one that crashed after the write, make one', async () => {
  const namespace = await cluster.namespace();
  const [first, second] = [operator(namespace), operator(namespace)];
  await first.settle();
  const before = await first.live();
  expect(await second.settle()).toBe(1); // its own write is refused, and shows what is there
  expect(await second.live()).toEqual(before);
  expect(second.told).toEqual([]);
});

test('a second ending adds to it what is new, loses nothing, and is not lost to a write in between', async () => {
  const namespace = await cluster.namespace();
  const [first, second] = [operator(namespace), operator(namespace)];
  await first.settle();
  await second.settle({ credentials: [{ tokenID: 'x' }] });
  expect(await first.settle({ credentials: [{ tokenID: 'y' }] })).toBe(2); // it met another version than it knew
  const spec = (await first.live())?.spec;
  expect(spec?.credentials.map(each => each.tokenID)).toEqual([tokenID, 'x', 'y']);
  expect(spec).not.toHaveProperty('notAfter'); // nobody knows when x and y end
});

test('one that was carried out and went in between is made again', async () => {
  const namespace = await cluster.namespace();
  const { caches, client, live, settle } = operator(namespace);
  await settle();
  const { uid: made } = (await live())?.metadata ?? { uid: '' };
  await client.delete(revocationKind, { namespace, name }, { signal, uid: made });
  expect(caches.revocations.get(`${namespace}/${name}`)).toBeDefined();
  await settle({ credentials: [{ tokenID: 'x' }] });
  expect((await live())?.spec.credentials).toHaveLength(2);
  expect((await live())?.metadata.uid).not.toBe(made);
});

test('one that nobody can read is left alone, and the token waits', async () => {
  const namespace = await cluster.namespace();
  const { caches, settle } = operator(namespace);
  await settle();
  const [made] = caches.revocations.values();
  if (made === undefined) throw new Error('none was made');
  const other = operator(namespace);
  other.caches.revocations.putUnreadable({ metadata: { ...made.metadata, resourceVersion: `${'9'.repeat(30)}` } });
  await expect(other.settle()).rejects.toThrow('is in a form that this version does not know');
});

test('there is nothing to hand over of a token that has none', () => {
  expect(estatesOf(seen({ token: { ...going, status: {} }, secret: { state: 'absent', confirmed: true } }))).toEqual(
    [],
  );
});
