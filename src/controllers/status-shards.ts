import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { managedLabel, managedStatusList } from '../api/names.ts';
import { BotmintError, type Retry } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Listed } from '../decide/listing.ts';
import { indexOf, placeOf, StatusList } from '../issuers/jwt/status-list.ts';
import type { Client } from '../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { type Key, keyOf, rawOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { keepLive } from './kept.ts';
import { rangesPerList, ShardDraft, type StatusShard, shardName, statusShards } from './status-shard.ts';
import { Unsettled } from './world.ts';

/** A list that somebody edited into something else. Nothing is written over it; deleting it is the remedy. */
export class StatusListInvalid extends BotmintError {
  readonly reason = 'StatusListInvalid';
  readonly retry: Retry = { kind: 'backoff' };
}

/** A change of one list. It may be called several times, each time on what the API server has at that moment. */
export type Edit = (draft: ShardDraft) => void;

export interface StatusShardsOptions {
  client: Pick<Client, 'get' | 'create' | 'patch'>;
  store: Store<StatusShard>;
  issuers: Store<ClusterTokenIssuer>;
  /** Where the ConfigMaps are: the operator's own. */
  namespace: string;
  log: Log;
  /** The indexes that any token carries by live reads; undefined where that cannot be known. */
  carried: (signal: AbortSignal) => Promise<ReadonlySet<number> | undefined>;
}

/** More conflicts in a row than a handful of replicas can make. */
const mostAttempts = 10;
/** For the calls of one write together. What waits for it goes on waiting when one of them is aborted. */
const writeMilliseconds = 30_000;

interface Waiting {
  edit: Edit;
  issuer: { uid: string };
  done: () => void;
  failed: (error: unknown) => void;
}

/**
 * The lists as they are written: what is asked for while a write is on its way goes into the next one, so that a thousand
 * revocations at once are a few writes. Each is at the resourceVersion that was read; after a conflict it is merged anew.
 */
export class StatusShards {
  readonly #of: StatusShardsOptions;
  readonly #queues = new Map<number, Waiting[]>();
  /** What a list said before somebody deleted it. */
  readonly #deleted = new Map<number, StatusList>();

