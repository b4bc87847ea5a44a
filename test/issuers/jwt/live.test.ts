import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BotToken } from '../../../src/api/bot-token.ts';
import type { BotUser } from '../../../src/api/bot-user.ts';
import type { BotTokenClaims } from '../../../src/issuers/jwt/claims.ts';
import { type Evidence, isLive } from '../../../src/issuers/jwt/live.ts';
import * as healthy from './healthy.ts';
import { claims, deleting, later, naming, now, recordedID, tokenUID } from './healthy.ts';

const next = `${tokenUID}.4.nextNonce0000000`;
const old = `${tokenUID}.2.oldNonce00000000`;
const recordedElse = `${tokenUID}.3.anotherNonce0000`;
const seen: Evidence = { token: healthy.token, botUser: healthy.botUser, issuer: healthy.issuer };
const named = (jti: string): BotTokenClaims => ({ ...claims, jti });
const spec = (change: Partial<BotToken['spec']>): BotToken => ({
  ...healthy.token,
  spec: { ...healthy.token.spec, ...change },
});
const status = (change: NonNullable<BotToken['status']>): BotToken => ({
  ...healthy.token,
  status: { ...healthy.token.status, ...change },
});
const user = (change: Partial<BotUser['spec']>): BotUser => ({
  ...healthy.botUser,
  spec: { ...healthy.botUser.spec, ...change },
});
const withUID = <T extends { metadata: object }>(object: T, uid: string): T => ({
  ...object,
  metadata: { ...object.metadata, uid },
});
const overlap = (revokeAt: string) => status({ previous: [{ tokenID: old, revokeAt }] });
const { exp: _, ...withoutEnd } = claims;

test.each<[string, BotTokenClaims, Evidence, true | string]>([
  ['the recorded token', claims, {}, true],
  ['a token without an end', withoutEnd, {}, true],
  ['a superseded token in its overlap', named(old), { token: overlap(later(1)) }, true],
  ['a token whose overlap ends now', named(old), { token: overlap(later(0)) }, 'Superseded'],
  ['a token whose overlap cannot be read', named(old), { token: overlap('soon') }, 'Superseded'],
  ['a superseded token without an overlap', named(old), {}, 'Superseded'],
  ['another signing of the recorded revision', named(recordedElse), {}, 'Superseded'],
  ['the same, when the Secret names it', named(recordedElse), { secret: naming(recordedElse) }, 'Superseded'],
  ['an old token that is in the Secret again', named(old), { secret: naming(old) }, 'Superseded'],
  ['the next token, not recorded yet, in the Secret', named(next), { secret: naming(next) }, true],
  ['the first token, before any record', named(next), { token: noStatus(), secret: naming(next) }, true],
  ['the next token, when the Secret is not known', named(next), {}, 'unread'],
  ['the next token, when the Secret names another', named(next), { secret: naming(recordedID) }, 'unread'],
  ['the next token in a Secret of another object', named(next), { secret: naming(next, 'other') }, 'unread'],
  ['the next token in a Secret without annotations', named(next), { secret: { metadata: {} } }, 'unread'],
  ['a BotToken that is not known', claims, { token: undefined }, 'unread'],
  ['a BotToken of that name with another UID', claims, { token: withUID(healthy.token, 'other') }, 'unread'],
  ['a BotToken on its way out', claims, { token: deleting(healthy.token) }, 'BotTokenDeleted'],
  ['a BotToken on its way out, its BotUser not known', claims, dying(), 'BotTokenDeleted'],
  ['a revoked BotToken, though it is still recorded', claims, { token: spec({ revoked: true }) }, 'Revoked'],
  ['a BotToken that says it is not revoked', claims, { token: spec({ revoked: false }) }, true],
  ['a BotUser that is not known', claims, { botUser: undefined }, 'unread'],
  ['a BotUser of that name with another UID', claims, { botUser: withUID(healthy.botUser, 'other') }, 'unread'],
  ['a BotUser on its way out', claims, { botUser: deleting(healthy.botUser) }, 'BotUserDeleted'],
  ['a BotUser that is disabled', claims, { botUser: user({ disabled: true }) }, 'BotUserDisabled'],
  ['a BotUser that is enabled again', claims, { botUser: user({ disabled: false }) }, true],
  ['a BotUser that ends now', claims, { botUser: user({ notAfter: later(0) }) }, 'BotUserEnded'],
  ['a BotUser that ends later', claims, { botUser: user({ notAfter: later(1) }) }, true],
  ['an issuer that is gone', claims, { issuer: undefined }, 'IssuerNotFound'],
  ['an issuer on its way out, which waits for its credentials', claims, { issuer: deleting(healthy.issuer) }, true],
  [
    'a token id of another object',
    named(`other.3.nonce`),
    { token: status({ tokenID: 'other.3.nonce' }) },
    'TokenIDInvalid',
  ],
  ['a token id in no known form', named('7'), { token: status({ tokenID: '7' }) }, 'TokenIDInvalid'],
])('%s', (_, given, change, expected) => {
  const result = isLive(given, { ...seen, ...change }, now);
  expect(result.live === false ? result.because : result.live).toBe(expected);
});

