import { type Clock, delay } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { aborted } from './aborted.ts';
import type { Client } from './client.ts';
import { type Lease, leases } from './core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import { Election, type Timings, type Write } from './lease.ts';
import { hash, isReplicaName } from './sharding.ts';
import type { LeaseView } from './sightings.ts';

export interface ShardsOptions {
  client: Pick<Client, 'list' | 'create' | 'patch' | 'delete'>;
  /** The operator's own; the Leases stand in it. */
  namespace: string;
  /** Unique among all processes that ever take part, also over restarts of one pod. At most 200 characters. */
  identity: string;
  /** Must be the same for all replicas, or two of them own one object. */
  count: number;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  timings?: Timings;
}

export interface ShardsChange {
  gained: readonly number[];
  lost: readonly number[];
}

/**
 * Splits the work over the replicas: an object belongs to the shard that its UID hashes to, and a shard to one replica,
 * by Leases (see Election for why never to two). Each replica owns a fair share. At rest, with 8 shards and 2 replicas, it
 * costs 36 small writes and 60 lists of ten Leases a minute; more shards cost nothing more.
 *
 * It is no fencing: a request that is on its way arrives whoever owns the shard by then. Every write has its own precondition.
 */
export class Shards {
  readonly #options: ShardsOptions;
  readonly #timings: Timings;
  readonly #election: Election;
  readonly #listeners: ((change: ShardsChange) => void)[] = [];
  readonly #end = new AbortController();
  #told: readonly number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #gone: (() => void) | undefined;

