import { describe, expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { decide } from '../../src/decide/credential.ts';
import {
  absent,
  botUser,
  deleting,
  finalized,
  gone,
  issuer,
  later,
  madeFrom,
  now,
  type Situation,
  secret,
  seen,
  served,
  withSpec,
} from './healthy.ts';
import { message, recorded, told } from './told.ts';

const at = (seconds: number) => new Date(later(seconds));

describe('what an issuer allows', () => {
  const closed = { ...issuer, spec: { ...issuer.spec, limits: { ...issuer.spec.limits, scopes: ['modules:read'] } } };
  const noNamespace = { ...issuer, spec: { ...issuer.spec, allowedNamespaces: { from: 'None' as const } } };
  const older = {
    ...botUser,
    metadata: { ...botUser.metadata, name: 'first', creationTimestamp: '2026-10-01T00:00:00Z' },
  };
  const more = withSpec({ scopes: ['modules:read', 'modules:write', 'orders:all'] });

  test.each<[string, Partial<Situation>, string, RegExp]>([
    [
      'a wish above a ceiling is refused',
      { token: finalized, secret: absent, issuer: closed },
      'Ready=False, Stalled=True, ExceedsIssuerLimit',
      /spec.scopes asks for modules:write, ClusterTokenIssuer builtin allows limits.scopes \[modules:read\]: ask for less/,
    ],
    [
      'a ceiling that came later takes nothing away',
      { issuer: closed },
      'Ready=True, ExceedsIssuerLimit',
      /^nothing more is issued: spec.scopes asks for modules:write/,
    ],
    [
      'a spec that asks for more than allowed is not served, though a credential is in force',
      { token: more },
      'Ready=False, Stalled=True, ExceedsIssuerLimit',
      /orders:all/,
    ],
    [
      'a credential that is lost is not made again above a ceiling',
      { issuer: closed, secret: gone },
      'Ready=False, Stalled=True, ExceedsIssuerLimit',
      /modules:write/,
    ],
    [
      'an audience that the issuer does not have is refused',
      { token: withSpec({ audiences: ['https://evil'] }, finalized), secret: absent },
      'Ready=False, Stalled=True, ExceedsIssuerLimit',
      /spec.audiences asks for https:\/\/evil/,
    ],
    [
      'a namespace that is not allowed gets nothing',
      { token: finalized, secret: absent, issuer: noNamespace },
      'Ready=False, Stalled=True, NamespaceNotAllowed',
      /does not allow the namespace team-a/,
    ],
    ['a namespace that was allowed keeps what it has', { issuer: noNamespace }, 'Ready=True, NamespaceNotAllowed', /./],
    [
      'a bot whose username is taken gets nothing',
      { token: finalized, secret: absent, rivals: [older] },
      'Ready=False, Stalled=True, BotUserNotReady',
      /the older BotUser first has the username ci-bot/,
    ],
    [
      'an issuer that does not exist is waited for',
      { token: finalized, secret: absent, issuer: undefined },
      'Ready=False, Reconciling=True, IssuerNotFound',
      /ClusterTokenIssuer builtin does not exist/,
    ],
    [
      'an issuer without a key is waited for',
      { token: finalized, secret: absent, issuer: { ...issuer, status: {} } },
      'Ready=False, Reconciling=True, IssuerNotReady',
      /has not published a signing key yet/,
    ],
  ])('%s', (_, given, expected, words) => {
    expect(told(seen(given))).toBe(expected);
    expect(message(seen(given))).toMatch(words);
  });
});

describe('a write that the API server refuses', () => {
  const refused = {
    operation: 'Write',
    reason: 'WriteRefused',
    message: 'the API server refused to write: exceeded quota',
  } as const;
  const first = { token: finalized, secret: absent, refused };

  test('is said in its own words, with the time of the next attempt', () => {
    const token = recorded(seen(first));
    expect(token.status?.retry).toEqual({ attempts: 1, at: later(5), reason: 'WriteRefused' });
    expect(told(seen(first))).toBe('Ready=False, Reconciling=True, WriteRefused');
    expect(message(seen(first))).toContain('exceeded quota');
  });

  test('ends the pass: one refusal is one write and counts once', () => {
    const token = recorded(seen(first));
    expect(decide(seen({ ...first, token }), now)).toEqual({ do: 'rest', until: at(5) });
  });

  test('is tried again then and not before, also by an operator that has just started', () => {
    const token = recorded(seen(first));
    expect(decide(seen({ token, secret: absent }), at(4))).toEqual({ do: 'rest', until: at(5) });
    expect(decide(seen({ token, secret: absent }), at(5))).toMatchObject({ do: 'issue' });
  });

  test('is tried ever less often, every ten minutes at last', () => {
    let token = finalized;
    const waits = Array.from({ length: 9 }, () => {
      const time = new Date(token.status?.retry?.at ?? now);
      token = recorded(seen({ ...first, token }), time);
      return (Date.parse(token.status?.retry?.at ?? '') - time.getTime()) / 1000;
    });
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600]);
  });

  test('is tried at once after a change of the spec, and counted from the beginning', () => {
    const waiting = recorded(seen({ ...first, token: recorded(seen(first)) }), at(5));
    expect(waiting.status?.retry?.attempts).toBe(2);
    const token = withSpec({ label: 'another' }, waiting);
    expect(decide(seen({ token, secret: absent }), at(5))).toMatchObject({ do: 'issue' });
    expect(recorded(seen({ ...first, token }), at(5)).status?.retry?.attempts).toBe(1);
  });

  test('is not held up by a time that a wrong clock wrote down', () => {
    const retry = { attempts: 3, at: later(365 * 86_400), reason: 'WriteRefused' };
    const token = { ...finalized, status: { observedGeneration: 1, retry } };
    expect(decide(seen({ token, secret: absent }), now)).toMatchObject({ do: 'issue' });
  });

  test('is forgotten with the success', () => {
    const token = recorded(seen({ token: recorded(seen(first)), secret: absent, refused }), at(5));
    expect(recorded(seen({ token, secret }), at(60)).status).not.toHaveProperty('retry');
  });

  test('holds up neither a deletion nor a revocation', () => {
    const token = recorded(seen({ token: withSpec({ label: 'x' }), refused }));
    expect(decide(seen({ token: withSpec({ revoked: true }, token) }), now).do).toBe('delete-secret');
    expect(decide(seen({ token, botUser: undefined, confirmed: { principal: true } }), now).do).toBe('delete-secret');
  });

  test.each<[string, Partial<Situation>, string]>([
    ['keeps a token Ready whose credential is in force', {}, 'Ready=True, WriteRefused'],
    [
      'does not make a token Ready whose Secret is lost',
      { secret: gone },
      'Ready=False, Reconciling=True, WriteRefused',
    ],
    [
      'does not make a token Ready whose Secret was edited',
      { secret: { ...secret, resourceVersion: '41', digest: 'operator-key.digest-of-something-else' } },
      'Ready=False, Reconciling=True, WriteRefused',
    ],
    [
      'does not make a token Ready whose credential has ended',
      madeFrom({ expiresAt: later(-1) }),
      'Ready=False, Reconciling=True, WriteRefused',
    ],
  ])('%s', (_, given, expected) => expect(told(seen({ ...given, refused }))).toBe(expected));
});

