import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/kube/objects.ts';
import { type Change, Store } from '../../src/kube/store.ts';

interface Thing extends KubeObject {
  color?: string;
}

describe('what the store holds', () => {
  test('is found by key, UID and index, and under each only as long as it is so', () => {
    const store = new Store<Thing>({ color: thing => (thing.color === undefined ? [] : [thing.color]) });
    store.put(thing('a', 1, { color: 'red' }));
    store.put(thing('b', 2, { color: 'red' }));
    expect(store.byIndex('color', 'red').map(nameOf)).toEqual(['a', 'b']);
    store.put(thing('a', 3, { color: 'blue' }));
    expect(store.byIndex('color', 'red').map(nameOf)).toEqual(['b']);
    expect(store.byUID('uid-a')?.color).toBe('blue');
    store.remove('ns/b', 'uid-b');
    expect([store.byIndex('color', 'red'), store.byUID('uid-b'), store.get('ns/b'), store.size]).toEqual([
      [],
      undefined,
      undefined,
      1,
    ]);
    expect(() => store.byIndex('size', 'red')).toThrow(TypeError);
  });

  test('cannot be written to', () => {
    const store = new Store<Thing>();
    store.put(thing('a', 1, {}, { labels: { a: 'b' } }));
    const held = store.get('ns/a');
    expect(() => Object.assign(held?.metadata.labels ?? {}, { a: 'c' })).toThrow(TypeError);
    expect(() => Object.assign(held ?? {}, { color: 'red' })).toThrow(TypeError);
  });

  test('has no managedFields and no copy of what was applied', () => {
    const store = new Store<Thing>();
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', kept: 'yes' };
    store.put(thing('a', 1, {}, { annotations, managedFields: [{ manager: 'kubectl' }] }));
    expect(JSON.stringify(store.get('ns/a'))).not.toMatch(/managedFields|last-applied/);
    expect(store.get('ns/a')?.metadata.annotations).toEqual({ kept: 'yes' });
  });
});

describe('what cannot be parsed', () => {
  test('is told when it is seen and when it goes, and is in the list in between', () => {
    const { store } = listed(5);
    const told: string[] = [];
    store.onUnreadable(({ metadata }) => told.push(`${metadata.resourceVersion} ${[...store.unreadables()].length}`));
    store.changed(thing('a', 6), undefined);
    store.changed(thing('a', 7), undefined);
    store.deleted(thing('a', 8));
    store.putUnreadable(thing('a', 8)); // a late answer
    store.putUnreadable(thing('b', 9));
    store.changed(thing('b', 10), thing('b', 10));
    expect(told).toEqual(['6 1', '7 1', '7 0', '9 1']);
    expect([store.unreadable('ns/b'), store.size]).toEqual([undefined, 1]);
  });
});

describe('own writes', () => {
  test('are there at once, and the event about them changes nothing', () => {
    const { store, changes } = listed(5);
    store.put(thing('a', 7));
    expect(changes()).toEqual([[undefined, '7']]);
    store.changed(thing('a', 7), thing('a', 7));
    expect(changes()).toEqual([]);
  });

  test('are ignored once the watch has come past them', () => {
    const { store, changes } = listed(5);
    store.bookmark('9');
    store.put(thing('a', 9));
    expect([store.size, changes()]).toEqual([0, []]);
  });

  test('survive a list that is older', () => {
    const { store } = listed(5);
    store.put(thing('a', 9));
    store.replace([], '8');
    expect(store.get('ns/a')).toBeDefined();
    store.replace([], '9');
    expect(store.get('ns/a')).toBeUndefined();
  });

  test('hold against an event and a deletion that are older', () => {
    const { store } = listed(5, thing('a', 5));
    store.put(thing('a', 9));
    store.changed(thing('a', 6), thing('a', 6));
    store.deleted(thing('a', 7)); // it lost the label that is selected by, and has it again since 8
    expect(versionOf(store)).toBe('9');
  });

  test('that took the last finalizer off a deleted object are its end', () => {
    const { store, changes } = listed(5, thing('a', 5));
    store.changed(thing('a', 7), thing('a', 7));
    expect(changes()).toEqual([['5', '7']]);
    store.put(thing('a', 7, {}, { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [] }));
    expect(changes()).toEqual([['7', undefined]]);
    store.put(thing('a', 6));
    store.deleted(thing('a', 8));
    expect([store.size, changes()]).toEqual([0, []]);
  });
});

