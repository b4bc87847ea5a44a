import { expect, test } from 'vitest';
import { nextRetry, recordedRetry } from '../../src/decide/retry.ts';
import { later, now } from './healthy.ts';

test.each<[number | undefined, number, number]>([
  [undefined, 0, 5],
  [1, 0, 10],
  [7, 0, 600],
  [500, 0, 600],
  [1, 90, 90],
  [1, 86_400, 600],
])('after %s failures and a wish for %s s it waits %s s', (attempts, notBefore, seconds) => {
  const before = attempts === undefined ? undefined : { attempts };
  expect(nextRetry(before, 'WriteRefused', now, notBefore)).toEqual({
    attempts: (attempts ?? 0) + 1,
    at: later(seconds),
    reason: 'WriteRefused',
  });
});

test.each<[number, boolean]>([
  [-86_400, true],
  [600, true],
  [601, false],
])('a time in %s s is believed: %s', (seconds, believed) => {
  const at = later(seconds);
  expect(recordedRetry({ at }, now)).toEqual(believed ? new Date(at) : undefined);
});
