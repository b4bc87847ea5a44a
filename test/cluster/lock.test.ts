import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.ts';
import { eventually } from './wait.ts';

const timings = { beatMilliseconds: 5, deadMilliseconds: 60_000 };
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'botmint-lock-'));
  path = join(directory, 'lock');
});
afterEach(() => rm(directory, { recursive: true }));

test('lets one work at a time', async () => {
  let inside = 0;
  const most: number[] = [];
  const work = async () => {
    most.push(++inside);
    await new Promise(resolve => setTimeout(resolve, 2));
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(path, work, { timings })));
  expect(most).toEqual([1, 1, 1, 1, 1]);
});

test('tells once that it waits', async () => {
  const release = Promise.withResolvers<void>();
  const first = withLock(path, () => release.promise, { timings });
  await eventually('the lock is there', () => readFile(path, 'utf8'));
  let told = 0;
  const second = withLock(path, async () => 'done', {
    timings,
    onWait: () => {
      told++;
      release.resolve();
    },
  });
  await first;
  expect(await second).toBe('done');
  expect(told).toBe(1);
});

test('is free again after an error', async () => {
  await expect(withLock(path, () => Promise.reject(new Error('broken')), { timings })).rejects.toThrow('broken');
  expect(await withLock(path, async () => 'again', { timings })).toBe('again');
});

test('takes over from a holder that no longer shows signs of life', async () => {
  await writeFile(path, 'dead');
  await age();
  expect(await withLock(path, async () => 'taken', { timings })).toBe('taken');
});

test('a holder that works for long stays alive', async () => {
  const order: string[] = [];
  const release = Promise.withResolvers<void>();
  const first = withLock(path, () => release.promise.then(() => void order.push('first')), { timings });
  await eventually('the lock is there', () => readFile(path, 'utf8'));
  // Twice, because the first time may be that of its making.
  for (let i = 0; i < 2; i++) {
    await age();
    await eventually('a sign of life', async () => Date.now() - (await stat(path)).mtimeMs < timings.deadMilliseconds);
  }
  const second = withLock(path, async () => void order.push('second'), { timings, onWait: () => release.resolve() });
  await Promise.all([first, second]);
  expect(order).toEqual(['first', 'second']);
});

/** As if nobody had touched the lock for long. */
async function age(): Promise<void> {
  const past = new Date(Date.now() - 10 * timings.deadMilliseconds);
  await utimes(path, past, past);
}
