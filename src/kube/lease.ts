import { fairShare, hash, isReplicaName, replicaName, shardName, shardOfName } from './sharding.ts';
import { type LeaseView, Sightings } from './sightings.ts';

/** `leaseSeconds` > `renewDeadlineSeconds` > 2 × `retrySeconds`. */
export interface Timings {
  /** A replica that was not seen to renew for so long is taken for dead. */
  leaseSeconds: number;
  /** A replica that could not renew for so long stops owning. The distance to `leaseSeconds` is for its work to end. */
  renewDeadlineSeconds: number;
  /** How often everybody looks, and how long a failed write waits at most. */
  retrySeconds: number;
}

/** A write that the election asks for, conditional on what was seen: that nothing is there, or `lease`'s resourceVersion. */
export type Write = { name: string; term: number } & (
  | { do: 'create' } // with us as the holder
  | { do: 'hold' | 'clear' | 'remove'; lease: LeaseView } // make us the holder, make nobody the holder, delete
);

/**
 * Decides which shards this replica owns, what it writes for that, and when. Holds no timer, no socket and no clock: a
 * test can step through it. All times are of one monotonic clock, in milliseconds.
 *
 * A replica is alive by one Lease, `botmint-replica-<identity>`, which it renews; a shard's Lease only names the holder
 * and is not written at rest, so the cost does not grow with the shards. Two never own one shard, because:
 *
 * - A tenure begins with an acknowledged write of the replica's own Lease, and ends when `renewDeadline` has passed since
 *   the last such write was begun. A shard is owned in the tenure in which its Lease was written and acknowledged.
 * - Whoever has seen another's replica Lease unchanged for `leaseSeconds` first clears its holder, at the resourceVersion
 *   that stood so long. A renewal in between makes that fail; afterwards a late renewal fails. Only then the dead
 *   replica's shards are free. No written time is ever compared with a clock.
 * - A Lease that vanished (a person deleted it) proves nothing: `leaseSeconds` have to pass from when that was seen.
 */
export class Election {
  readonly #identity: string;
  readonly #count: number;
  readonly #timings: Timings;
  readonly #own: string;
  readonly #seen: Sightings;
  readonly #owned = new Set<number>();
  /** Shards that are no longer owned and about to be given back, and when: their running work gets time to end. */
  readonly #giving = new Map<number, number>();
  readonly #inFlight = new Set<string>();
  /** A write that failed is not repeated before this time or the next list. */
  readonly #notBefore = new Map<string, number>();
  #tenure: { renewedAt: number; until: number } | undefined;
  /** Counts the tenures: a write of an earlier one proves nothing, others may have taken the shard since. */
  #term = 0;
  #isListed = false;
  #isLeaving = false;

  constructor(of: { identity: string; count: number; timings: Timings }) {
    this.#identity = of.identity;
    this.#count = of.count;
    this.#timings = of.timings;
    this.#own = replicaName(of.identity);
    this.#seen = new Sightings(of.timings.leaseSeconds);
  }

  owns(shard: number, now: number): boolean {
    return this.#owned.has(shard) && this.#tenure !== undefined && now < this.#tenure.until;
  }

