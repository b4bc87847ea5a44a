import { describe, expect, test } from 'vitest';
import { CopyAttempts, type End } from '../../src/controllers/copy-attempts.ts';

const start = new Date('2026-12-01T00:00:00Z');
const at = (seconds: number) => new Date(start.getTime() + seconds * 1000);
const place = { place: 'one', wanted: 'this' };
const done: End = { as: 'done' };
const failed: End = { as: 'failed', trouble: 'no' };
const moved: End = { as: 'moved', trouble: 'moved' };

/** The pause after each of them, in seconds; each is tried when it may be. */
function pauses(ends: readonly End[], attempts = new CopyAttempts()): number[] {
  let now = start;
  return ends.map(end => {
    attempts.note('uid', place, end, now);
    const next = attempts.get('uid', 'one')?.at ?? now;
    const pause = (next.getTime() - now.getTime()) / 1000;
    now = next;
    return pause;
  });
}

const times = (count: number, end: End) => Array.from({ length: count }, () => end);

describe('the pause', () => {
  test.each<[string, readonly End[], readonly number[]]>([
    ['grows with each refusal, to ten minutes', times(9, failed), [5, 10, 20, 40, 80, 160, 320, 600, 600]],
    ['does not grow beyond what is wished', times(6, { ...failed, mostSeconds: 60 }), [5, 10, 20, 40, 60, 60]],
    ['is none for the first who were faster', times(5, moved), [0, 0, 0, 5, 10]],
    ['grows for what is undone each time', times(5, done), [0, 0, 0, 5, 10]],
    ['begins anew after a success', [failed, failed, done, failed], [5, 10, 0, 10]],
  ])('%s', (_, ends, expected) => {
    expect(pauses(ends)).toEqual(expected);
  });

  test('begins anew for another end, and for what has held for long', () => {
    const attempts = new CopyAttempts();
    pauses(times(5, done), attempts);
    attempts.note('uid', { place: 'one', wanted: 'that' }, failed, start);
    expect(attempts.get('uid', 'one')).toMatchObject({ at: at(5), wanted: 'that', trouble: 'no' });
    attempts.note('uid', { place: 'one', wanted: 'that' }, failed, at(605));
    expect(attempts.get('uid', 'one')?.at).toEqual(at(610));
  });
});

describe('a change at the place', () => {
  test('lifts the pause of what failed there, and of nothing else', () => {
    const attempts = new CopyAttempts();
    for (const name of ['one', 'two']) attempts.note('uid', { place: name, wanted: 'this' }, failed, start);
    attempts.retry(name => name === 'one');
    expect(attempts.get('uid', 'one')).toBeUndefined();
    expect(attempts.get('uid', 'two')).toBeDefined();
  });

  test('does not lift the pause of what was done and undone', () => {
    const attempts = new CopyAttempts();
    pauses(times(5, done), attempts);
    attempts.retry(() => true);
    expect(attempts.get('uid', 'one')).toBeDefined();
  });

  test('nothing is kept of an object that is gone', () => {
    const attempts = new CopyAttempts();
    attempts.note('uid', place, failed, start);
    attempts.note('uid', { place: 'two', wanted: 'this' }, done, start);
    attempts.forgetPlaces(name => name === 'two');
    expect(attempts.get('uid', 'two')).toBeUndefined();
    expect(attempts.get('uid', 'one')).toBeDefined();
    attempts.forget('uid');
    expect(attempts.get('uid', 'one')).toBeUndefined();
  });
});
