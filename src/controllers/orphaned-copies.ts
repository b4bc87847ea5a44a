import { botTokenKind } from '../api/bot-token.ts';
import { robotAccountKind } from '../api/robot-account.ts';
import type { Log } from '../base/log.ts';
import { copyMarksOf, ownerOfCopy } from '../decide/copy-metadata.ts';
import type { KindName } from '../decide/kind.ts';
import type { Controller, Outcome } from '../kube/controller.ts';
import { type Metadata, secretMetadata } from '../kube/core-kinds.ts';
import { isConflict } from '../kube/errors.ts';
import { type Key, type KubeObject, keyOf, type Resource, rawOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { unlistBeforeDelete } from './pull-secret-lists.ts';
import type { World } from './world.ts';

const kinds: { readonly [kind in KindName]: Resource } = { BotToken: botTokenKind, RobotAccount: robotAccountKind };

/** The cache of owners may be behind that of Secrets. */
const lagMilliseconds = 5000;
/** An owner that is there, and that the cache does not know, is about to come. */
const recheckMilliseconds = 60_000;

/**
 * Takes away copies whose owner is gone without them: it was deleted while one could not be removed, could not be read, or
 * came back from a backup under another UID. Only a live read says that an owner is gone (I7).
 */
export class OrphanedCopies {
  readonly #world: Pick<World, 'caches' | 'client' | 'clock'> & { log: Log };

  constructor(world: Pick<World, 'caches' | 'client' | 'clock'> & { log: Log }) {
    this.#world = world;
  }

  /** Puts on the queue what may be an orphan from now on. */
  connect(controller: Pick<Controller, 'add'>): void {
    const { caches } = this.#world;
    const add = (copy: Metadata) => this.addTo(controller, copy);
    const left = ({ metadata }: KubeObject) => caches.secrets.byIndex('copyOf', metadata.uid).forEach(add);
    caches.secrets.onChange(({ after }) => after && add(after));
    const follow = <T extends KubeObject>(store: Store<T>) => {
      store.onChange(({ before, after }) => before !== undefined && after === undefined && left(before));
      store.onUnreadable(left);
    };
    follow(caches.tokens);
    follow(caches.robots);
  }

  /** The same for one Secret; nothing, where it is no copy or its owner is known. */
  addTo(controller: Pick<Controller, 'add'>, secret: Metadata): void {
    const owner = ownerOfCopy(secret.metadata);
    if (owner === undefined || this.#isKnown(owner.uid)) return;
    controller.add(keyOf(secret), { afterMilliseconds: lagMilliseconds });
  }

  #isKnown(uid: string): boolean {
    const { tokens, robots } = this.#world.caches;
    return tokens.byUID(uid) !== undefined || robots.byUID(uid) !== undefined;
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const { caches } = this.#world;
    const copy = caches.secrets.get(key);
    const owner = copy && ownerOfCopy(copy.metadata);
    if (copy === undefined || owner === undefined || this.#isKnown(owner.uid)) return { next: 'on-change' };
    if (copy.metadata.deletionTimestamp !== undefined || !isKind(owner.kind)) return { next: 'on-change' };
    if (!caches.synced) return this.#later(lagMilliseconds);
    const live = await this.#world.client.get(rawOf(kinds[owner.kind]), owner, { signal });
    if (live?.metadata.uid === owner.uid) return this.#later(recheckMilliseconds);
    return this.#remove(copy, owner.uid, signal);
  }

  #later(milliseconds: number): Outcome {
    return { next: 'at', time: new Date(this.#world.clock.now().getTime() + milliseconds) };
  }

  async #remove(copy: Metadata, owner: string, signal: AbortSignal): Promise<Outcome> {
    const { caches, client, log } = this.#world;
    const { namespace, name, uid, resourceVersion } = copy.metadata;
    for (const account of copyMarksOf(copy.metadata)?.serviceAccounts ?? []) {
      const err = await unlistBeforeDelete(client, { namespace, name: account }, name, { signal });
      if (err !== undefined)
        log.warn({ namespace, name: account, secret: name, err }, 'could not take a copy out of a ServiceAccount');
    }
    try {
      await client.delete(secretMetadata, copy.metadata, { signal, uid, resourceVersion });
    } catch (error) {
      if (!isConflict(error)) throw error;
      return this.#later(lagMilliseconds);
    }
    if ((copy.metadata.finalizers ?? []).length === 0) caches.secrets.remove(keyOf(copy), uid);
    log.info({ namespace, name, owner }, 'removed a copy whose owner is gone');
    return { next: 'on-change' };
  }
}

function isKind(kind: string): kind is KindName {
  return Object.hasOwn(kinds, kind);
}
