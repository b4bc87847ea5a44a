import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { earliest, endOf, renewalTime } from '../../src/decide/times.ts';

const issuedAt = new Date('2026-11-01T00:00:00Z');
const after = (seconds: number) => new Date(issuedAt.getTime() + seconds * 1000);
const life = (seconds: number) => ({ issuedAt, expiresAt: after(seconds) });
const secondsUntil = (time: Date) => (time.getTime() - issuedAt.getTime()) / 1000;

test.each([
  ['10m', 600],
  ['90d', 90 * 86_400],
  ['1mo', 30 * 86_400],
])('a credential of %s ends after %i seconds', (expiresIn, seconds) =>
  expect(endOf(issuedAt, expiresIn)).toEqual(after(seconds)),
);

test('a credential of `never` has no end', () => expect(endOf(issuedAt, 'never')).toBeUndefined());

// With rotation the CRD asks for 10 minutes at least.
const lifetimes = fc.integer({ min: 600, max: 99_999 * 86_400 });
const renewBefore = fc.option(
  fc.integer({ min: 1, max: 99_999 }).map(days => `${days}h`),
  { nil: undefined },
);

test('a renewal is due in the second half of the life, whatever renewBefore says', () => {
  fc.assert(
    fc.property(lifetimes, renewBefore, fc.uuid(), (seconds, ahead, uid) => {
      const due = secondsUntil(renewalTime(life(seconds), ahead, uid));
      expect(due).toBeGreaterThanOrEqual(Math.floor(seconds / 2));
      expect(due).toBeLessThan(seconds);
    }),
  );
});

test('left out, renewBefore is a third of the life, and jitter brings it forward by a tenth at most', () => {
  fc.assert(
    fc.property(lifetimes, fc.uuid(), (seconds, uid) => {
      const ahead = seconds - secondsUntil(renewalTime(life(seconds), undefined, uid));
      expect(ahead).toBeGreaterThanOrEqual(Math.floor(seconds / 3));
      expect(ahead).toBeLessThanOrEqual(seconds / 3 + seconds / 10 + 1);
    }),
  );
});

test('renewBefore is kept at least: jitter never makes a renewal late', () => {
  const due = secondsUntil(renewalTime(life(86_400), '6h', 'any'));
  expect(due).toBeLessThanOrEqual(18 * 3600);
  expect(due).toBeGreaterThan(18 * 3600 - 8641);
});

test('jitter is the same after every restart, and spreads a fleet that was created at once', () => {
  const due = (uid: string) => renewalTime(life(90 * 86_400), undefined, uid).getTime();
  expect(due('a')).toBe(due('a'));
  const hours = new Set(Array.from({ length: 100 }, (_, n) => Math.floor(due(`uid-${n}`) / 3_600_000)));
  expect(hours.size).toBeGreaterThan(50);
});

test('a renewal is due at a whole second, as Kubernetes writes times', () => {
  fc.assert(
    fc.property(lifetimes, fc.uuid(), (seconds, uid) => {
      expect(renewalTime(life(seconds), undefined, uid).getMilliseconds()).toBe(0);
    }),
  );
});

test('the earliest of some times leaves out those that are missing', () => {
  expect(earliest(undefined, after(2), after(1))).toEqual(after(1));
  expect(earliest(undefined)).toBeUndefined();
});
