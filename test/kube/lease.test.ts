import { describe, expect, test } from 'vitest';
import { Election, type Write } from '../../src/kube/lease.ts';
import { type Replica, World } from './lease-simulation.ts';

const timings = { leaseSeconds: 15, renewDeadlineSeconds: 10, retrySeconds: 2 };

/** How many shards each replica owns, most first. */
function shares(world: World, count: number): number[] {
  const alive = world.replicas.filter(each => each.isAlive && !each.hasLeft);
  const owned = alive.map(each => Array.from({ length: count }, (_, i) => i).filter(i => each.owns(i)).length);
  return owned.sort((a, b) => b - a);
}

function neverTwo(world: World, count: number): () => void {
  return () => {
    for (let shard = 0; shard < count; shard++) {
      const owners = world.owners(shard);
      if (owners.length > 1) throw new Error(`shard ${shard} at ${world.now} ms: ${owners.join(' and ')}`);
    }
  };
}

describe('in a calm world', () => {
  function calm(): World {
    const world = new World(1);
    world.isCalm = true;
    return world;
  }

  test('the first replica owns all shards at once', () => {
    const world = calm();
    world.join('a', timings, 8);
    world.run(500, neverTwo(world, 8));
    expect(shares(world, 8)).toEqual([8]);
  });

  test.each<[number, number[]]>([
    [2, [4, 4]],
    [3, [3, 3, 2]],
    [5, [2, 2, 2, 1, 1]],
  ])('%i replicas share evenly, seconds after they joined', (replicas, expected) => {
    const world = calm();
    const check = neverTwo(world, 8);
    for (let i = 0; i < replicas; i++) {
      world.join(`replica-${i}`, timings, 8);
      world.run(world.now + 6_000, check);
    }
    expect(shares(world, 8)).toEqual(expected);
  });

  test('more replicas than shards: some wait, and step in', () => {
    const world = calm();
    for (const identity of ['a', 'b', 'c']) world.join(identity, timings, 2);
    world.run(8_000, neverTwo(world, 2));
    expect(shares(world, 2)).toEqual([1, 1, 0]);
    world.replicas.find(each => each.owns(0))?.leave();
    world.run(14_000, neverTwo(world, 2));
    expect([world.owners(0).length, world.owners(1).length]).toEqual([1, 1]);
  });

  test('who leaves gives back at once', () => {
    const world = calm();
    const first = world.join('a', timings, 8);
    world.join('b', timings, 8);
    world.run(8_000, neverTwo(world, 8));
    first.leave();
    expect(first.owns(0) || first.owns(7)).toBe(false);
    world.run(11_000, neverTwo(world, 8));
    expect(shares(world, 8)).toEqual([8]);
    expect(first.election.isGone).toBe(true);
    expect(world.leases.has('botmint-replica-a')).toBe(false);
  });

  test('a crashed replica is replaced after the lease time, by all the others, and no earlier', () => {
    const world = calm();
    const victim = world.join('victim', timings, 9);
    for (const identity of ['b', 'c']) world.join(identity, timings, 9);
    world.run(10_000, neverTwo(world, 9));
    expect(shares(world, 9)).toEqual([3, 3, 3]);
    victim.crash();
    world.run(20_000, neverTwo(world, 9));
    expect(shares(world, 9)).toEqual([3, 3]);
    world.run(30_000, neverTwo(world, 9));
    expect(shares(world, 9)).toEqual([5, 4]);
  });

  test("a dead replica's Lease is removed in the end", () => {
    const world = calm();
    world.join('victim', timings, 2).crash();
    world.join('b', timings, 2);
    world.run(100_000, () => {});
    expect(world.leases.get('botmint-replica-victim')?.holder).toBe('');
    world.run(250_000, () => {});
    expect([...world.leases.keys()].sort()).toEqual(['botmint-replica-b', 'botmint-shard-0', 'botmint-shard-1']);
  });

  test('at rest only the own lives are written, 18 times a minute each', () => {
    const world = calm();
    for (const identity of ['a', 'b']) world.join(identity, timings, 8);
    world.run(20_000, () => {});
    const before = world.writes;
    world.run(80_000, () => {});
    expect((world.writes - before) / 2).toBeGreaterThanOrEqual(16);
    expect((world.writes - before) / 2).toBeLessThanOrEqual(18);
  });

  test('a replica that cannot renew stops owning at its deadline, before anybody may take over', () => {
    const world = calm();
    const lone = world.join('lone', timings, 2);
    world.join('b', timings, 2);
    world.run(20_000, neverTwo(world, 2));
    expect(lone.owns(0) || lone.owns(1)).toBe(true);
    lone.cutOff(60_000);
    let stopped = 0;
    let taken = 0;
    world.run(50_000, () => {
      if (stopped === 0 && !lone.owns(0) && !lone.owns(1)) stopped = world.now;
      if (taken === 0 && shares(world, 2)[0] === 2) taken = world.now;
    });
    expect(stopped).toBeGreaterThan(20_000);
    expect(stopped).toBeLessThanOrEqual(30_001);
    expect(taken).toBeGreaterThan(stopped + 3_000);
  });

  test('a frozen replica owns nothing when it wakes up too late, without being told', () => {
    const world = calm();
    const sleeper = world.join('sleeper', timings, 2);
    world.run(5_000, () => {});
    expect(sleeper.owns(0)).toBe(true);
    sleeper.freeze(60_000);
    world.run(16_000, () => {});
    expect(sleeper.owns(0)).toBe(false);
    world.run(70_000, () => {});
    expect(sleeper.owns(0)).toBe(true);
  });

  test('a Lease that a person deleted is not taken at once', () => {
    const world = calm();
    const [a, b] = ['a', 'b'].map(identity => world.join(identity, timings, 2));
    world.run(8_000, neverTwo(world, 2));
    a?.cutOff(9_000);
    world.leases.delete('botmint-replica-a');
    world.run(17_000, neverTwo(world, 2));
    expect(shares(world, 2)).toEqual([1, 0]);
    world.run(40_000, neverTwo(world, 2));
    expect([a?.election.owned(world.now).length, b?.election.owned(world.now).length]).toEqual([1, 1]);
  });
});

