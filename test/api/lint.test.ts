import { expect, test } from 'vitest';
import { schemaOf } from '../../src/api/crd.ts';
import { kinds } from '../../src/api/kinds.ts';
import { lint } from '../../src/api/lint.ts';
import type { Structural } from '../../src/api/structural.ts';

const text = { type: 'string', maxLength: 5, description: 'A text.' } as const satisfies Structural;
const object = (field: object): Structural => ({
  type: 'object',
  properties: { field: { description: 'A field.', ...field } },
});
const list = (items: object, rest: object = {}) =>
  object({ type: 'array', maxItems: 3, 'x-kubernetes-list-type': 'atomic', items, ...rest });
const rule = (of: object) => ({ 'x-kubernetes-validations': [{ rule: 'true', message: 'm', ...of }] });

test.each<[string, object, string]>([
  ['a reference', { $ref: '#' }, '.field: $ref cannot stand in a CRD'],
  ['a union', { ...text, anyOf: [] }, '.field: anyOf cannot stand in a CRD'],
  ['a type that is none', { type: 'null' }, '.field: type "null" is not one of'],
  ['no type', {}, '.field: type undefined is not one of'],
  ['a format that nobody knows', { ...text, format: 'uuid' }, '.field: the API server does not know format uuid'],
  ['a text without end', { type: 'string' }, '.field: has no maxLength'],
  ['a field that is not explained', { ...text, description: '' }, '.: field has no description'],
  ['a pattern without a sentence', { ...text, pattern: '^a$' }, '.field: pattern ^a$ has no CEL rule'],
  ['an object of nothing', { type: 'object' }, '.field: needs either properties or additionalProperties'],
  [
    'fields and others',
    { type: 'object', properties: {}, additionalProperties: text, maxProperties: 1 },
    '.field: needs either',
  ],
  ['a map without end', { type: 'object', additionalProperties: text }, '.field: has no maxProperties'],
  [
    'a map of texts without end',
    { type: 'object', maxProperties: 1, additionalProperties: { type: 'string' } },
    '.field{}: has no maxLength',
  ],
  ['required and not there', { type: 'object', properties: {}, required: ['x'] }, '.field: requires x'],
  ['a rule with lookaround', { ...text, ...rule({ rule: "self.matches('(?=a)')" }) }, '.field: RE2 does not know'],
  ['a message of two lines', { ...text, ...rule({ message: 'a\nb' }) }, '.field: message of true is not one line'],
  ['a rule about a field that is not there', { ...text, ...rule({ fieldPath: '.x' }) }, '.field: there is no field .x'],
])('%s is found', (_, field, problem) => {
  expect(lint(object(field)).join('\n')).toContain(problem);
});

test.each<[string, Structural, string]>([
  ['without end', list(text, { maxItems: undefined }), '.field: has no maxItems'],
  [
    'of no stated type',
    list(text, { 'x-kubernetes-list-type': undefined }),
    '.field: does not say its x-kubernetes-list-type',
  ],
  ['that is a map without keys', list(text, { 'x-kubernetes-list-type': 'map' }), '.field: is a map without keys'],
  [
    'whose key may be missing',
    list(object(text), { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['field'] }),
    '.field: its key field is not required',
  ],
  [
    'of objects as a set',
    list(object(text), { 'x-kubernetes-list-type': 'set' }),
    '.field: is a set of something else',
  ],
  ['with a default inside', list(object({ ...text, default: 'a' })), '.field: has a default inside its items'],
  [
    'with a transition rule inside',
    list({ ...text, ...rule({ rule: 'self == oldSelf' }) }),
    '.field: oldSelf below a set or an atomic list',
  ],
])('a list %s is found', (_, schema, problem) => {
  expect(lint(schema).join('\n')).toContain(problem);
});

test.each(kinds)('nothing is found in $kind', kind => expect(lint(schemaOf(kind))).toEqual([]));
