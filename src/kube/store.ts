import { Index } from './indexes.ts';
import { compareVersions, type Key, type KubeObject, keyOf } from './objects.ts';
import { Interned, slim } from './slim.ts';

/** before = undefined: new. after = undefined: gone. A delete-and-recreate that is seen at once is two changes. */
export interface Change<T> {
  before: T | undefined;
  after: T | undefined;
}

export type Listener<T> = (change: Change<T>) => void;

/**
 * The objects of one resource as the watch and own writes have shown them. It never goes back in time: not for a key,
 * whatever the order in which answers to own writes and events arrive. Plain state without I/O.
 *
 * It knows up to which resourceVersion the watch has delivered everything (`seen`). What is not newer than that, or not
 * newer than what it holds, tells it nothing. Objects are frozen.
 */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<Key, T>();
  readonly #unreadable = new Map<Key, KubeObject>();
  readonly #byUID = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, Index<T>>;
  /** What is known to be gone although the watch has not said so yet, with the version that was last held. */
  readonly #gone = new Map<Key, { uid: string; resourceVersion: string }>();
  readonly #listeners: Listener<T>[] = [];
  readonly #unreadableListeners: ((object: KubeObject) => void)[] = [];
  readonly #listenerFailed: (error: unknown) => void;
  readonly #interned = new Interned();
  #seen = '0';

  constructor(
    indexes: Record<string, (object: T) => readonly string[]> = {},
    listenerFailed: (error: unknown) => void = warnOf,
  ) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, valuesOf]) => [name, new Index(valuesOf)]));
    this.#listenerFailed = listenerFailed;
  }

  get(key: Key): T | undefined {
    return this.#objects.get(key);
  }

  /** Throws when there is no such index. */
  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new TypeError(`there is no index '${index}'`);
    return found.of(value);
  }

  byUID(uid: string): T | undefined {
    return this.#byUID.get(uid);
  }

  values(): Iterable<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  /** What is there under that name but could not be parsed: it is not absent, and must not be treated so. */
  unreadable(key: Key): KubeObject | undefined {
    return this.#unreadable.get(key);
  }

  /** All that is there and could not be parsed, with its metadata alone. */
  unreadables(): Iterable<KubeObject> {
    return this.#unreadable.values();
  }

  /** Everything up to this resourceVersion has been delivered; '0' before the first list. */
  get seen(): string {
    return this.#seen;
  }

  /** Told synchronously after each change, in the order of subscription. One that throws harms nobody. */
  onChange(listener: Listener<T>): void {
    this.#listeners.push(listener);
  }

  /** Told after an object was seen that cannot be parsed, and after such a one has gone. Who listens must not throw. */
  onUnreadable(listener: (object: KubeObject) => void): void {
    this.#unreadableListeners.push(listener);
  }

  /** What a live read showed and nobody can parse; by the rules of `put`. */
  putUnreadable(object: KubeObject): void {
    const newer = compareVersions(object.metadata.resourceVersion, this.#seen) > 0;
    if (newer && this.#isNewer(object)) this.#refuse(object);
  }

  /**
   * Takes over what an own write answered, so that the next reconcile reads its own writes. The answer to the patch that
   * takes off the last finalizer of a deleted object is its removal (the server gives it the version from before).
   */
  put(object: T): void {
    if (isGone(object)) this.remove(keyOf(object), object.metadata.uid);
    else if (compareVersions(object.metadata.resourceVersion, this.#seen) > 0 && this.#isNewer(object))
      this.#take(object);
  }

  /** An own DELETE was acknowledged as carried out, or a live GET of this very object said 404. Not for one that waits for finalizers. */
  remove(key: Key, uid: string): void {
    const held = this.#objects.get(key) ?? this.#unreadable.get(key);
    if (held?.metadata.uid !== uid) return;
    // Nothing that is still on its way may bring it back.
    this.#gone.set(key, { uid, resourceVersion: held.metadata.resourceVersion });
    this.#drop(key);
  }

  /** For the reflector: the watch showed an object new or changed. Undefined when it could not be parsed. */
  changed(object: KubeObject, parsed: T | undefined): void {
    if (!this.#advance(object.metadata.resourceVersion) || !this.#isNewer(object)) return;
    if (parsed === undefined) this.#refuse(object);
    else this.#take(parsed);
  }

  /** For the reflector: the watch showed that an object is gone, or no longer selected. */
  deleted(object: KubeObject): void {
    const { uid, resourceVersion } = object.metadata;
    if (!this.#advance(resourceVersion)) return;
    const key = keyOf(object);
    if (this.#gone.get(key)?.uid === uid) this.#gone.delete(key);
    const held = this.#objects.get(key) ?? this.#unreadable.get(key);
    if (held !== undefined && compareVersions(held.metadata.resourceVersion, resourceVersion) <= 0) this.#drop(key);
  }

  /** For the reflector: nothing else has happened up to here. */
  bookmark(resourceVersion: string): void {
    this.#advance(resourceVersion);
  }

  /** For the reflector: a complete list, and the version at which it was complete. */
  replace(objects: Iterable<{ object: KubeObject; parsed: T | undefined }>, resourceVersion: string): void {
    if (compareVersions(resourceVersion, this.#seen) < 0) this.#forget();
    const listed = new Set<Key>();
    const uids = new Set<string>();
    this.#seen = resourceVersion;
    for (const { object, parsed } of objects) {
      listed.add(keyOf(object));
      uids.add(object.metadata.uid);
      if (!this.#isNewer(object)) continue;
      if (parsed === undefined) this.#refuse(object);
      else this.#take(parsed);
    }
    this.#dropOthers(listed, resourceVersion);
    for (const [key, gone] of this.#gone) {
      if (!uids.has(gone.uid) && compareVersions(gone.resourceVersion, resourceVersion) <= 0) this.#gone.delete(key);
    }
  }

  #dropOthers(listed: ReadonlySet<Key>, listedAt: string): void {
    for (const each of [...this.#objects.values(), ...this.#unreadable.values()]) {
      const key = keyOf(each);
      // What is newer than the list is an own write that the list could not show yet.
      if (!listed.has(key) && compareVersions(each.metadata.resourceVersion, listedAt) <= 0) this.#drop(key);
    }
  }

  /** False when the watch had come past this version before: a repeated event tells nothing. */
  #advance(resourceVersion: string): boolean {
    if (compareVersions(resourceVersion, this.#seen) <= 0) return false;
    this.#seen = resourceVersion;
    return true;
  }

  #isNewer({ metadata }: KubeObject): boolean {
    const key = keyOf(metadata);
    const gone = this.#gone.get(key);
    // Also not an earlier object of that name, which the watch may still be about to show.
    if (gone && (gone.uid === metadata.uid || compareVersions(metadata.resourceVersion, gone.resourceVersion) <= 0)) {
      return false;
    }
    const held = this.#objects.get(key) ?? this.#unreadable.get(key);
    return held === undefined || compareVersions(metadata.resourceVersion, held.metadata.resourceVersion) > 0;
  }

  #take(object: T): void {
    const after = slim(object, this.#interned);
    const key = keyOf(after);
    const before = this.#objects.get(key);
    this.#unreadable.delete(key);
    this.#gone.delete(key);
    if (before !== undefined) this.#unlink(before);
    this.#objects.set(key, after);
    this.#byUID.set(after.metadata.uid, after);
    for (const index of this.#indexes.values()) index.add(after);
    if (before !== undefined && before.metadata.uid !== after.metadata.uid) {
      this.#tell({ before, after: undefined });
      this.#tell({ before: undefined, after });
    } else {
      this.#tell({ before, after });
    }
  }

  #refuse({ apiVersion, kind, metadata }: KubeObject): void {
    const key = keyOf(metadata);
    const object = slim({ apiVersion, kind, metadata }, this.#interned);
    this.#unreadable.delete(key);
    this.#drop(key);
    this.#unreadable.set(key, object);
    for (const listener of this.#unreadableListeners) listener(object);
  }

  #drop(key: Key): void {
    const unreadable = this.#unreadable.get(key);
    if (unreadable !== undefined) {
      this.#unreadable.delete(key);
      for (const listener of this.#unreadableListeners) listener(unreadable);
    }
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#unlink(before);
    this.#tell({ before, after: undefined });
  }

  #unlink(object: T): void {
    this.#byUID.delete(object.metadata.uid);
    for (const index of this.#indexes.values()) index.delete(object);
  }

  // A list older than what was seen means that etcd was restored from a backup: versions are counted anew, and what is
  // held compares with nothing any more.
  #forget(): void {
    this.#gone.clear();
    for (const key of [...this.#objects.keys(), ...this.#unreadable.keys()]) this.#drop(key);
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#listenerFailed(error);
      }
    }
  }
}

function isGone({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
}

function warnOf(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error('a listener threw something that is no error'));
}
