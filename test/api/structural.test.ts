import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { guarded, mapBy, opaque, setOf, text, time } from '../../src/api/schema.ts';
import { type Structural, structural } from '../../src/api/structural.ts';
import { structureOf } from '../../src/api/structure.ts';

const form = { pattern: /^a\/[b-d]+$/, says: 'must be an a' };

describe('what zod says becomes what a CRD can hold', () => {
  test.each<[string, z.ZodType, Structural]>([
    [
      'a form becomes a rule with a sentence, and no pattern stays',
      text({ max: 5, form }),
      {
        type: 'string',
        maxLength: 5,
        'x-kubernetes-validations': [{ rule: "self.matches(r'^a/[b-d]+$')", message: 'must be an a' }],
      },
    ],
    [
      'a pattern without a rule stays, for the lint to find',
      z.string().regex(/^a$/),
      { type: 'string', pattern: '^a$' },
    ],
    ['an integer is an int64, without the bounds of JavaScript', z.int(), { type: 'integer', format: 'int64' }],
    ['its own bounds stay', z.int().min(1).max(9), { type: 'integer', format: 'int64', minimum: 1, maximum: 9 }],
    ['a time', time(), { type: 'string', format: 'date-time', pattern: expect.stringContaining('[Zz]') }],
    ['an object of unknown fields', opaque(), { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }],
    [
      'a set',
      setOf(z.boolean(), { max: 2 }),
      { type: 'array', maxItems: 2, 'x-kubernetes-list-type': 'set', items: { type: 'boolean' } },
    ],
    [
      'a list by key',
      mapBy('a', z.object({ a: z.boolean() }), { min: 1, max: 2 }),
      {
        type: 'array',
        minItems: 1,
        maxItems: 2,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['a'],
        items: { type: 'object', required: ['a'], properties: { a: { type: 'boolean' } } },
      },
    ],
    [
      'a default, in place of being required',
      z.object({ a: z.enum(['X', 'Y']).default('X'), b: z.boolean().exactOptional() }),
      { type: 'object', properties: { a: { type: 'string', enum: ['X', 'Y'], default: 'X' }, b: { type: 'boolean' } } },
    ],
  ])('%s', (_, schema, expected) => expect(structural(schema)).toEqual(expected));

  test('rules add up, and a description keeps them', () => {
    const [a, b] = ['a', 'b'].map(rule => ({ rule, message: rule }));
    const schema = guarded(guarded(z.boolean(), { rule: 'a', message: 'a' }).describe('A.'), {
      rule: 'b',
      message: 'b',
    });
    expect(structural(schema.exactOptional())).toEqual({
      type: 'boolean',
      description: 'A.',
      'x-kubernetes-validations': [a, b],
    });
  });

  test('a quote in a pattern cannot be written in CEL', () => {
    expect(() => text({ max: 5, form: { pattern: /'/, says: '' } })).toThrow('with a quote');
  });
});

describe('the structure of a schema', () => {
  const schema = z.object({
    short: text({ max: 2, form }).exactOptional(),
    list: setOf(z.string().max(1), { min: 1, max: 1 }).default(['d']),
    map: z.record(z.string(), z.string().max(1)).exactOptional(),
    inner: z
      .object({ one: z.boolean().exactOptional() })
      .refine(({ one }) => one !== false, 'not false')
      .exactOptional(),
    word: z.enum(['A']).exactOptional(),
    whole: z.int().min(5).exactOptional(),
  });
  const structure = structureOf(schema);

  test.each<[string, object, object]>([
    ['lengths and forms are not judged', { short: 'too long' }, { short: 'too long', list: ['d'] }],
    ['nor how many there are, and how long', { list: ['ab', 'c'] }, { list: ['ab', 'c'] }],
    ['nor the values of maps', { map: { a: 'bc' } }, { map: { a: 'bc' }, list: ['d'] }],
    ['nor ranges', { whole: 1 }, { whole: 1, list: ['d'] }],
    ['fields of another version are left out', { of: 'later', inner: { two: 2 } }, { inner: {}, list: ['d'] }],
  ])('%s', (_, value, expected) => expect(structure.parse(value)).toEqual(expected));

  test.each<[string, object]>([
    ['types', { short: 1 }],
    ['whole numbers', { whole: 1.5 }],
    ['words', { word: 'B' }],
    ['refinements', { inner: { one: false } }],
  ])('%s are judged', (_, value) => expect(structure.safeParse(value).success).toBe(false));

  test('the schema itself stays as strict as it was', () => {
    expect(schema.safeParse({ short: 'too long' }).success).toBe(false);
  });
});
