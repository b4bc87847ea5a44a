import { randomInt } from 'node:crypto';
import type { BotToken } from '../api/bot-token.ts';
import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { secretNameOf } from '../decide/credential-seen.ts';
import { indexOf, placeOf } from '../issuers/jwt/status-list.ts';
import type { Client } from '../kube/client.ts';
import { isAlreadyExists } from '../kube/errors.ts';
import type { Ref } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { carriedByToken, indexesIn } from './status-carriers.ts';
import { indexesOf, type ShardDraft, type StatusShard } from './status-shard.ts';
import type { StatusShards } from './status-shards.ts';
import { Unsettled } from './world.ts';

/** An index that nobody was seen to carry for so long was lost: its token was signed, and never written or written over. */
const lostAfterMilliseconds = 60_000;
/** For the write of a reservation; it is as long as the longest write of a list. */
const reserveMilliseconds = 30_000;
/** Ranges that others reserve at the same moment, or take away, are no reason to go on for ever. */
const mostAttempts = 10;
/** The numbers of lists are drawn from so many: no number ever comes twice, not even after a list was deleted by hand. */
const listNumbers = 2 ** 31;

export interface StatusIndexesOptions {
  client: Pick<Client, 'get'>;
  shards: StatusShards;
  store: Store<StatusShard>;
  tokens: Pick<Store<BotToken>, 'byUID'>;
  /** Who holds a range: unique among all processes that ever take part. */
  identity: string;
  clock: Clock;
  log: Log;
  /** A whole number from 0 up to, but without, this one. */
  random?: (below: number) => number;
}

/** A range that this process holds: what is left of it, in random order. */
interface Range {
  list: number;
  range: number;
  left: number[];
}

interface Given {
  issuer: { uid: string };
  token: Ref & { uid: string };
  secret: Ref;
  at: number;
}

/**
 * Gives each token an index that no other token ever had or will have. A range is reserved in the API server before the
 * first index of it is given, and each index is given once in this process, so neither a second operator nor a restart can
 * give it again. Both are drawn by lot: an index says nothing of how many tokens there are, or of which came first.
 */
export class StatusIndexes {
  readonly #of: StatusIndexesOptions;
  readonly #random: (below: number) => number;
  /** By the issuer's UID. */
  readonly #ranges = new Map<string, Range>();
  readonly #reserving = new Map<string, Promise<void>>();
  /** What was given and has not been seen in a record yet, oldest first. */
  readonly #given = new Map<number, Given>();

  constructor(of: StatusIndexesOptions) {
    this.#of = of;
    this.#random = of.random ?? (below => randomInt(below));
  }

