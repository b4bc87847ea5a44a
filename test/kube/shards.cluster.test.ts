import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Client } from '../../src/kube/client.ts';
import { loadConfig } from '../../src/kube/config.ts';
import { configMaps, leases } from '../../src/kube/core-kinds.ts';
import { Unreachable } from '../../src/kube/errors.ts';
import type { Timings } from '../../src/kube/lease.ts';
import { Shards, type ShardsOptions } from '../../src/kube/shards.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);
/** Short, where a replica has to be taken for dead; else a machine that stands still for a moment makes nobody lose a shard. */
const short = { leaseSeconds: 3, renewDeadlineSeconds: 2, retrySeconds: 0.4 };
const usual = { leaseSeconds: 15, renewDeadlineSeconds: 10, retrySeconds: 0.4 };
/** Longer than a test waits: what is taken over within it was free. */
const long = { leaseSeconds: 300, renewDeadlineSeconds: 200, retrySeconds: 0.4 };
const count = 8;
const log = createLog('silent', 'json');

function newClient(): Client {
  const config = loadConfig({ kubeconfig: cluster.kubeconfigPath });
  return new Client({ config, log, metrics: new Metrics(), userAgent: 'test' });
}

/** A cable between a replica and the real API server that can be cut: then calls end at their deadline, as in life. */
class Cable {
  isCut = false;
  readonly client: Client;
  constructor(client: Client) {
    this.client = client;
  }

  get plug(): ShardsOptions['client'] {
    const { client } = this;
    return {
      list: (resource, options) => this.#carry(options, () => client.list(resource, options)),
      create: (resource, object, options) => this.#carry(options, () => client.create(resource, object, options)),
      patch: (resource, ref, body, options) => this.#carry(options, () => client.patch(resource, ref, body, options)),
      delete: (resource, ref, options) => this.#carry(options, () => client.delete(resource, ref, options)),
    };
  }

  async #carry<T>(options: { signal: AbortSignal; deadlineMilliseconds?: number }, call: () => Promise<T>): Promise<T> {
    if (!this.isCut) {
      const answer = await call();
      if (!this.isCut) return answer;
    }
    await sleep(options.deadlineMilliseconds ?? 30_000, undefined, { signal: options.signal });
    throw new Unreachable('deadline', 'no answer');
  }
}

interface Replica {
  shards: Shards;
  cable: Cable;
  leave(): Promise<void>;
}

/** Replicas in one process, each with a client of its own, watched all the time. */
class Team {
  readonly namespace: string;
  readonly uids: readonly string[];
  readonly replicas: Replica[] = [];
  readonly faults: string[] = [];
  samples = 0;
  readonly #timings: Timings;
  readonly #sampling: NodeJS.Timeout;

  constructor(namespace: string, timings: Timings) {
    this.namespace = namespace;
    this.#timings = timings;
    const shards = this.#newShards('probe', newClient());
    const uids = Array.from({ length: 1_000 }, () => randomUUID());
    this.uids = Array.from({ length: count }, (_, shard) => uids.find(uid => shards.shardOf(uid) === shard) ?? '');
    this.#sampling = setInterval(() => this.sample(), 2);
  }

  join(identity: string): Replica {
    const client = newClient();
    const cable = new Cable(client);
    const shards = this.#newShards(identity, cable.plug);
    shards.onChange(() => this.sample());
    const stopping = new AbortController();
    const ended = shards.run(stopping.signal);
    const leave = async () => {
      stopping.abort();
      await ended;
      await client.close();
      this.replicas.splice(this.replicas.indexOf(replica), 1);
    };
    const replica = { shards, cable, leave };
    this.replicas.push(replica);
    return replica;
  }

  /** What each replica itself believes to own, in the order of joining. */
  shares(): number[] {
    return this.replicas.map(({ shards }) => this.uids.filter(uid => shards.owns(uid)).length);
  }

  /** At this moment no shard may have two owners. */
  sample(): void {
    this.samples++;
    this.uids.forEach((uid, shard) => {
      const owners = this.replicas.filter(({ shards }) => shards.owns(uid)).length;
      if (owners > 1) this.faults.push(`shard ${shard} has ${owners} owners`);
    });
  }

