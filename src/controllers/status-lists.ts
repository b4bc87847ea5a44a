import { type BotToken, botTokenKind } from '../api/bot-token.ts';
import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import type { TokenStatus } from '../api/token-status.ts';
import { type Clock, delay } from '../base/clock.ts';
import { isAbort } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type Carried, carriedBy, type Listed } from '../decide/listing.ts';
import { indexOf, placeOf } from '../issuers/jwt/status-list.ts';
import type { Client } from '../kube/client.ts';
import { type KubeObject, type Ref, rawOf } from '../kube/objects.ts';
import { liveReplicas } from '../kube/replicas.ts';
import type { Caches } from './caches.ts';
import { carriedIndexes, indexesIn } from './status-carriers.ts';
import { StatusIndexes } from './status-indexes.ts';
import { StatusShards } from './status-shards.ts';

export interface StatusListsOptions {
  client: Pick<Client, 'get' | 'list' | 'page' | 'create' | 'patch'>;
  caches: Pick<Caches, 'statusLists' | 'issuers' | 'tokens'>;
  /** The operator's own: the lists and the replicas' Leases are there. */
  namespace: string;
  /** The one of this replica's Lease. */
  identity: string;
  /** Whether this replica works on the issuer with this UID. */
  owns: (uid: string) => boolean;
  clock: Clock;
  log: Log;
  /** How often it is looked for what was left behind, and how long a replica has to be without its Lease to be taken for gone. */
  timings?: { lookMilliseconds: number; goneMilliseconds: number };
}

const unseen = { state: 'absent', confirmed: false } as const;

/** Twice the time after which a silent replica loses its Lease: one that was deleted by hand is back by then. */
const usual = { lookMilliseconds: 10_000, goneMilliseconds: 30_000 };

/** The Token Status Lists of the embedded issuers: what relying parties that verify offline know of revoked tokens. */
export class StatusLists {
  readonly #of: StatusListsOptions;
  readonly #timings: { lookMilliseconds: number; goneMilliseconds: number };
  readonly #shards: StatusShards;
  readonly #indexes: StatusIndexes;
  /** BotTokens that the watch has shown to be gone, by UID, and what they carried. */
  readonly #vanished = new Map<string, { ref: Ref; carried: readonly Carried[] }>();
  /** Since when a holder has been without its Lease. */
  readonly #missedSince = new Map<string, number>();

