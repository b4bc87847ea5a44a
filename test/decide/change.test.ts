import { expect, test } from 'vitest';
import { botTokens } from '../../src/decide/bot-token.ts';
import type { Change } from '../../src/decide/change.ts';
import type { TokenWish } from '../../src/decide/grant.ts';
import { inputs } from './healthy.ts';

const { username, issuer, botUser, expiresIn, audiences, scopes, identities } = inputs;
const same: TokenWish = {
  username,
  issuer: { ...issuer, kind: 'ClusterTokenIssuer' },
  botUser,
  expiresIn,
  audiences,
  audiencesDefaulted: true,
  scopes,
  identities,
  notAfter: undefined,
  rotate: undefined,
  replace: undefined,
  withdrawnKeys: [],
};
const github = { service: 'github', id: 'acme-ci' };

test.each<[string, Partial<TokenWish>, Change]>([
  ['the same', {}, 'none'],
  ['a stop of the key that signed it', { withdrawnKeys: ['key-0', 'key-1'] }, 'replaced'],
  ['a stop of another key', { withdrawnKeys: ['key-0'] }, 'none'],
  ['a scope more', { scopes: [...scopes, 'orders:read'] }, 'widened'],
  ['a scope less', { scopes: ['modules:read'] }, 'narrowed'],
  ['a scope for another', { scopes: ['modules:read', 'orders:read'] }, 'narrowed'],
  ['no scope', { scopes: [] }, 'narrowed'],
  ['scopes in another order', { scopes: scopes.toReversed() }, 'none'],
  ['an audience more', { audiences: [...audiences, 'https://more'], audiencesDefaulted: false }, 'widened'],
  ['another audience', { audiences: ['https://other'], audiencesDefaulted: false }, 'narrowed'],
  ['another default of the issuer', { audiences: ['https://other'] }, 'none'],
  ['an identity more', { identities: [github, { service: 'gitlab', id: 'acme' }] }, 'widened'],
  ['no identity', { identities: [] }, 'narrowed'],
  ['another id in a service', { identities: [{ service: 'github', id: 'other' }] }, 'narrowed'],
  ['a longer life', { expiresIn: '91d' }, 'widened'],
  ['a shorter life', { expiresIn: '89d' }, 'narrowed'],
  ['a life without an end', { expiresIn: 'never' }, 'widened'],
  ['the same life in another unit', { expiresIn: '3mo' }, 'none'],
  ['another username', { username: 'another' }, 'narrowed'],
  ['an issuer that was made anew', { issuer: { ...same.issuer, uid: 'another' } }, 'narrowed'],
  ['a bot that was made anew', { botUser: { ...botUser, uid: 'another' } }, 'narrowed'],
  ['more of one thing and less of another', { scopes: [...scopes, 'x'], expiresIn: '1d' }, 'narrowed'],
])('%s', (_, wish, change) => expect(botTokens.changeOf(inputs, { ...same, ...wish })).toBe(change));

test.each<[string, string, Change]>([
  ['from never to an end', '90d', 'narrowed'],
  ['from never to never', 'never', 'none'],
])('a life %s', (_, wish, change) => {
  expect(botTokens.changeOf({ ...inputs, expiresIn: 'never' }, { ...same, expiresIn: wish })).toBe(change);
});

test('fields of a later version are not looked at', () => {
  const newer = { ...inputs, robotID: 7, botUser: { ...botUser, more: true } };
  expect(botTokens.changeOf(newer, same)).toBe('none');
});
