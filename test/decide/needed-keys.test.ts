import { describe, expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import { neededKeys, type TokenSeen } from '../../src/decide/needed-keys.ts';
import { wantedMetadata } from '../../src/decide/secret-metadata.ts';
import { fresh, inputs, later, madeFrom, now, served, uid, withStatus } from './healthy.ts';

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
const elsewhere = madeFrom({ issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'other' } }).token;
const crowded = (revokeAt: string, token?: BotToken) => withStatus({ previous: [{ tokenID: 'any', revokeAt }] }, token);
const lostElsewhere = withStatus({ previous: [{ tokenID: 'any', revokeAt: later(60) }], issuerUID: 'other' }, fresh);
const unknown = withStatus({ issued: { inputs: { format: 99 }, secret: { name: 'deploy', uid: 'secret-uid' } } });

const day = 24 * 3600;
const ended = (seconds: number) => madeFrom({ expiresAt: later(seconds) }).token;

test.each<[string, BotToken[], ReturnType<typeof retired>, boolean]>([
  ['that a record names is', [fresh, served], retired('key-1', later(-60)), true],
  ['that no record names is not', [fresh, served], meanwhile, false],
  ['that another issuer’s record names is not', [elsewhere], retired('key-1', later(-60)), false],
  ['of a credential that has just ended is: the clock may be wrong', [ended(-60)], retired('key-1', later(-60)), true],
  ['of a credential that ended a day ago is not', [ended(-day - 1)], retired('key-1', later(-60)), false],
  ['of before a token with a superseded credential is not', [crowded(later(60))], before, false],
  ['that such a token may have been signed with is', [crowded(later(60))], meanwhile, true],
  ['is while the clock may be wrong about its end', [crowded(later(-60))], meanwhile, true],
  ['is not once the superseded credential has ended', [crowded(later(-day - 1))], meanwhile, false],
  ['is not for a superseded credential of another issuer', [crowded(later(60), elsewhere)], meanwhile, false],
  ['is for one that lives on without a record', [crowded(later(60), fresh)], meanwhile, true],
  ['is not for one that another issuer has lost', [lostElsewhere], meanwhile, false],
  ['is where a record cannot be read', [unknown], before, true],
])('a retired key %s needed', (_, tokens, key, expected) => {
  const seen = tokens.map(token => ({ token, secret: undefined }));
  expect(neededKeys(seen, 'issuer-uid', now)(key)).toBe(expected);
});

describe('a Secret that is ahead of the record', () => {
  const ahead = (keyID: string, format = 1): TokenSeen['secret'] => {
    const marks = { revision: 4, tokenID: `${uid}.4.nonce`, inputs: { ...inputs, keyID, format } as typeof inputs };
    return wantedMetadata({ kind: botTokens, object: served }, marks);
  };
  const needs = (token: BotToken, secret: TokenSeen['secret']) =>
    neededKeys([{ token, secret }], 'issuer-uid', now)(retired('key-2', later(-60)));

  test('names its key as a record does', () => {
    expect(needs(served, ahead('key-2'))).toBe(true);
    expect(needs(fresh, ahead('key-2'))).toBe(true);
    expect(needs(served, ahead('key-3'))).toBe(false);
  });

  test('may name any key when it cannot be read', () => expect(needs(served, ahead('key-3', 99))).toBe(true));
});
