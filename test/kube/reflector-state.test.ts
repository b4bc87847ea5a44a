import { describe, expect, test } from 'vitest';
import { KubeError } from '../../src/kube/errors.ts';
import { type KubeObject, MalformedObject, parseKubeObject, type Resource } from '../../src/kube/objects.ts';
import { ReflectorState } from '../../src/kube/reflector-state.ts';
import { Store } from '../../src/kube/store.ts';

describe('listing', () => {
  test('takes the pages over all at once, at the version of the first one', () => {
    const { state, store } = fresh();
    expect(state.next()).toEqual({ do: 'list', continue: undefined });
    state.page({ items: [thing('a', 3)], resourceVersion: '10', continue: 'more' });
    expect(state.listEnded(undefined, 1)).toBe(0);
    expect([state.next(), store.size, state.proofs]).toEqual([{ do: 'list', continue: 'more' }, 0, 0]);
    state.page({ items: [thing('b', 4)], resourceVersion: '10' });
    expect([state.next(), store.size, store.seen]).toEqual([{ do: 'watch', resourceVersion: '10' }, 2, '10']);
    expect(state.proofs).toBe(1);
  });

  test('begins anew when the place to go on from has expired', () => {
    const { state, store } = fresh();
    state.page({ items: [thing('a', 3)], resourceVersion: '10', continue: 'more' });
    expect(state.listEnded(gone, 1)).toBe(0);
    expect(state.next()).toEqual({ do: 'list', continue: undefined });
    state.page({ items: [thing('b', 4)], resourceVersion: '20' });
    expect([store.get('ns/a'), store.get('ns/b')?.metadata.name]).toEqual([undefined, 'b']);
  });

  test('goes on with the same page after any other failure', () => {
    const { state } = fresh();
    state.page({ items: [], resourceVersion: '10', continue: 'more' });
    expect(state.listEnded(new Error('reset'), 1)).toBe(100);
    expect(state.next()).toEqual({ do: 'list', continue: 'more' });
  });

  test('takes nothing of a page that is malformed', () => {
    const { state, store } = fresh();
    expect(() => state.page({ items: [thing('a', 3), {}], resourceVersion: '10' })).toThrow(MalformedObject);
    state.page({ items: [thing('b', 3)], resourceVersion: '10' });
    expect([...store.values()].map(each => each.metadata.name)).toEqual(['b']);
  });
});

