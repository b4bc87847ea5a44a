import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fairShare, hash, replicaName, shardName, shardOfName } from '../../src/kube/sharding.ts';

describe('the shard of an object', () => {
  // Written down, because replicas of two versions that disagree would both own an object.
  test.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('is by FNV-1a, as its authors publish it (%j)', (text, expected) => {
    expect(hash(text)).toBe(expected);
  });

  test('spreads UIDs evenly', () => {
    const counts = Array<number>(8).fill(0);
    for (let i = 0; i < 8_000; i++) {
      const shard = hash(randomUUID()) % 8;
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });
});

test("a shard's number can be read from the name of its Lease, and from no other name", () => {
  expect(shardOfName(shardName(12))).toBe(12);
  expect(shardOfName(replicaName('x-1'))).toBeUndefined();
  expect(shardOfName('botmint-shard-1-2')).toBeUndefined();
});

test("a host's name gives a valid name of a Lease", () => {
  expect(replicaName('Annas_MacBook.local-3f')).toBe('botmint-replica-annas-macbook.local-3f');
});

test.each<[number, string[], number[]]>([
  [8, ['a'], [8]],
  [8, ['a', 'b'], [4, 4]],
  [8, ['a', 'b', 'c'], [3, 3, 2]],
  [2, ['a', 'b', 'c'], [1, 1, 0]],
])('%i shards are shared by %j as %j, whatever the order in which they see each other', (count, all, expected) => {
  const shares = all.map(one => fairShare(count, one, all.filter(other => other !== one).reverse()));
  expect(shares).toEqual(expected);
});
