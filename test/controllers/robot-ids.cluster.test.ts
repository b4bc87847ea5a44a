import { expect, test } from 'vitest';
import { z } from 'zod';
import { RobotIDs } from '../../src/controllers/robot-ids.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { clientFor } from '../kube/follower.ts';
import { RegistryPlace } from './registry-place.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);

/** A namespace with operators that number the robots of one issuer. */
async function place() {
  const { api, namespace, name, uid } = await RegistryPlace.make();
  const issuer = { name, uid };
  const { client } = clientFor(cluster.kubeconfigPath);
  const path = `/api/v1/namespaces/${namespace}/configmaps/botmint-robot-ids-${issuer.uid}`;
  const used: number[] = [];
  const operator = () => {
    const ids = new RobotIDs({ client, namespace });
    return async () => {
      const id = await ids.take(issuer, () => used, signal);
      used.push(id);
      return id;
    };
  };
  const counter = async () => z.looseObject({ data: z.record(z.string(), z.string()) }).parse(await api.get(path));
  return { api, counter, issuer, operator, path, used };
}

const inOrder = (ids: readonly number[]) => ids.toSorted((a, b) => a - b);
const many = <T>(count: number, take: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, n) => take(n)));

test('the first robot is number 1, and the next ones follow', async () => {
  const { counter, issuer, operator } = await place();
  const take = operator();
  expect([await take(), await take(), await take()]).toEqual([1, 2, 3]);
  expect(await counter()).toMatchObject({
    metadata: { labels: { 'botmint.dev/managed': 'robot-ids' }, ownerReferences: [{ uid: issuer.uid }] },
    data: { next: '11' },
  });
});

test('two operators at once never give a number twice, nor do those that follow them', async () => {
  const { operator, used } = await place();
  const [a, b] = [operator(), operator()];
  await many(100, n => (n % 2 === 0 ? a() : b()));
  const c = operator();
  await many(25, c);
  expect(new Set(used).size).toBe(125);
  // Gaps are what operators have left: ranges are used up before others are reserved.
  expect(Math.max(...used)).toBeLessThanOrEqual(170);
});

test('a range costs one write', async () => {
  const { api, counter, operator, path } = await place();
  const take = operator();
  expect(await api.get(path)).toBeUndefined();
  await take();
  const first = await counter();
  await many(9, take);
  expect(await counter()).toEqual(first);
  await many(20, take);
  expect((await counter()).data).toEqual({ next: '31' });
});

test.each<[string, unknown]>([
  ['deleted', undefined],
  ['edited into no number', { data: { next: 'ten' } }],
  ['emptied', { data: { next: null } }],
  ['put back', { data: { next: '2' } }],
  ['put back to the last number that anybody knows of', { data: { next: '12' } }],
])(
  'a counter that somebody has %s goes on above all that was given, also in ranges that nobody has seen',
  async (_, edit) => {
    const { api, operator, path, used } = await place();
    const [a, b] = [operator(), operator()];
    await many(15, a);
    const unseen = used.splice(12); // of robots that no cache shows yet
    if (edit === undefined) await api.delete(path);
    else await api.patch(path, edit);
    await many(20, b);
    await many(20, a);
    expect(new Set([...used, ...unseen]).size).toBe(55);
    expect(inOrder(used).slice(0, 12)).toEqual(inOrder(used.slice(0, 12)));
    expect(Math.min(...used.slice(12, 32))).toBeGreaterThan(10_000);
  },
);

test('who waits for a range that cannot be had is told, and the next one tries again', async () => {
  const { client } = clientFor(cluster.kubeconfigPath);
  const ids = new RobotIDs({ client, namespace: 'no-such-namespace' });
  const take = () => ids.take({ name: 'registry', uid: 'registry-uid' }, () => [], signal);
  await expect(many(3, take)).rejects.toThrow('not found');
  await expect(take()).rejects.toThrow('not found');
});
