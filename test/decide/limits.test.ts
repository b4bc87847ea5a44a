import { expect, test } from 'vitest';
import { type Ask, excessOf, type Limits, matches } from '../../src/decide/limits.ts';

test.each<[string, string, boolean]>([
  ['orders:read', 'orders:read', true],
  ['orders:read', 'orders:*', true],
  ['orders:read', '*', true],
  ['', '*', true],
  ['orders:read', '*:read', true],
  ['orders:read', 'o*s:*d', true],
  ['orders:read', '*orders:read*', true],
  ['orders:read', 'orders', false],
  ['xorders:read', 'orders:*', false],
  ['orders:readx', '*:read', false],
  ['orders.read', 'orders?read', false],
  ['ordersXread', 'orders.read', false],
  ['Orders:read', 'orders:*', false],
  ['aba', 'ab*ba', false],
  ['abba', 'ab*ba', true],
  ['aba', '*ab*ba*', false],
  ['a\nb', 'a*', true],
  ['team-a:read', '{namespace}:*', true],
  ['team-b:read', '{namespace}:*', false],
  ['team-a/team-a', '{namespace}/{namespace}', true],
  ['(a+)+$', '(a+)+$', true],
])('%j against %j: %s', (text, glob, says) => expect(matches(text, glob, 'team-a')).toBe(says));

test('a glob of many stars is matched in no time', () => {
  expect(matches('a'.repeat(250), `${'*a'.repeat(100)}b`, 'team-a')).toBe(false);
});

const modest: Ask = {
  namespace: 'team-a',
  expiresIn: '30d',
  scopes: ['orders:read'],
  identities: [{ service: 'github', id: 'acme-ci' }],
};
const open: Limits = { scopes: ['*'], identities: ['*'] };

test.each<[string, Partial<Ask>, Limits, ReturnType<typeof excessOf>]>([
  ['allows what is within', {}, { maxLifetime: '90d', scopes: ['orders:*'], identities: ['github/acme-*'] }, undefined],
  ['allows the ceiling itself', { expiresIn: '1mo' }, { ...open, maxLifetime: '30d' }, undefined],
  [
    'refuses a longer life',
    { expiresIn: '31d' },
    { ...open, maxLifetime: '30d' },
    { field: 'spec.expiresIn', wish: '31d', ceiling: 'limits.maxLifetime 30d' },
  ],
  [
    'refuses a life without an end under any ceiling',
    { expiresIn: 'never' },
    { ...open, maxLifetime: '999mo' },
    { field: 'spec.expiresIn', wish: 'never', ceiling: 'limits.maxLifetime 999mo' },
  ],
  ['allows a life without an end without a ceiling', { expiresIn: 'never' }, open, undefined],
  [
    'takes a list that is left out for one that allows nothing',
    {},
    { identities: ['*'] },
    { field: 'spec.scopes', wish: 'orders:read', ceiling: 'limits.scopes []' },
  ],
  ['asks for no ceiling where nothing is wished', { scopes: [], identities: [] }, {}, undefined],
  [
    'names the wish that is above, not the first one',
    { scopes: ['orders:read', 'orders:write'] },
    { ...open, scopes: ['orders:read', 'stock:*'] },
    { field: 'spec.scopes', wish: 'orders:write', ceiling: 'limits.scopes [orders:read, stock:*]' },
  ],
  [
    'measures identities as service/id',
    {},
    { ...open, identities: ['gitlab/*'] },
    { field: "the BotUser's spec.identities", wish: 'github/acme-ci', ceiling: 'limits.identities [gitlab/*]' },
  ],
  ['knows {namespace}', { scopes: ['team-a:x'] }, { ...open, scopes: ['{namespace}:*'] }, undefined],
])('%s', (_, ask, limits, excess) => expect(excessOf({ ...modest, ...ask }, limits)).toEqual(excess));