  constructor(of: StatusListsOptions) {
    const { client, caches } = of;
    this.#of = of;
    this.#timings = of.timings ?? usual;
    const carried = (signal: AbortSignal) => carriedIndexes(client, signal);
    this.#shards = new StatusShards({ ...of, store: caches.statusLists, issuers: caches.issuers, carried });
    caches.tokens.onChange(({ before, after }) => {
      const carried = before === undefined || after !== undefined ? [] : carriedBy({ object: before, secret: unseen });
      if (before !== undefined && carried.length > 0)
        this.#vanished.set(before.metadata.uid, { ref: before.metadata, carried });
    });
    this.#indexes = new StatusIndexes({
      ...of,
      shards: this.#shards,
      store: caches.statusLists,
      tokens: caches.tokens,
    });
  }

  /** What is known of an index. The issuer's UID is asked for only where its list is missing. */
  seen(index: number, issuerUID: string | undefined): Listed {
    return this.#shards.seen(index, issuerUID);
  }

  /** A list of this issuer as it is served; `unreadable`: it is there, and nobody can say what is in it. */
  published(list: number, issuer: { uid: string }): { lst: string } | 'unreadable' | undefined {
    const { statusLists } = this.#of.caches;
    const shard = statusLists.get(this.#shards.keyOf(list));
    if (shard !== undefined) return shard.issuerUID === issuer.uid ? shard : undefined;
    return statusLists.unreadable(this.#shards.keyOf(list)) === undefined ? undefined : 'unreadable';
  }

  /** The numbers of the lists of this issuer. */
  numbers(issuer: { uid: string }): readonly number[] {
    return this.#of.caches.statusLists.byIndex('issuer', issuer.uid).map(({ number }) => number);
  }

  /** An index for a token that is about to be signed: nobody ever had it, and nobody else ever will. */
  take(issuer: ClusterTokenIssuer, token: BotToken, signal: AbortSignal): Promise<number> {
    return this.#indexes.take(issuer, token, signal);
  }

  /**
   * Writes what the lists say of these indexes. Resolves when the API server has acknowledged it: every replica serves it
   * then, as soon as its watch shows it. May be repeated; INVALID stays INVALID. Throws StatusListInvalid where a list is not
   * one any more.
   */
  async write(
    issuer: { uid: string },
    changes: readonly { index: number; status: TokenStatus }[],
    signal: AbortSignal,
  ): Promise<void> {
    const byList = Map.groupBy(changes, ({ index }) => placeOf(index).list);
    const writes = [...byList].map(([list, each]) => {
      const set = each.map(({ index, status }) => [placeOf(index).idx, status] as const);
      return this.#shards.edit(list, issuer, draft => draft.set(set), signal);
    });
    await Promise.all(writes);
  }

  /** Makes INVALID what an object names that nobody can read otherwise. What it names in an unknown form stays as it is. */
  async revokeAllOf(object: KubeObject, signal: AbortSignal): Promise<void> {
    const indexes = indexesIn(object);
    if (indexes === 'unknown') return;
    const changes = indexes.map(index => ({ index, status: 'INVALID' as const }));
    await this.write({ uid: '' }, changes, signal); // a list that is missing has its issuer's UID in nothing that can be read
  }

  /** Looks for what was left behind, by this process and by replicas that are gone, until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    for (; !signal.aborted; await delay(this.#timings.lookMilliseconds, signal)) {
      try {
        await this.#revokeVanished(signal);
        await this.#indexes.sweep(signal);
        await this.#closeGone(signal);
      } catch (error) {
        if (!isAbort(error, signal)) this.#of.log.warn({ err: error }, 'could not look after the status lists');
      }
    }
  }

  /** Leaves nothing for others to close. To be called when the work has ended and while the Leases are still held. */
  async leave(signal: AbortSignal): Promise<void> {
    try {
      await this.#indexes.leave(signal);
    } catch (error) {
      this.#of.log.warn({ err: error }, 'could not close the ranges of the status lists, another replica does it');
    }
  }

  /**
   * Whoever takes the finalizer off a BotToken makes it go before its credentials are in the list. Nothing remembers them then but
   * who saw it go, and whoever closes their range.
   */
  async #revokeVanished(signal: AbortSignal): Promise<void> {
    for (const [uid, { ref, carried }] of this.#vanished) {
      const open = carried.filter(({ index, issuerUID }) =>
        ['VALID', 'SUSPENDED'].includes(this.seen(index, issuerUID)),
      );
      if (open.length > 0 && this.#of.owns(uid)) {
        // A watch that was set back shows objects to be gone that are not.
        const live = await this.#of.client.get(rawOf(botTokenKind), ref, { signal });
        const changes = open.map(({ index }) => ({ index, status: 'INVALID' as const }));
        if (live?.metadata.uid !== uid) await this.write({ uid: '' }, changes, signal);
      }
      this.#vanished.delete(uid);
    }
  }

  /** Ranges whose holder is gone: every index in them that no token carries is INVALID, and none is handed out any more. */
  async #closeGone(signal: AbortSignal): Promise<void> {
    const gone = await this.#goneHolders(signal);
    if (gone.size === 0) return;
    const carried = await carriedIndexes(this.#of.client, signal);
    if (carried === undefined) return; // a record of a newer version: that version sees to it
    for (const { number: list, issuerUID: uid, held } of this.#ownShards()) {
      if (![...held.values()].some(holder => gone.has(holder))) continue;
      await this.#shards.edit(
        list,
        { uid },
        draft => {
          for (const [range, holder] of draft.held)
            if (gone.has(holder)) draft.close(range, idx => !carried.has(indexOf({ list, idx })));
        },
        signal,
      );
      this.#of.log.info({ list }, 'closed the ranges of a replica that is gone');
    }
  }

  /** Those that have been without a Lease for long enough. Asks the API server only where a range is held by another. */
  async #goneHolders(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const held = this.#ownShards().flatMap(shard => [...shard.held.values()]);
    const others = new Set(held.filter(holder => holder !== this.#of.identity));
    const live = others.size === 0 ? others : await liveReplicas(this.#of.client, this.#of.namespace, signal);
    const now = this.#of.clock.monotonic();
    for (const holder of this.#missedSince.keys())
      if (!others.has(holder) || live.has(holder)) this.#missedSince.delete(holder);
    for (const holder of others)
      if (!live.has(holder) && !this.#missedSince.has(holder)) this.#missedSince.set(holder, now);
    const long = [...this.#missedSince].filter(([, since]) => now - since >= this.#timings.goneMilliseconds);
    return new Set(long.map(([holder]) => holder));
  }

  #ownShards() {
    return [...this.#of.caches.statusLists.values()].filter(({ issuerUID }) => this.#of.owns(issuerUID));
  }
}
