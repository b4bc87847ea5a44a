import { expect, test } from 'vitest';
import * as z from 'zod';
import { issuerSpec, issuerTypes } from '../../src/api/cluster-token-issuer.ts';
import { structural } from '../../src/api/structural.ts';
import { jwt } from './sample.ts';

const registry = {
  schema: z.object({ service: z.string().max(253).describe('-') }).describe('-'),
  limits: ['scopes'],
} as const;
const spec = issuerSpec({ ...issuerTypes, registry });

test('a type that is added to the table is a field, and everything that goes with a type follows', () => {
  const { properties, 'x-kubernetes-validations': rules } = structural(spec);
  expect(Object.keys(properties ?? {})).toEqual(['jwt', 'registry', 'allowedNamespaces', 'limits']);
  expect(rules).toEqual([
    {
      rule: '[has(self.jwt), has(self.registry)].exists_one(t, t)',
      message: 'exactly one type of issuer must be set, out of: jwt, registry',
    },
    {
      rule: 'has(self.jwt) == has(oldSelf.jwt) && has(self.registry) == has(oldSelf.registry)',
      message: 'the type of an issuer is immutable: make a new issuer',
    },
    {
      rule: '!has(self.limits.identities) || !has(self.registry)',
      message: 'limits.identities means nothing for an issuer of type registry',
      fieldPath: '.limits.identities',
    },
  ]);
});

test.each<[string, object, boolean]>([
  ['one of them', { registry: { service: 'r' } }, true],
  ['the other', { jwt }, true],
  ['both', { jwt, registry: { service: 'r' } }, false],
  ['none', {}, false],
])('an issuer with %s', (_, value, accepted) => expect(spec.safeParse(value).success).toBe(accepted));
