import type { Client } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { withFinalizer, withoutFinalizer } from '../kube/finalizer.ts';
import { type KubeObject, keyOf, type Ref, type Resource, rawOf, readableOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';

/**
 * The objects of one kind as they are worked on: written at the resourceVersion that a decision saw, with every answer in
 * the cache at once, so that the next look reads its own writes.
 */
export class Kept<T extends KubeObject> {
  readonly #client: Client;
  readonly #resource: Resource<T>;
  readonly #store: Store<T>;

  constructor(client: Client, resource: Resource<T>, store: Store<T>) {
    this.#client = client;
    this.#resource = resource;
    this.#store = store;
  }

  /**
   * The object of the moment, read live, into the cache: after a conflict, or before something that cannot be undone. One
   * that cannot be read is kept as that: it is not absent.
   */
  async refresh(ref: Ref, signal: AbortSignal): Promise<void> {
    keepLive(this.#store, this.#resource, ref, await this.#client.get(rawOf(this.#resource), ref, { signal }));
  }

  /** A merge patch. False when the object has moved: what it is now is in the cache then, and the next look decides anew. */
  async patch(object: T, body: object, signal: AbortSignal, subresource?: 'status'): Promise<boolean> {
    const { resourceVersion } = object.metadata;
    try {
      const options = { signal, resourceVersion, ...(subresource === undefined ? {} : { subresource }) };
      this.#store.put(await this.#client.patch(this.#resource, object.metadata, body, options));
      return true;
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      await this.refresh(object.metadata, signal);
      return false;
    }
  }

  /** The same for the status. */
  patchStatus(object: T, status: object, signal: AbortSignal): Promise<boolean> {
    return this.patch(object, { status }, signal, 'status');
  }

  /** Puts the finalizer on, beside those of others. */
  async finalize(object: T, finalizer: string, signal: AbortSignal): Promise<void> {
    const body = withFinalizer(object, finalizer);
    if (body !== undefined) await this.patch(object, body, signal);
  }

  /** Takes the finalizer off, the last write for an object that goes. True when it was done; the cache lets go of the ghost. */
  async release(object: T, finalizer: string, signal: AbortSignal): Promise<boolean> {
    const body = withoutFinalizer(object, finalizer);
    if (body === undefined || !(await this.patch(object, body, signal))) return false;
    const after = this.#store.get(keyOf(object));
    if ((after?.metadata.finalizers ?? []).length === 0) this.#store.remove(keyOf(object), object.metadata.uid);
    return true;
  }
}

/** Puts what a live read has shown into the cache. The object if there is one and it can be read. */
export function keepLive<T extends KubeObject>(
  store: Store<T>,
  resource: Resource<T>,
  ref: Ref,
  live: KubeObject | undefined,
): T | undefined {
  const cached = store.get(keyOf(ref)) ?? store.unreadable(keyOf(ref));
  const readable = live && readableOf(resource, live);
  if (readable !== undefined) store.put(readable);
  else if (live !== undefined) store.putUnreadable(live);
  else if (cached !== undefined) store.remove(keyOf(ref), cached.metadata.uid);
  return readable;
}