describe('a tenure', () => {
  const own = 'botmint-replica-a';
  const lease = (name: string, resourceVersion: string, holder = 'a') => ({
    name,
    uid: name,
    resourceVersion,
    holder,
    leaseSeconds: 15,
  });

  /** Listed, alive since `sentAt`, and about to take the only shard. */
  function begun(sentAt: number): { election: Election; take: Write } {
    const election = new Election({ identity: 'a', count: 1, timings });
    election.listed([], '10', sentAt);
    const [life] = election.plan(sentAt);
    if (life === undefined) throw new Error('no life was planned');
    election.answered(life, sentAt, lease(own, '11'), sentAt + 100);
    const [take] = election.plan(sentAt + 100);
    if (take === undefined) throw new Error('no shard was planned');
    return { election, take };
  }

  test('counts from when the write was begun, not from its answer', () => {
    const { election, take } = begun(1_000);
    election.answered(take, 1_100, lease('botmint-shard-0', '12'), 9_000);
    expect(election.owns(0, 10_999)).toBe(true);
    expect(election.owns(0, 11_000)).toBe(false);
  });

  test('does not own what was written in an earlier one', () => {
    const { election, take } = begun(0);
    const [renewal] = election.plan(9_900);
    if (renewal === undefined) throw new Error('no renewal was planned');
    election.answered(renewal, 9_900, lease(own, '13'), 10_500); // the first tenure ended at 10,000
    election.answered(take, 100, lease('botmint-shard-0', '12'), 10_600);
    expect(election.owns(0, 10_600)).toBe(false);
    expect(election.plan(10_600).map(write => [write.do, write.name])).toEqual([['hold', 'botmint-shard-0']]);
  });

  test('ends at once when somebody else has written the life', () => {
    const { election, take } = begun(0);
    election.answered(take, 100, lease('botmint-shard-0', '12'), 200);
    expect(election.owned(300)).toEqual([0]);
    election.listed([lease(own, '13', ''), lease('botmint-shard-0', '12')], '13', 300);
    expect(election.owned(300)).toEqual([]);
  });

  test('is not taken back by a list that is older than an answer', () => {
    const { election, take } = begun(0);
    election.answered(take, 100, lease('botmint-shard-0', '12'), 200);
    election.listed([], '10', 300);
    expect(election.owned(300)).toEqual([0]);
  });

  test('plans no write twice, and one that failed again after a list', () => {
    const { election, take } = begun(0);
    expect(election.plan(200)).toEqual([]);
    election.failed(take, 300);
    expect(election.plan(400)).toEqual([]);
    expect(election.wait(400)).toBeLessThanOrEqual(1_900);
    election.listed([lease(own, '11')], '11', 500);
    expect(election.plan(500).map(write => write.name)).toEqual(['botmint-shard-0']);
  });
});

describe('in a world of delays, losses, crashes, freezes and partitions', () => {
  const count = 5;

  function misfortune(world: World, replica: Replica): void {
    const lot = world.random();
    if (lot < 0.2) replica.crash();
    else if (lot < 0.45) replica.freeze(world.random() * 40_000);
    else if (lot < 0.7) replica.cutOff(world.random() * 40_000);
    else if (lot < 0.85) replica.leave();
    else world.leases.delete(`botmint-replica-${replica.identity}`); // by a person
  }

  function live(seed: number): World {
    const world = new World(seed);
    const check = neverTwo(world, count);
    let joined = 0;
    for (let i = 0; i < 60; i++) {
      const alive = world.replicas.filter(each => each.isAlive);
      if (alive.length < 2 || (alive.length < 4 && world.random() < 0.3)) world.join(`r${joined++}`, timings, count);
      const victim = world.replicas[Math.floor(world.random() * world.replicas.length)];
      if (victim?.isAlive && world.random() < 0.5) misfortune(world, victim);
      world.run(world.now + world.random() * 15_000, check);
    }
    world.isCalm = true;
    world.join('last', timings, count);
    world.run(world.now + 150_000, check);
    return world;
  }

  test.each(Array.from({ length: 40 }, (_, i) => i))(
    'two never own one shard, and in the end each has one owner (%i)',
    seed => {
      const world = live(seed);
      for (let shard = 0; shard < count; shard++) expect(world.owners(shard)).toHaveLength(1);
      const owned = shares(world, count);
      expect(Math.max(...owned) - Math.min(...owned)).toBeLessThanOrEqual(1);
    },
  );
});