describe('own deletions', () => {
  test('are not undone by events that were still on their way', () => {
    const { store, changes } = listed(5, thing('a', 5));
    store.remove('ns/a', 'uid-a');
    store.changed(thing('a', 6), thing('a', 6));
    store.replace([{ object: thing('a', 6), parsed: thing('a', 6) }], '6');
    store.put(thing('a', 7));
    expect([store.size, changes()]).toEqual([0, [['5', undefined]]]);
  });

  test('leave another object of that name alone', () => {
    const { store } = listed(5, thing('a', 5));
    store.remove('ns/a', 'uid-other');
    expect(store.size).toBe(1);
  });

  test('do not stand in the way of a new object of that name', () => {
    const { store } = listed(5, thing('a', 5));
    store.remove('ns/a', 'uid-a');
    store.put(thing('a', 8, {}, { uid: 'uid-new' }));
    store.deleted(thing('a', 7));
    expect(store.get('ns/a')?.metadata.uid).toBe('uid-new');
  });
});

describe('events and lists', () => {
  test('a delete-and-recreate that is seen at once is two changes', () => {
    const { store, changes } = listed(5, thing('a', 5));
    const anew = thing('a', 8, {}, { uid: 'uid-new' });
    store.replace([{ object: anew, parsed: anew }], '8');
    expect(changes()).toEqual([
      ['5', undefined],
      [undefined, '8'],
    ]);
    expect(store.byUID('uid-a')).toBeUndefined();
  });

  test('a repeated event brings nothing back', () => {
    const { store } = listed(5);
    store.changed(thing('a', 6), thing('a', 6));
    store.deleted(thing('a', 7));
    store.changed(thing('a', 6), thing('a', 6));
    expect(store.size).toBe(0);
  });

  test('a list from before what was seen (etcd restored from a backup) is believed', () => {
    const { store } = listed(50, thing('a', 40), thing('b', 41));
    const restored = thing('a', 30);
    store.replace([{ object: restored, parsed: restored }], '35');
    expect([store.size, versionOf(store)]).toEqual([1, '30']);
    store.changed(thing('a', 36), thing('a', 36));
    expect(versionOf(store)).toBe('36');
  });
});

describe('objects that cannot be parsed', () => {
  test('are not held but not absent either, until they can be or are gone', () => {
    const { store, changes } = listed(5, thing('a', 5));
    store.changed(thing('a', 6), undefined);
    expect([store.get('ns/a'), store.unreadable('ns/a')?.metadata.resourceVersion]).toEqual([undefined, '6']);
    expect(changes()).toEqual([['5', undefined]]);
    store.changed(thing('a', 7), thing('a', 7));
    expect([versionOf(store), store.unreadable('ns/a')]).toEqual(['7', undefined]);
    store.changed(thing('a', 8), undefined);
    store.deleted(thing('a', 9));
    expect(store.unreadable('ns/a')).toBeUndefined();
  });

  test('are dropped by a list that has them no more', () => {
    const { store } = listed(5);
    store.replace([{ object: thing('a', 6), parsed: undefined }], '6');
    expect(store.unreadable('ns/a')).toBeDefined();
    store.replace([], '7');
    expect(store.unreadable('ns/a')).toBeUndefined();
  });
});

test('a listener that throws harms neither the store nor the others', () => {
  const failed: unknown[] = [];
  const store = new Store<Thing>({}, error => failed.push(error));
  const told: unknown[] = [];
  store.onChange(() => {
    throw new Error('broken');
  });
  store.onChange(change => told.push(change.after?.metadata.name));
  store.put(thing('a', 1));
  expect([failed.length, told, store.size]).toEqual([1, ['a'], 1]);
});

function listed(resourceVersion: number, ...things: Thing[]) {
  const store = new Store<Thing>();
  store.replace(
    things.map(each => ({ object: each, parsed: each })),
    `${resourceVersion}`,
  );
  let told: Change<Thing>[] = [];
  store.onChange(change => told.push(change));
  /** The versions before and after of each change since the last call. */
  const changes = () => {
    const seen = told.map(({ before, after }) => [before?.metadata.resourceVersion, after?.metadata.resourceVersion]);
    told = [];
    return seen;
  };
  return { store, changes };
}

function thing(name: string, version: number, of: { color?: string } = {}, metadata: object = {}): Thing {
  const base = { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion: `${version}`, creationTimestamp: '' };
  return { metadata: { ...base, ...metadata }, ...of };
}

function nameOf(of: Thing): string {
  return of.metadata.name;
}

function versionOf(store: Store<Thing>): string | undefined {
  return store.get('ns/a')?.metadata.resourceVersion;
}