  constructor(options: ShardsOptions) {
    this.#options = options;
    this.#timings = options.timings ?? { leaseSeconds: 15, renewDeadlineSeconds: 10, retrySeconds: 2 };
    this.#election = new Election({ ...options, timings: this.#timings });
    const owned = () => [{ labels: {}, value: this.#election.owned(options.clock.monotonic()).length }];
    options.metrics.gauge('botmint_shards_owned', 'Shards of the work that this replica owns.', [], owned);
  }

  shardOf(uid: string): number {
    return hash(uid) % this.#options.count;
  }

  /** Whether the object with this UID is ours to work on, at this moment: also right after the process was frozen. */
  owns(uid: string): boolean {
    return this.#election.owns(this.shardOf(uid), this.#options.clock.monotonic());
  }

  /**
   * Told after each change. Lost shards are no longer owned; their running work has to end at once, since another replica
   * may have them after about `retrySeconds` / 2 (given back) or `leaseSeconds` - `renewDeadlineSeconds` (not renewed).
   */
  onChange(listener: (change: ShardsChange) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Takes part until the signal aborts, then owns nothing, gives everything back (for at most 5 s) and resolves. Abort it
   * when the work has ended: the shards are free for others from then on.
   */
  async run(signal: AbortSignal): Promise<void> {
    this.#step();
    const looking = this.#look(this.#end.signal);
    await aborted(signal);
    await this.#leave();
    this.#end.abort(new Error('the shards were given back'));
    clearTimeout(this.#timer);
    await looking;
  }

  async #leave(): Promise<void> {
    const gone = new AbortController();
    this.#gone = () => gone.abort();
    this.#election.leave();
    this.#step();
    await delay(farewellMilliseconds, gone.signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#list(signal).catch((error: unknown) => this.#warn(error, 'list of leases failed', {}));
      this.#step();
      await delay(this.#timings.retrySeconds * 1000, signal);
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, namespace, clock } = this.#options;
    const selection = { namespace, labelSelector: leaseLabel };
    const page = await client.list(leases, { ...selection, signal, deadlineMilliseconds: this.#callMilliseconds });
    this.#election.listed(page.items.map(viewOf), page.resourceVersion, clock.monotonic());
  }

  /** Does what is to be done now, and sets the timer for what comes next. */
  #step = (): void => {
    clearTimeout(this.#timer);
    if (this.#end.signal.aborted) return;
    const now = this.#options.clock.monotonic();
    for (const write of this.#election.plan(now)) void this.#write(write);
    this.#tell();
    if (this.#election.isGone) this.#gone?.();
    const wait = this.#election.wait(now);
    if (wait < Number.POSITIVE_INFINITY) this.#timer = setTimeout(this.#step, Math.ceil(wait));
  };

  async #write(write: Write): Promise<void> {
    const { clock } = this.#options;
    const sentAt = clock.monotonic();
    try {
      const lease = await this.#carryOut(write);
      this.#election.answered(write, sentAt, lease && viewOf(lease), clock.monotonic());
    } catch (error) {
      this.#election.failed(write, clock.monotonic());
      this.#warn(error, 'write of a lease failed', { lease: write.name, write: write.do });
    }
    this.#step();
  }

  async #carryOut(write: Write): Promise<Lease | undefined> {
    const { client, namespace } = this.#options;
    const options = { signal: this.#end.signal, deadlineMilliseconds: this.#callMilliseconds };
    const ref = { namespace, name: write.name };
    if (write.do === 'create') return client.create(leases, this.#lease(write.name), options);
    const { uid, resourceVersion } = write.lease;
    switch (write.do) {
      case 'hold':
        return client.patch(leases, ref, { spec: this.#spec(write.lease.holder) }, { ...options, resourceVersion });
      case 'clear':
        return client.patch(leases, ref, { spec: { holderIdentity: null } }, { ...options, resourceVersion });
      case 'remove':
        await client.delete(leases, ref, { ...options, uid, resourceVersion });
        return undefined;
    }
  }

  #lease(name: string) {
    const labels = { [leaseLabel]: isReplicaName(name) ? 'replica' : 'shard' };
    const metadata = { name, namespace: this.#options.namespace, labels };
    return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: this.#spec('') };
  }

  /** The times are for people: nobody compares them with a clock. */
  #spec(holderBefore: string) {
    const { identity, clock } = this.#options;
    const now = `${clock.now().toISOString().slice(0, -1)}000Z`; // a MicroTime
    const acquired = holderBefore === identity ? {} : { acquireTime: now };
    const leaseDurationSeconds = Math.ceil(this.#timings.leaseSeconds);
    return { holderIdentity: identity, leaseDurationSeconds, renewTime: now, ...acquired };
  }

  #tell(): void {
    const owned = this.#election.owned(this.#options.clock.monotonic());
    const gained = owned.filter(shard => !this.#told.includes(shard));
    const lost = this.#told.filter(shard => !owned.includes(shard));
    this.#told = owned;
    if (gained.length === 0 && lost.length === 0) return;
    this.#options.log.info({ gained, lost, owned: owned.length }, 'shards changed');
    for (const listener of this.#listeners) this.#call(() => listener({ gained, lost }));
  }

  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.log.error({ err: error }, 'listener of the shards failed');
    }
  }

  #warn(error: unknown, message: string, values: Record<string, string>): void {
    if (this.#end.signal.aborted) return;
    const isRace = isConflict(error) || isAlreadyExists(error) || isNotFound(error);
    this.#options.log[isRace ? 'debug' : 'warn']({ ...values, err: error }, message);
  }

  /** Two attempts at a renewal fit into the deadline. */
  get #callMilliseconds(): number {
    return (this.#timings.renewDeadlineSeconds * 1000) / 2;
  }
}

/** Selects the election's Leases; its value tells people what a Lease is for. */
export const leaseLabel = 'botmint.dev/lease';

/** What is not given back by then is taken over after `leaseSeconds`. */
const farewellMilliseconds = 5_000;

function viewOf({ metadata, spec }: Lease): LeaseView {
  const { name, uid, resourceVersion } = metadata;
  const { holderIdentity: holder = '', leaseDurationSeconds: leaseSeconds = 0 } = spec;
  return { name, uid, resourceVersion, holder, leaseSeconds };
}
