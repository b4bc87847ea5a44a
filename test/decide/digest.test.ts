import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SecretValue } from '../../src/base/secret-value.ts';
import { differ, digestOf } from '../../src/decide/digest.ts';

const key = new SecretValue('the key of the operator');
const digest = (data: Record<string, string>, under = key) =>
  digestOf(new Map(Object.entries(data).map(([name, value]) => [name, new SecretValue(value)])), under);

test('the order of keys says nothing', () => {
  expect(digest({ a: '1', b: '2' })).toBe(digest({ b: '2', a: '1' }));
});

test.each<[string, Record<string, string>]>([
  ['another value', { a: '1', b: '3' }],
  ['another key', { a: '1', c: '2' }],
  ['one key more', { a: '1', b: '2', c: '' }],
  ['one key less', { a: '1' }],
  ['a border that moved', { a: '1b', '': '2' }],
])('%s makes them differ', (_, edited) => {
  expect(differ(digest(edited), digest({ a: '1', b: '2' }))).toBe(true);
});

test('different data never has one digest', () => {
  const data = fc.dictionary(fc.stringMatching(/^[a-z0-9:]{0,4}$/), fc.stringMatching(/^[a-z0-9:ü]{0,6}$/));
  fc.assert(
    fc.property(data, data, (a, b) => {
      fc.pre(!isDeepStrictEqual({ ...a }, { ...b }));
      expect(digest({ ...a })).not.toBe(digest({ ...b }));
    }),
  );
});

test('from digests under different keys nothing is concluded', () => {
  const other = digest({ a: '1' }, new SecretValue('the key after that was lost'));
  expect(other).not.toBe(digest({ a: '1' }));
  expect(differ(other, digest({ a: '2' }))).toBe(false);
});

test('neither the data nor the key shows', () => {
  expect(digest({ a: 'value' })).not.toMatch(/value|operator/);
});
