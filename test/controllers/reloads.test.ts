import { expect, test } from 'vitest';
import { Reloads } from '../../src/controllers/reloads.ts';
import { eventually } from '../cluster/wait.ts';
import { silent } from '../kube/local-server.ts';

/** Loads are noted; those of a name in `failing` fail. */
function world() {
  const failing = new Set<string>();
  const loaded: string[] = [];
  const load = async (what: string) => {
    loaded.push(what);
    if (failing.has(what)) throw new Error('unreachable');
  };
  const reloads = new Reloads<string>({ load, name: 'test', log: silent });
  const stopping = new AbortController();
  return { failing, loaded, reloads, stopping, signal: stopping.signal };
}

test('what has moved is loaded once, by whoever comes first', async () => {
  const { loaded, reloads, signal } = world();
  reloads.add('a');
  reloads.add('b');
  reloads.add('a');
  expect(await reloads.loadAll(signal)).toBe(true);
  expect(await reloads.loadAll(signal)).toBe(true);
  expect(loaded).toEqual(['a', 'b']);
});

test('what failed is tried again, and holds nothing else up', async () => {
  const { failing, loaded, reloads, stopping, signal } = world();
  failing.add('a');
  reloads.add('a');
  reloads.add('b');
  expect(await reloads.loadAll(signal)).toBe(false);
  expect(loaded).toEqual(['a', 'b']);
  failing.clear();
  const running = reloads.run(signal);
  await eventually('it has been loaded', () => loaded.length === 3);
  stopping.abort();
  await running;
});

test('it goes on after what moves later, also when somebody else loads beside it', async () => {
  const { loaded, reloads, stopping, signal } = world();
  const running = reloads.run(signal);
  for (const what of ['a', 'b', 'c']) {
    await reloads.loadAll(signal);
    reloads.add(what);
    await eventually('it has been loaded', () => loaded.includes(what));
  }
  stopping.abort();
  await running;
  expect(loaded).toEqual(['a', 'b', 'c']);
});
