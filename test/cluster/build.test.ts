import { homedir } from 'node:os';
import { expect, test } from 'vitest';
import { cacheDirectory, goVersion } from './build.ts';

test.each([
  ['go version go1.26.8 linux/amd64', [1, 26]],
  ['go version go1.9 darwin/arm64', [1, 9]],
  ['go version go1.27rc1 linux/amd64', [1, 27]],
  ['go version devel +4d2ac72 linux/amd64', undefined],
])('%s', (answer, expected) => expect(goVersion(answer)).toEqual(expected));

test.each([
  [{ XDG_CACHE_HOME: '/cache' }, '/cache/botmint'],
  [{ XDG_CACHE_HOME: '' }, `${homedir()}/.cache/botmint`],
  [{}, `${homedir()}/.cache/botmint`],
])('the cache lies where the user keeps caches', (environment, expected) =>
  expect(cacheDirectory(environment)).toBe(expected),
);
