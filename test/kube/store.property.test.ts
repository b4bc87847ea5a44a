import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions, type KubeObject } from '../../src/kube/objects.ts';
import { Store } from '../../src/kube/store.ts';

/** What happens on the server: each write gets the next resourceVersion. */
type Write = { key: 'a' | 'b'; do: 'create' | 'update' | 'delete' | 'finish' };
/** What the store is told: the watch goes on by one, the answer to a write of ours comes late or early, a list is made. */
type Told = { tell: 'event' } | { tell: 'answer'; of: number } | { tell: 'relist'; back: number };

interface Entry {
  type: 'changed' | 'deleted';
  object: KubeObject;
}

const writes = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b'), do: fc.constantFrom('create', 'update', 'delete', 'finish') }),
  { maxLength: 14 },
);
const tellings = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ tell: fc.constant('event' as const) }) },
    { weight: 4, arbitrary: fc.record({ tell: fc.constant('answer' as const), of: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ tell: fc.constant('relist' as const), back: fc.nat(3) }) },
  ),
  { maxLength: 40 },
);

test('whatever the order of answers, events and lists: never back in time, and at the end as the server is', () => {
  fc.assert(
    fc.property(writes, tellings, (written, told) => {
      const history = historyOf(written);
      const store = new Store<KubeObject>();
      const times = new Map<string, bigint>();
      const watched = new Watch(store, history);
      for (const each of told) {
        tell(watched, each);
        for (const key of ['a', 'b']) neverBack(times, store, history, key);
      }
      watched.drain();
      expect(stateOf(store)).toEqual(stateAt(history, history.length));
    }),
    { numRuns: 3000 },
  );
});

/** Each state of a key, absence too, is explained by the earliest moment of the history that is not before the last one. */
function neverBack(times: Map<string, bigint>, store: Store<KubeObject>, history: readonly Entry[], key: string): void {
  const held = store.get(key);
  const before = times.get(key) ?? 0n;
  const now = held === undefined ? absence(history, key, before) : BigInt(held.metadata.resourceVersion);
  expect(now !== undefined && now >= before, `${key} went from ${before} back to ${now}`).toBe(true);
  times.set(key, now ?? before);
}

/** The first moment from `before` on at which there was nothing under the key. */
function absence(history: readonly Entry[], key: string, before: bigint): bigint | undefined {
  const own = history.filter(each => each.object.metadata.name === key);
  const at = own.filter(each => BigInt(each.object.metadata.resourceVersion) <= before).at(-1);
  if (at === undefined || at.type === 'deleted') return before;
  const next = own.find(each => each.type === 'deleted' && BigInt(each.object.metadata.resourceVersion) > before);
  return next && BigInt(next.object.metadata.resourceVersion);
}

class Watch {
  readonly store: Store<KubeObject>;
  readonly history: readonly Entry[];
  at = 0;

  constructor(store: Store<KubeObject>, history: readonly Entry[]) {
    this.store = store;
    this.history = history;
    store.replace([], '1');
  }

  event(): void {
    const entry = this.history[this.at];
    if (entry === undefined) return;
    this.at++;
    if (entry.type === 'deleted') this.store.deleted(entry.object);
    else this.store.changed(entry.object, entry.object);
  }

  drain(): void {
    while (this.at < this.history.length) this.event();
  }

  /** A list of some moment that is not before what the watch has shown. */
  relist(back: number): void {
    const at = Math.max(this.at, this.history.length - back);
    const objects = Object.values(objectsAt(this.history, at)).map(object => ({ object, parsed: object }));
    this.store.replace(objects, versionAt(this.history, at));
    this.at = at;
  }
}

function tell(watched: Watch, each: Told): void {
  if (each.tell === 'event') watched.event();
  else if (each.tell === 'relist') watched.relist(each.back);
  else answer(watched, each.of);
}

/** An answer says what the write made of the object; a DELETE's answer says only that it is gone. */
function answer({ store, history }: Watch, of: number): void {
  const entry = history[of % Math.max(1, history.length)];
  if (entry === undefined) return;
  if (entry.type === 'deleted') store.remove(entry.object.metadata.name, entry.object.metadata.uid);
  else store.put(entry.object);
}

function historyOf(written: readonly Write[]): Entry[] {
  const held = new Map<string, KubeObject>();
  const entries: Entry[] = [];
  let version = 1;
  for (const write of written) {
    const entry = entryOf(write, held.get(write.key), version + 1);
    if (entry === undefined) continue;
    version++;
    entries.push(entry);
    if (entry.type === 'deleted') held.delete(write.key);
    else held.set(write.key, entry.object);
  }
  return entries;
}

/** `delete` asks for it while a finalizer is there; `finish` removes the object for good. */
function entryOf(write: Write, held: KubeObject | undefined, version: number): Entry | undefined {
  const resourceVersion = `${version}`;
  if (write.do === 'create') {
    if (held !== undefined) return undefined;
    const metadata = { name: write.key, uid: `uid-${version}`, resourceVersion, creationTimestamp: '' };
    return { type: 'changed', object: { metadata } };
  }
  if (held === undefined) return undefined;
  const metadata = { ...held.metadata, resourceVersion };
  if (write.do === 'finish') return { type: 'deleted', object: { metadata } };
  const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['f'] };
  return { type: 'changed', object: { metadata: write.do === 'delete' ? { ...metadata, ...deleting } : metadata } };
}

function objectsAt(history: readonly Entry[], at: number): Record<string, KubeObject> {
  const objects: Record<string, KubeObject> = {};
  for (const { type, object } of history.slice(0, at)) {
    if (type === 'deleted') delete objects[object.metadata.name];
    else objects[object.metadata.name] = object;
  }
  return objects;
}

function versionAt(history: readonly Entry[], at: number): string {
  return history[at - 1]?.object.metadata.resourceVersion ?? '1';
}

function stateAt(history: readonly Entry[], at: number): Record<string, string> {
  return versions(Object.values(objectsAt(history, at)));
}

function stateOf(store: Store<KubeObject>): Record<string, string> {
  return versions([...store.values()]);
}

function versions(objects: readonly KubeObject[]): Record<string, string> {
  const sorted = [...objects].sort((a, b) => compareVersions(a.metadata.resourceVersion, b.metadata.resourceVersion));
  return Object.fromEntries(
    sorted.map(({ metadata }) => [metadata.name, `${metadata.uid}@${metadata.resourceVersion}`]),
  );
}