describe('a Secret that the API server refuses to delete', () => {
  const refused = {
    operation: 'Delete',
    reason: 'WriteRefused',
    message: 'the API server refused to delete Secret deploy: Invalid: not on a Friday',
  } as const;
  const removal = { do: 'delete-secret', cause: 'revoked' };
  const deleted = deleting({ ...served, metadata: { ...served.metadata, generation: 2 } });

  describe.each<[string, Partial<Situation> & { token: BotToken }]>([
    ['of a token that is revoked', { token: withSpec({ revoked: true }) }],
    ['of a token that is deleted', { token: deleted }],
    ['of a bot that is gone', { token: served, botUser: undefined, confirmed: { principal: true } }],
  ])('%s', (_, given) => {
    const once = recorded(seen({ ...given, refused }));

    test('says so in the words of the server: it goes on by itself, though the credential is as it was', () => {
      expect(told(seen({ ...given, refused }))).toBe('Ready=False, Reconciling=True, WriteRefused');
      expect(message(seen({ ...given, refused }))).toContain('not on a Friday');
      expect(once.status?.retry).toEqual({ attempts: 1, at: later(5), reason: 'WriteRefused', operation: 'Delete' });
    });

    test('is tried again then and not before, and ever less often', () => {
      expect(decide(seen({ ...given, token: once, refused }), now)).toEqual({ do: 'rest', until: at(5) });
      expect(decide(seen({ ...given, token: once }), at(4))).toEqual({ do: 'rest', until: at(5) });
      expect(decide(seen({ ...given, token: once }), at(5))).toMatchObject(removal);
      const twice = recorded(seen({ ...given, token: once, refused }), at(5));
      expect(twice.status?.retry).toMatchObject({ attempts: 2, at: later(15) });
    });

    test('is not given up: the record stays until the Secret is gone', () => {
      expect(once.status).toMatchObject({ tokenID: served.status?.tokenID, issued: served.status?.issued });
      expect(decide(seen({ ...given, token: once, secret: gone }), now).do).not.toBe('rest');
    });
  });

  test('does not hold up what the token gets once its bot is back', () => {
    const waiting = recorded(seen({ botUser: undefined, confirmed: { principal: true }, refused }));
    expect(told(seen({ token: waiting }))).toBe('Ready=True, Issued');
    expect(recorded(seen({ token: waiting })).status).not.toHaveProperty('retry');
  });

  test('is tried at once when the token is deleted as well', () => {
    const revoked = recorded(seen({ token: withSpec({ revoked: true }), refused }));
    const token = deleting({ ...revoked, metadata: { ...revoked.metadata, generation: 3 } });
    expect(decide(seen({ token }), now)).toMatchObject(removal);
  });

  test('of a predecessor holds up the first issue, and that is said', () => {
    const held = {
      state: 'held',
      confirmed: true,
      owner: 'BotToken/deploy',
      uid: 'old',
      resourceVersion: '9',
    } as const;
    const given = { token: finalized, secret: held, refused: { ...refused, operation: 'Write' } as const };
    expect(told(seen(given))).toBe('Ready=False, Reconciling=True, WriteRefused');
  });
});

test('the transition time moves only when the status does', () => {
  const before = recorded(seen({ issuer: undefined }));
  const after = recorded(seen({ token: before }), at(60));
  const times = after.status?.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]);
  expect(times).toEqual([
    ['Ready', later(60)],
    ['Reconciling', later(60)],
    ['Stalled', '2026-11-01T00:00:00Z'],
  ]);
});
