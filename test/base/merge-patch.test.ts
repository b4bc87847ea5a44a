import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergePatch } from '../../src/base/merge-patch.ts';
import { applyMergePatch } from './apply-merge-patch.ts';

test.each<[string, object | undefined, object, object | undefined]>([
  ['nothing for equal objects', { a: 1, b: { c: [1] } }, { b: { c: [1] }, a: 1 }, undefined],
  ['a new key', {}, { a: 1 }, { a: 1 }],
  ['a changed key and not its neighbor', { a: 1, b: 1 }, { a: 1, b: 2 }, { b: 2 }],
  ['null for a key that is gone', { a: 1, b: 1 }, { a: 1 }, { b: null }],
  ['null for a key that is undefined now', { a: 1 }, { a: undefined }, { a: null }],
  ['nothing for an undefined key that was not there', { a: 1 }, { a: 1, b: undefined }, undefined],
  ['nothing for an undefined key further down', { a: { b: 1 } }, { a: { b: 1, c: undefined } }, undefined],
  ['only what differs further down', { a: { b: 1, c: 1 } }, { a: { b: 1, c: 2 } }, { a: { c: 2 } }],
  ['whole arrays', { a: [1, 2] }, { a: [1] }, { a: [1] }],
  ['an object in the place of an array', { a: [1] }, { a: { b: 1 } }, { a: { b: 1 } }],
  ['everything where there was nothing', undefined, { a: { b: 1 } }, { a: { b: 1 } }],
  ['null for a key that every object inherits', { constructor: 'x' }, {}, { constructor: null }],
])('holds %s', (_, from, to, patch) => expect(mergePatch(from, to)).toEqual(patch));

const json = fc.letrec<{ value: unknown; object: object }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('', 'x', 0, 1, true),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'constructor', 'toString'), tie('value'), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
})).object;

test('applied to the one object it gives the other', () => {
  fc.assert(
    fc.property(json, json, (from, to) => {
      expect(applyMergePatch(from, mergePatch(from, to) ?? {})).toEqual(to);
    }),
  );
});

test('is there only when something changes', () => {
  fc.assert(
    fc.property(json, from => {
      expect(mergePatch(from, structuredClone(from))).toBeUndefined();
    }),
  );
});