  /** An index for a token that is about to be signed. Writes only where the range is used up. */
  async take(issuer: ClusterTokenIssuer, token: BotToken, signal: AbortSignal): Promise<number> {
    const { uid } = issuer.metadata;
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const index = this.#next(uid);
      if (index !== undefined) {
        this.#remember(index, issuer, token);
        return index;
      }
      // Whoever comes while a range is being reserved waits for the same one.
      const reserving = this.#reserving.get(uid) ?? this.#reserve(issuer).finally(() => this.#reserving.delete(uid));
      this.#reserving.set(uid, reserving);
      await reserving;
      signal.throwIfAborted();
    }
    throw new Unsettled(`ClusterTokenIssuer ${issuer.metadata.name}: no range of its status lists could be reserved`);
  }

  /** Only while the list says that the range is ours: somebody may have taken us for dead. */
  #next(issuerUID: string): number | undefined {
    const held = this.#ranges.get(issuerUID);
    if (held === undefined) return undefined;
    const shard = this.#of.store.get(this.#of.shards.keyOf(held.list));
    const idx = shard?.held.get(held.range) === this.#of.identity ? held.left.pop() : undefined;
    if (idx === undefined) this.#ranges.delete(issuerUID);
    return idx === undefined ? undefined : indexOf({ list: held.list, idx });
  }

  #remember(index: number, issuer: ClusterTokenIssuer, token: BotToken): void {
    const { namespace, name, uid } = token.metadata;
    const secret = { namespace, name: secretNameOf(token) };
    const at = this.#of.clock.monotonic();
    this.#given.set(index, { issuer: { uid: issuer.metadata.uid }, token: { namespace, name, uid }, secret, at });
  }

  async #reserve(issuer: ClusterTokenIssuer): Promise<void> {
    const { shards, store, identity } = this.#of;
    let range: number | undefined;
    const draw = (draft: ShardDraft) => {
      const { free } = draft;
      range = free.length === 0 ? undefined : free[this.#random(free.length)];
      if (range !== undefined) draft.held.set(range, identity);
    };
    const list = store.byIndex('issuer', issuer.metadata.uid).find(shard => shard.hasRoom)?.number;
    const signal = AbortSignal.timeout(reserveMilliseconds);
    const number = list ?? this.#random(listNumbers);
    try {
      if (list === undefined) await shards.create(issuer, number, draw, signal);
      else await shards.edit(number, { uid: issuer.metadata.uid }, draw, signal);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return;
    }
    if (range !== undefined)
      this.#ranges.set(issuer.metadata.uid, { list: number, range, left: this.#shuffled(indexesOf(range)) });
  }

  #shuffled(indexes: number[]): number[] {
    for (let i = indexes.length - 1; i > 0; i--) {
      const j = this.#random(i + 1);
      [indexes[i], indexes[j]] = [indexes[j] ?? 0, indexes[i] ?? 0];
    }
    return indexes;
  }

  /** Makes INVALID what was given and lost. To be called from time to time; what fails is tried again the next time. */
  async sweep(signal: AbortSignal, afterMilliseconds = lostAfterMilliseconds): Promise<void> {
    const due = this.#of.clock.monotonic() - afterMilliseconds;
    for (const [index, given] of this.#given) {
      if (given.at > due) return; // they are in the order in which they were given
      try {
        if ((await this.#fateOf(index, given, signal)) !== 'open') this.#given.delete(index);
      } catch (error) {
        if (signal.aborted) return;
        this.#of.log.warn({ index, err: error }, 'could not see what became of a token');
      }
    }
  }

  /** `open`: it is in a Secret and not recorded, so it may still be lost. */
  async #fateOf(index: number, given: Given, signal: AbortSignal): Promise<'recorded' | 'lost' | 'open'> {
    const cached = this.#of.tokens.byUID(given.token.uid);
    if (cached !== undefined && names(indexesIn(cached), index)) return 'recorded';
    const { secret, record } = await carriedByToken(this.#of.client, given, signal);
    if (names(record, index)) return 'recorded';
    if (secret === 'unknown' || record === 'unknown' || names(secret, index)) return 'open';
    const { list, idx } = placeOf(index);
    await this.#of.shards.edit(list, given.issuer, draft => draft.set([[idx, 'INVALID']]), signal);
    this.#of.log.info({ list, index: idx }, 'revoked a token that was signed and never recorded');
    return 'lost';
  }

  /**
   * Closes the ranges that this process holds, so that nobody has to look for what it left behind: what was not given will
   * never be, and what was given is recorded or was lost. A range of which that cannot be said yet is left to the others.
   */
  async leave(signal: AbortSignal): Promise<void> {
    await this.sweep(signal, 0);
    const open = new Set(this.#given.keys());
    const left = new Set(
      [...this.#ranges.values()].flatMap(({ list, left }) => left.map(idx => indexOf({ list, idx }))),
    );
    this.#ranges.clear();
    for (const { number: list, issuerUID: uid, held } of Array.from(this.#of.store.values())) {
      const own = [...held].filter(([, holder]) => holder === this.#of.identity).map(([range]) => range);
      const done = own.filter(range => !indexesOf(range).some(idx => open.has(indexOf({ list, idx }))));
      const close = (draft: ShardDraft) => {
        for (const range of done) draft.close(range, idx => left.has(indexOf({ list, idx })));
      };
      if (done.length > 0) await this.#of.shards.edit(list, { uid }, close, signal);
    }
  }
}

function names(indexes: readonly number[] | 'unknown', index: number): boolean {
  return indexes !== 'unknown' && indexes.includes(index);
}