  /** In ascending order. */
  owned(now: number): number[] {
    return [...this.#owned].filter(shard => this.owns(shard, now)).sort((a, b) => a - b);
  }

  /** A consistent list of the election's Leases came. */
  listed(leases: readonly LeaseView[], resourceVersion: string, now: number): void {
    this.#seen.list(leases, resourceVersion, now);
    this.#isListed = true;
    this.#notBefore.clear();
    this.#revise(now);
  }

  /** A planned write that was begun at `sentAt` is acknowledged. `lease` is what it left; undefined after a removal. */
  answered(write: Write, sentAt: number, lease: LeaseView | undefined, now: number): void {
    this.#inFlight.delete(write.name);
    if (lease === undefined) this.#seen.vanished(write.name, now);
    else this.#seen.see(lease, now);
    this.#revise(now);
    if ((write.do === 'create' || write.do === 'hold') && this.#isOurs(write.name)) this.#acquired(write, sentAt, now);
  }

  /** A planned write was refused, or nobody knows what became of it. The next list shows. */
  failed(write: Write, now: number): void {
    this.#inFlight.delete(write.name);
    this.#notBefore.set(write.name, now + this.#timings.retrySeconds * 1000);
  }

  /** From now on nothing is owned or taken, and `plan` gives everything back until `isGone`. */
  leave(): void {
    this.#isLeaving = true;
    this.#lapse();
  }

  get isGone(): boolean {
    return this.#inFlight.size === 0 && this.#held().length === 0 && !this.#isOurs(this.#own);
  }

  /** What is to be written now; each is reported to `answered` or `failed`. A share that has become too large is cut here. */
  plan(now: number): Write[] {
    this.#revise(now);
    const wishes = this.#isLeaving ? this.#farewell() : this.#wishes(now);
    const writes = wishes.filter(({ name }) => !this.#inFlight.has(name) && (this.#notBefore.get(name) ?? now) <= now);
    for (const { name } of writes) this.#inFlight.add(name);
    return writes;
  }

  /** Milliseconds until time alone asks for another `plan` or ends the tenure; Infinity when only an answer or a list does. */
  wait(now: number): number {
    const times = [...this.#notBefore.values(), this.#tenure?.until ?? never];
    if (!this.#inFlight.has(this.#own) && this.#tenure) times.push(this.#renewAt(this.#tenure));
    for (const [shard, at] of this.#giving) if (!this.#inFlight.has(shardName(shard))) times.push(at);
    return Math.max(0, Math.min(...times.filter(time => time > now)) - now);
  }

  #wishes(now: number): Write[] {
    const life = this.#tenure !== undefined && now < this.#renewAt(this.#tenure) ? [] : [this.#take(this.#own)];
    if (!this.#isListed || this.#tenure === undefined) return life;
    return [...life, ...this.#burials(now), ...this.#gifts(now), ...this.#takings(now)];
  }

  /** Shards first, the own life last: whoever sees the replica gone finds its shards free. */
  #farewell(): Write[] {
    const held = this.#held();
    if (held.length > 0 || this.#inFlight.size > 0) return held.map(lease => this.#write('clear', lease));
    const own = this.#seen.get(this.#own);
    return own === undefined ? [] : [this.#write('remove', own)];
  }

  #burials(now: number): Write[] {
    return this.#others().flatMap(lease => {
      if (!this.#seen.isSilent(lease.name, now)) return [];
      if (lease.holder !== '') return [this.#write('clear', lease)];
      return this.#seen.isSilent(lease.name, now, buryAfterLeases) ? [this.#write('remove', lease)] : [];
    });
  }

  #gifts(now: number): Write[] {
    const surplus = this.owned(now).slice(this.#quota(now));
    for (const shard of surplus) {
      this.#owned.delete(shard);
      this.#giving.set(shard, now + (this.#timings.retrySeconds * 1000) / 2);
    }
    const due = [...this.#giving].filter(([, at]) => at <= now);
    return due.flatMap(([shard]) => this.#seen.get(shardName(shard)) ?? []).map(lease => this.#write('clear', lease));
  }

  #takings(now: number): Write[] {
    const shards = Array.from({ length: this.#count }, (_, i) => (i + hash(this.#identity)) % this.#count);
    const idle = shards.filter(shard => !this.#owned.has(shard) && !this.#giving.has(shard));
    const taking = idle.filter(shard => this.#inFlight.has(shardName(shard)));
    const room = Math.max(0, this.#quota(now) - this.#owned.size - taking.length);
    const free = idle.filter(shard => !taking.includes(shard) && this.#isFree(shard, now)).map(shardName);
    // What bears our name without being owned is left from an earlier tenure or an unknown outcome: nobody else would take it.
    const left = free.slice(room).filter(name => this.#isOurs(name));
    const back = left.flatMap(name => this.#seen.get(name) ?? []).map(lease => this.#write('clear', lease));
    return [...free.slice(0, room).map(name => this.#take(name)), ...back];
  }

  #isFree(shard: number, now: number): boolean {
    const name = shardName(shard);
    const lease = this.#seen.get(name);
    if (lease === undefined) return !this.#seen.isKnown(name) || this.#seen.isSilent(name, now);
    if (lease.holder === '' || lease.holder === this.#identity) return true;
    const life = replicaName(lease.holder);
    const isAlive = this.#seen.get(life)?.holder === lease.holder;
    return !isAlive && (this.#seen.get(life) !== undefined || this.#seen.isSilent(life, now));
  }

  #quota(now: number): number {
    const alive = this.#others().filter(({ name, holder }) => holder !== '' && !this.#seen.isSilent(name, now));
    return fairShare(
      this.#count,
      this.#identity,
      alive.map(({ holder }) => holder),
    );
  }

  #acquired(write: Write, sentAt: number, now: number): void {
    const shard = shardOfName(write.name);
    const until = sentAt + this.#timings.renewDeadlineSeconds * 1000;
    if (write.name === this.#own) {
      if (now < until && !this.#isLeaving) this.#tenure = { renewedAt: sentAt, until };
    } else if (shard !== undefined && write.term === this.#term && this.#tenure) this.#owned.add(shard);
  }

  /** Stops owning what time has taken away, or somebody else. */
  #revise(now: number): void {
    if (this.#tenure && (now >= this.#tenure.until || !this.#isOurs(this.#own))) this.#lapse();
    for (const shard of this.#owned) if (!this.#isOurs(shardName(shard))) this.#owned.delete(shard);
    for (const shard of this.#giving.keys()) if (!this.#isOurs(shardName(shard))) this.#giving.delete(shard);
  }

  #lapse(): void {
    this.#tenure = undefined;
    this.#term++;
    this.#owned.clear();
    this.#giving.clear();
  }

  #take(name: string): Write {
    const lease = this.#seen.get(name);
    return lease ? this.#write('hold', lease) : { do: 'create', name, term: this.#term };
  }

  #write(what: 'hold' | 'clear' | 'remove', lease: LeaseView): Write {
    return { do: what, name: lease.name, term: this.#term, lease };
  }

  #isOurs(name: string): boolean {
    return this.#seen.get(name)?.holder === this.#identity;
  }

  /** The shards' Leases that bear our name, owned or not. */
  #held(): LeaseView[] {
    return this.#seen.values().filter(({ name, holder }) => name !== this.#own && holder === this.#identity);
  }

  #others(): LeaseView[] {
    return this.#seen.values().filter(({ name }) => isReplicaName(name) && name !== this.#own);
  }

  #renewAt({ renewedAt }: { renewedAt: number }): number {
    return renewedAt + (this.#timings.renewDeadlineSeconds * 1000) / renewalsPerDeadline;
  }
}

const never = Number.POSITIVE_INFINITY;

/** Two renewals may fail before the deadline; 18 writes a minute and replica with the default timings, at rest the only ones. */
const renewalsPerDeadline = 3;

/** So long a dead replica's Lease stays to be looked at. */
const buryAfterLeases = 10;
