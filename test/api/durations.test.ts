import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duration, lifetime, parseDuration } from '../../src/api/durations.ts';

test.each<[string, number | 'never']>([
  ['1s', 1],
  ['10m', 600],
  ['24h', 86_400],
  ['90d', 7_776_000],
  ['1mo', 2_592_000],
  ['999mo', 2_589_408_000],
  ['never', 'never'],
])('%s is %s seconds', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

test.each(['', '1', 'd', '1 d', '1y', '-1d', '1.5h'])('%j is refused', text => {
  expect(() => parseDuration(text)).toThrow(RangeError);
});

test('whatever a field accepts can be computed with, and ends before JavaScript cannot count any more', () => {
  const unit = fc.constantFrom('s', 'm', 'h', 'd', 'mo', 'y', '');
  const text = fc.oneof(
    fc.tuple(fc.integer({ min: -1, max: 200_000 }), unit).map(([n, u]) => `${n}${u}`),
    fc.string(),
  );
  fc.assert(
    fc.property(text, value => {
      if (!duration().safeParse(value).success) return;
      const seconds = parseDuration(value);
      expect(seconds).toBeGreaterThan(0);
      const end = new Date(Date.UTC(2100, 0) + Number(seconds) * 1000);
      expect(Number.isNaN(end.getTime())).toBe(false);
    }),
  );
});

test('only a lifetime may be without end', () => {
  expect(lifetime().safeParse('never').success).toBe(true);
  expect(duration().safeParse('never').success).toBe(false);
});