test('a token ends in the very second of its exp, whatever else is known', () => {
  const end = (claims.exp ?? 0) * 1000;
  expect(isLive(claims, seen, new Date(end - 1))).toEqual({ live: true });
  expect(isLive(claims, seen, new Date(end))).toEqual({ live: false, because: 'Expired' });
  expect(isLive(claims, {}, new Date(end))).toEqual({ live: false, because: 'Expired' });
  expect(isLive(withoutEnd, seen, new Date(end * 10))).toEqual({ live: true });
});

function noStatus(): BotToken {
  const { status: _, ...rest } = healthy.token;
  return { ...rest, status: { observedGeneration: -1 } };
}

function dying(): Evidence {
  return { token: deleting(healthy.token), botUser: undefined };
}

// A small world, all of it: three revisions with two signings each, any record, any overlap, any Secret, and every way to be gone.
describe('in every state of a small world', () => {
  const ids = [1, 2, 3].flatMap(revision => ['a', 'b'].map(nonce => `${tokenUID}.${revision}.${nonce}`));
  const records = [undefined, ...ids];
  const secrets = [undefined, ...ids, 'foreign'];
  const ends = ['none', 'revoked', 'token', 'botUser', 'issuer', 'issuerGone', 'expired'] as const;
  type End = (typeof ends)[number];
  const stands = (end: End) => end === 'none' || end === 'issuer';

  function evidence(recorded: string | undefined, previous: string | undefined, secret: string | undefined, end: End) {
    const token = status({
      revision: recorded === undefined ? 0 : Number(recorded.split('.')[1]),
      ...(previous === undefined ? {} : { previous: [{ tokenID: previous, revokeAt: later(60) }] }),
    });
    const { tokenID: _, ...rest } = token.status ?? {};
    const recordedStatus = recorded === undefined ? rest : { ...rest, tokenID: recorded };
    const made = { ...token, spec: { ...token.spec, revoked: end === 'revoked' }, status: recordedStatus };
    return {
      token: end === 'token' ? deleting(made) : made,
      botUser: end === 'botUser' ? deleting(healthy.botUser) : healthy.botUser,
      issuer: end === 'issuerGone' ? undefined : end === 'issuer' ? deleting(healthy.issuer) : healthy.issuer,
      secret: secret === 'foreign' ? naming('x', 'other') : secret === undefined ? undefined : naming(secret),
    };
  }

  function eachState(
    check: (jti: string, state: { recorded?: string; previous?: string; secret?: string; end: End }) => void,
  ) {
    for (const jti of ids)
      for (const recorded of records)
        for (const previous of records)
          for (const secret of secrets)
            for (const end of ends)
              check(jti, {
                ...(recorded === undefined ? {} : { recorded }),
                ...(previous === undefined ? {} : { previous }),
                ...(secret === undefined ? {} : { secret }),
                end,
              });
  }
  const revisionOf = (id: string | undefined) => Number(id?.split('.')[1] ?? 0);
  const judge = (jti: string, { recorded, previous, secret, end }: Parameters<Parameters<typeof eachState>[0]>[1]) =>
    isLive(
      named(jti),
      evidence(recorded, previous, secret, end),
      end === 'expired' ? new Date('2027-01-30T00:00:00Z') : now,
    );

  test('a token is live exactly when it is recorded, in its overlap, or ahead of the record in the Secret', () => {
    let states = 0;
    eachState((jti, state) => {
      const standing =
        jti === state.recorded ||
        jti === state.previous ||
        (jti === state.secret && revisionOf(jti) > revisionOf(state.recorded));
      if ((judge(jti, state).live === true) !== (standing && stands(state.end)))
        expect.fail(JSON.stringify({ jti, state }));
      states++;
    });
    expect(states).toBe(6 * 7 * 7 * 8 * 7);
  });

  test('only a revision ahead of the record is asked for again, and nothing is that is over', () => {
    eachState((jti, state) => {
      if (judge(jti, state).live !== 'unread') return;
      if (revisionOf(jti) <= revisionOf(state.recorded) || !stands(state.end))
        expect.fail(JSON.stringify({ jti, state }));
    });
  });

  test('no Secret and no cache that lags can bring back what an older cache called dead', () => {
    eachState((jti, state) => {
      const { secret: _, ...cached } = state;
      if (judge(jti, cached).live === false && judge(jti, state).live !== false)
        expect.fail(JSON.stringify({ jti, state }));
    });
  });
});

test('any text may stand in jti', () => {
  fc.assert(
    fc.property(
      fc.string(),
      jti => isLive(named(jti), { ...seen, secret: naming(jti) }, now).live !== true || jti === recordedID,
    ),
  );
});
