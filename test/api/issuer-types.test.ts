import { expect, test } from 'vitest';
import * as z from 'zod';
import { issuerSpec, issuerTypes } from '../../src/api/cluster-token-issuer.ts';
import { structural } from '../../src/api/structural.ts';
import { jwt } from './sample.ts';

const quay = {
  schema: z.object({ service: z.string().max(253).describe('-') }).describe('-'),
  limits: ['scopes'],
} as const;
const spec = issuerSpec({ jwt: issuerTypes.jwt, quay });

test('a type that is added to the table is a field, and everything that goes with a type follows', () => {
  const { properties, 'x-kubernetes-validations': rules } = structural(spec);
  expect(Object.keys(properties ?? {})).toEqual(['jwt', 'quay', 'allowedNamespaces', 'limits']);
  expect(rules?.slice(0, 2)).toEqual([
    {
      rule: '[has(self.jwt), has(self.quay)].exists_one(t, t)',
      message: 'exactly one type of issuer must be set, out of: jwt, quay',
    },
    {
      rule: 'has(self.jwt) == has(oldSelf.jwt) && has(self.quay) == has(oldSelf.quay)',
      message: 'the type of an issuer is immutable: make a new issuer',
    },
  ]);
  expect(rules?.filter(({ fieldPath }) => ['.limits.scopes', '.limits.identities'].includes(fieldPath ?? ''))).toEqual([
    {
      rule: '!has(self.limits.identities) || !has(self.quay)',
      message: 'limits.identities means nothing for an issuer of type quay',
      fieldPath: '.limits.identities',
    },
  ]);
});

test.each<[string, object, boolean]>([
  ['one of them', { quay: { service: 'r' } }, true],
  ['the other', { jwt }, true],
  ['both', { jwt, quay: { service: 'r' } }, false],
  ['none', {}, false],
])('an issuer with %s', (_, value, accepted) => expect(spec.safeParse(value).success).toBe(accepted));