describe('watching', () => {
  test('follows the events and goes on from the last of them', () => {
    const { state, store } = watching();
    state.line(event('ADDED', thing('a', 11)));
    state.line(event('MODIFIED', thing('a', 12)));
    expect(store.get('ns/a')?.metadata.resourceVersion).toBe('12');
    state.line(event('DELETED', thing('a', 13)));
    expect([store.size, state.next()]).toEqual([0, { do: 'watch', resourceVersion: '13' }]);
  });

  test('goes on from a bookmark', () => {
    const { state } = watching();
    state.line(event('BOOKMARK', { metadata: { resourceVersion: '15' } }));
    expect(state.next()).toEqual({ do: 'watch', resourceVersion: '15' });
  });

  test('does not go back to the bookmark of a server whose cache lags', () => {
    const { state } = watching();
    const { proofs } = state;
    state.line(event('BOOKMARK', { metadata: { resourceVersion: '8' } }));
    expect([state.next(), state.proofs]).toEqual([{ do: 'watch', resourceVersion: '10' }, proofs]);
  });

  test('lists anew at an event that says 410', () => {
    const { state } = watching();
    const error = thrown(() => state.line(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' })));
    expect(state.watchEnded({ error, proofs: 0, share: 0 }, 1)).toBe(0);
    expect(state.next()).toEqual({ do: 'list', continue: undefined });
  });

  test('does not relist in a hot loop when that leads nowhere', () => {
    const { state } = watching();
    const pauses = [1, 2, 3].map(() => {
      const pause = state.watchEnded({ error: gone, proofs: 0, share: 0 }, 1);
      state.page({ items: [], resourceVersion: '10' });
      return pause;
    });
    expect(pauses).toEqual([0, 200, 400]);
  });

  test('keeps its place after any other error event', () => {
    const { state } = watching();
    const error = thrown(() => state.line(event('ERROR', { kind: 'Status', code: 500, message: 'etcd' })));
    expect(error).toMatchObject({ status: 500, message: 'etcd' });
    expect(state.watchEnded({ error, proofs: 0, share: 0 }, 1)).toBe(100);
    expect(state.next()).toEqual({ do: 'watch', resourceVersion: '10' });
  });

  test.each([
    ['no JSON', '{"type":"ADDED"'],
    ['no event', '{"kind":"Status"}'],
    ['an event of tomorrow', event('MOVED', thing('a', 11))],
    ['an event about nothing', event('ADDED', {})],
    ['a bookmark to nowhere', event('BOOKMARK', { metadata: {} })],
  ])('stops at a line that is %s, and stays where it was', (_, line) => {
    const { state } = watching();
    expect(thrown(() => state.line(line))).toBeInstanceOf(MalformedObject);
    expect(state.next()).toEqual({ do: 'watch', resourceVersion: '10' });
  });
});

describe('the end of a watch', () => {
  test('in order, after its time: goes on at once, and that is a proof', () => {
    const { state } = watching();
    const { proofs } = state;
    expect(state.watchEnded({ error: undefined, proofs: 0, share: 1.01 }, 1)).toBe(0);
    expect([state.next(), state.proofs]).toEqual([{ do: 'watch', resourceVersion: '10' }, proofs + 1]);
  });

  test('in order, early, with news: goes on at once', () => {
    const { state } = watching();
    const { proofs } = state;
    expect(state.watchEnded({ error: undefined, proofs: 1, share: 0.5 }, 1)).toBe(0);
    expect(state.proofs).toBe(proofs);
  });

  test('in order, early, without news: waits ever longer, so that a server which only hangs up is not hammered', () => {
    const { state } = watching();
    const ended = () => state.watchEnded({ error: undefined, proofs: 0, share: 0.01 }, 1);
    expect([ended(), ended(), ended()]).toEqual([100, 200, 400]);
  });

  test('with errors: waits up to 30 s, half of it jitter, until something comes', () => {
    const { state } = watching();
    const ended = (random: number) => state.watchEnded({ error: new Error('reset'), proofs: 0, share: 0 }, random);
    const pauses = Array.from({ length: 12 }, () => ended(1));
    expect(pauses.slice(0, 3).concat(pauses.slice(-3))).toEqual([100, 200, 400, 30_000, 30_000, 30_000]);
    expect(ended(0)).toBe(15_000);
    state.line(event('BOOKMARK', { metadata: { resourceVersion: '15' } }));
    expect(ended(1)).toBe(100);
  });
});

test('an object that cannot be parsed is reported, and the watch goes on', () => {
  const { state, store, refused } = watching();
  state.line(event('ADDED', { ...thing('a', 11), color: 'unknown' }));
  state.line(event('ADDED', thing('b', 12)));
  expect(refused).toEqual(['a']);
  expect([store.get('ns/a'), store.unreadable('ns/a')?.metadata.uid, store.size]).toEqual([undefined, 'uid-a', 1]);
});

const gone = KubeError.of(410, { kind: 'Status', reason: 'Expired', message: 'too old' }, undefined);

function fresh() {
  const store = new Store<KubeObject>();
  const refused: string[] = [];
  const state = new ReflectorState(things, store, object => refused.push(object.metadata.name));
  return { state, store, refused };
}

function watching() {
  const all = fresh();
  all.state.page({ items: [], resourceVersion: '10' });
  return all;
}

const things: Resource = {
  group: '',
  version: 'v1',
  plural: 'things',
  kind: 'Thing',
  namespaced: true,
  parse: value => {
    const object = parseKubeObject(value);
    if (object.color === 'unknown') throw new TypeError('a color of tomorrow');
    return object;
  },
};

function thing(name: string, version: number): KubeObject {
  const resourceVersion = `${version}`;
  return { metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion, creationTimestamp: '' } };
}

function event(type: string, object: object): string {
  return JSON.stringify({ type, object });
}

function thrown(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