  /** The shares of all replicas, whoever has which, the largest first. */
  async settled(shares: readonly number[]): Promise<void> {
    const wanted = shares.join();
    const isSo = () =>
      wanted ===
      this.shares()
        .sort((a, b) => b - a)
        .join();
    await eventually(`shares ${wanted}`, isSo);
  }

  async end(): Promise<void> {
    clearInterval(this.#sampling);
    await Promise.all([...this.replicas].map(each => each.leave()));
    expect(this.faults).toEqual([]);
    expect(this.samples).toBeGreaterThan(10);
  }

  #newShards(identity: string, client: ShardsOptions['client']): Shards {
    const { namespace } = this;
    const metrics = new Metrics();
    return new Shards({ client, namespace, identity, count, clock: systemClock, log, metrics, timings: this.#timings });
  }
}

async function newTeam(timings: Timings): Promise<Team> {
  const team = new Team(await cluster.namespace(), timings);
  onTestFinished(() => team.end());
  return team;
}

describe('shards', () => {
  let admin: Client;
  beforeAll(() => {
    admin = newClient();
  });
  afterAll(() => admin.close());

  /** Writes without a pause, so that the election happens on a server that is busy. */
  function load(namespace: string): void {
    const stopping = new AbortController();
    const { signal } = stopping;
    const write = async () => {
      while (!signal.aborted) {
        const name = randomBytes(8).toString('hex');
        const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: {} };
        await admin.create(configMaps, object, { signal }).catch(() => undefined); // the end of the test
      }
    };
    const writers = Array.from({ length: 8 }, write);
    onTestFinished(async () => {
      stopping.abort();
      await Promise.all(writers);
    });
  }

  async function leaseNames(namespace: string): Promise<string[]> {
    const page = await admin.list(leases, { namespace, signal });
    return page.items.map(({ metadata }) => metadata.name).sort();
  }

  test('are shared fairly by two and three replicas that join and leave, under load', async () => {
    const team = await newTeam(usual);
    load(team.namespace);
    team.join('a');
    await team.settled([8]);
    const second = team.join('b');
    await team.settled([4, 4]);
    team.join('c');
    await team.settled([3, 3, 2]);
    await second.leave();
    await team.settled([4, 4]);
    expect(await leaseNames(team.namespace)).not.toContain('botmint-replica-b');
  });

  test('of a replica that is cut off are taken over by the others, after it has stopped, and shared again when it is back', async () => {
    const team = await newTeam(short);
    for (const identity of ['a', 'b', 'c']) team.join(identity);
    await team.settled([3, 3, 2]);
    const [victim] = team.replicas;
    if (victim === undefined) throw new Error('nobody joined');
    victim.cable.isCut = true;
    await team.settled([4, 4, 0]);
    victim.cable.isCut = false;
    await team.settled([3, 3, 2]);
  });

  test('are free at once when the replica left, and its leases name nobody', async () => {
    const team = await newTeam(long);
    const lone = team.join('lone');
    await team.settled([8]);
    await lone.leave();
    const page = await admin.list(leases, { namespace: team.namespace, signal });
    expect(page.items).toHaveLength(8);
    expect(page.items.map(({ spec }) => spec.holderIdentity ?? '')).toEqual(Array(8).fill(''));
    team.join('next');
    await team.settled([8]);
  });

  test('tell what is gained and lost, each once', async () => {
    const team = await newTeam(usual);
    const { shards } = team.join('a');
    const mine = new Set<number>();
    shards.onChange(({ gained, lost }) => {
      for (const shard of gained) if (mine.has(shard)) team.faults.push(`gained ${shard} twice`);
      for (const shard of gained) mine.add(shard);
      for (const shard of lost) if (!mine.delete(shard)) team.faults.push(`lost ${shard} without having it`);
      const owned = team.uids.flatMap((uid, shard) => (shards.owns(uid) ? [shard] : []));
      if (owned.length !== mine.size || owned.some(shard => !mine.has(shard))) team.faults.push('told what is not so');
    });
    await team.settled([8]);
    team.join('b');
    await team.settled([4, 4]);
    expect(mine.size).toBe(4);
  });
});
