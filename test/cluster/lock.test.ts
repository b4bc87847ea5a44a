import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from './lock.ts';

const timings = { beatMilliseconds: 5, deadMilliseconds: 2_000 };
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
  await expect.poll(() => readFile(path, 'utf8')).toMatch(/./);
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
  const past = new Date(Date.now() - 10_000);
  await utimes(path, past, past);
  expect(await withLock(path, async () => 'taken', { timings })).toBe('taken');
});

test('a holder that works for long stays alive', async () => {
  const short = { beatMilliseconds: 5, deadMilliseconds: 100 };
  const order: string[] = [];
  const release = Promise.withResolvers<void>();
  const first = withLock(path, () => release.promise.then(() => void order.push('first')), { timings: short });
  await expect.poll(() => readFile(path, 'utf8')).toMatch(/./);
  const second = withLock(path, async () => void order.push('second'), { timings: short });
  setTimeout(() => release.resolve(), 400);
  await Promise.all([first, second]);
  expect(order).toEqual(['first', 'second']);
});