  constructor(of: StatusShardsOptions) {
    this.#of = of;
    of.store.onChange(({ before, after }) => this.#changed(before, after));
  }

  /** What the cache says of an index. A list that is missing can be made anew while its issuer is there. */
  seen(index: number, issuerUID: string | undefined): Listed {
    const { list, idx } = placeOf(index);
    const shard = this.#of.store.get(this.keyOf(list));
    if (shard !== undefined) return shard.statuses.at(idx) ?? 'unreadable';
    if (this.#of.store.unreadable(this.keyOf(list)) !== undefined) return 'unreadable';
    return this.#of.issuers.byUID(issuerUID ?? '') === undefined ? 'retired' : 'missing';
  }

  keyOf(list: number): Key {
    return keyOf({ namespace: this.#of.namespace, name: shardName(list) });
  }

  /** Resolves when the API server has acknowledged the change, or when there is nothing to change. May be repeated. */
  edit(list: number, issuer: { uid: string }, edit: Edit, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const waiting = { edit, issuer, done: resolve, failed: reject };
    const queue = this.#queues.get(list);
    if (queue === undefined) {
      this.#queues.set(list, [waiting]);
      void this.#work(list);
    } else {
      queue.push(waiting);
    }
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }

  /** A new list, in which this replica holds a range from the start. */
  async create(issuer: ClusterTokenIssuer, number: number, edit: Edit, signal: AbortSignal): Promise<void> {
    const draft = new ShardDraft({ statuses: StatusList.of('VALID'), held: new Map(), closed: new Set() });
    edit(draft);
    const { client, store, namespace } = this.#of;
    store.put(await client.create(statusShards, draft.body(issuer, number, namespace), { signal }));
  }

  async #work(list: number): Promise<void> {
    for (let batch = this.#queues.get(list); batch !== undefined && batch.length > 0; batch = this.#queues.get(list)) {
      this.#queues.set(list, []);
      try {
        await this.#write(list, batch);
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    this.#queues.delete(list);
  }

  async #write(list: number, batch: readonly Waiting[]): Promise<void> {
    const signal = AbortSignal.timeout(writeMilliseconds);
    let shard = this.#of.store.get(this.keyOf(list)) ?? (await this.#read(list, signal));
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const draft = shard === undefined ? await this.#anew(list, signal) : new ShardDraft(shard);
      for (const { edit } of batch) edit(draft);
      if (await this.#carryOut(list, batch, shard, draft, signal)) return;
      shard = await this.#read(list, signal);
    }
    throw new Unsettled(`ConfigMap ${shardName(list)} changed ${mostAttempts} times while it was written`);
  }

  /** False when the list has moved in the meantime. */
  async #carryOut(
    list: number,
    batch: readonly Waiting[],
    shard: StatusShard | undefined,
    draft: ShardDraft,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { client, store, namespace } = this.#of;
    try {
      if (shard !== undefined) {
        const data = draft.changed;
        if (data === undefined) return true;
        const { resourceVersion } = shard.metadata;
        store.put(await client.patch(statusShards, shard.metadata, { data }, { signal, resourceVersion }));
        return true;
      }
      const issuer = batch.map(({ issuer }) => this.#of.issuers.byUID(issuer.uid)).find(each => each !== undefined);
      if (issuer === undefined) return true; // its lists go with it
      store.put(await client.create(statusShards, draft.body(issuer, list, namespace), { signal }));
      this.#of.log.warn({ list, issuer: issuer.metadata.name }, 'made a deleted status list anew');
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error) || isAlreadyExists(error)) return false;
      throw error;
    }
  }

  /** The list by a live read, with the label by which the watch sees it; undefined when there is none. */
  async #read(list: number, signal: AbortSignal): Promise<StatusShard | undefined> {
    const { client, store, namespace } = this.#of;
    const ref = { namespace, name: shardName(list) };
    let live = await client.get(rawOf(statusShards), ref, { signal });
    if (live !== undefined && live.metadata.labels?.[managedLabel] !== managedStatusList) {
      const body = { metadata: { labels: { [managedLabel]: managedStatusList } } };
      live = await client.patch(rawOf(statusShards), ref, body, {
        signal,
        resourceVersion: live.metadata.resourceVersion,
      });
    }
    const shard = keepLive(store, statusShards, ref, live);
    if (live !== undefined && shard === undefined)
      throw new StatusListInvalid(
        `ConfigMap ${namespace}/${ref.name} is not as botmint wrote it: restore it, or delete it and it is made anew`,
      );
    return shard;
  }

  /** A list in the place of a deleted one: what no token carries is INVALID for good, and no index is handed out again. */
  async #anew(list: number, signal: AbortSignal): Promise<ShardDraft> {
    const carried = await this.#of.carried(signal);
    if (carried === undefined)
      throw new StatusListInvalid(
        `ConfigMap ${shardName(list)} is missing and cannot be made anew: a record is in a form that this version does not know`,
      );
    const draft = new ShardDraft({ statuses: StatusList.of('VALID'), held: new Map(), closed: new Set() });
    const before = this.#deleted.get(list);
    for (let range = 0; range < rangesPerList; range++)
      draft.close(range, idx => before?.at(idx) === 'INVALID' || !carried.has(indexOf({ list, idx })));
    return draft;
  }

  /** Puts right what no hand of ours did: what was INVALID as long as this process knows the list is INVALID again. */
  #changed(before: StatusShard | undefined, after: StatusShard | undefined): void {
    const shard = after ?? before;
    if (shard === undefined) return;
    const { number, issuerUID } = shard;
    if (before !== undefined && after === undefined) {
      // With its issuer a list goes for good.
      if (this.#of.issuers.byUID(issuerUID) !== undefined) this.#deleted.set(number, before.statuses);
      return;
    }
    const known = before?.statuses ?? this.#deleted.get(number);
    const revived = known === undefined ? [] : shard.statuses.revived(known);
    this.#deleted.delete(number);
    if (revived.length === 0) return;
    this.#of.log.warn(
      { list: number, indexes: revived.length },
      'revoked tokens were made valid by hand, revoked again',
    );
    const edit: Edit = draft => draft.set(revived.map(idx => [idx, 'INVALID']));
    const issuer = { uid: issuerUID };
    this.edit(number, issuer, edit, AbortSignal.timeout(writeMilliseconds)).catch((error: unknown) => {
      this.#of.log.warn({ list: number, err: error }, 'write of a status list failed');
    });
  }
}
