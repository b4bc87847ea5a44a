import { expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { neededKeys } from '../../src/decide/needed-keys.ts';
import { fresh, later, madeFrom, now, served, withStatus } from './healthy.ts';

// The token was made on 2026-11-01; the key that its record names is key-1.
const retired = (kid: string, since: string) => ({
  kid,
  publicJWK: {},
  state: 'Retired' as const,
  since,
  secretName: kid,
});
const before = retired('old', '2026-10-01T00:00:00Z');
const meanwhile = retired('other', '2026-11-15T00:00:00Z');
const crowded = (revokeAt: string) => withStatus({ previous: [{ tokenID: 'any', revokeAt }] });
const unknown = withStatus({ issued: { inputs: { format: 99 }, secret: { name: 'deploy', uid: 'secret-uid' } } });

test.each<[string, BotToken[], ReturnType<typeof retired>, boolean]>([
  ['that a record names is', [fresh, served], retired('key-1', later(-60)), true],
  ['that no record names is not', [fresh, served], meanwhile, false],
  [
    'that another issuer’s record names is not',
    [madeFrom({ issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'other' } }).token],
    retired('key-1', later(-60)),
    false,
  ],
  ['of before a token with a superseded credential is not', [crowded(later(60))], before, false],
  ['that such a token may have been signed with is', [crowded(later(60))], meanwhile, true],
  ['is not once the superseded credential has ended', [crowded(later(-60))], meanwhile, false],
  ['is where a record cannot be read', [unknown], before, true],
])('a retired key %s needed', (_, tokens, key, expected) =>
  expect(neededKeys(tokens, 'issuer-uid', now)(key)).toBe(expected),
);
