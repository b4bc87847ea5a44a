import { describe, expect, test } from 'vitest';
import { decide } from '../../src/decide/credential.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
import {
  absent,
  botUser,
  deleting,
  finalized,
  foreign,
  fresh,
  gone,
  issuer,
  later,
  madeFrom,
  now,
  recreated,
  type Situation,
  secret,
  secretOf,
  seen,
  served,
  uid,
  withoutFinalizer,
  withSpec,
  withStatus,
} from './healthy.ts';
import { recorded, told } from './told.ts';

const removal = { do: 'delete-secret', uid: 'secret-uid', resourceVersion: '40', cause: 'revoked' } as const;

test.each<[string, Partial<Situation>, Partial<Step>]>([
  ['takes its Secret away first', { token: deleting(served) }, removal],
  ['looks live whether there is one', { token: deleting(served), secret: absent }, { do: 'confirm', what: 'secret' }],
  ['then lets go', { token: deleting(served), secret: gone }, { do: 'remove-finalizer' }],
  ['does not touch a foreign Secret', { token: deleting(served), secret: foreign }, { do: 'remove-finalizer' }],
  [
    'does nothing more without its finalizer',
    { token: deleting(withoutFinalizer(served)), secret: gone },
    { do: 'rest' },
  ],
  ['does not wait for its bot', { token: deleting(served), botUser: undefined }, removal],
  ['takes away a Secret that is not recorded yet', { token: deleting(finalized) }, removal],
])('a token that is deleted %s', (_, given, step) => expect(decide(seen(given), now)).toMatchObject(step));

describe('`revoked: true`', () => {
  const token = withSpec({ revoked: true });

  test('takes the Secret away, and looks live whether that is done', () => {
    expect(decide(seen({ token }), now)).toEqual(removal);
    expect(decide(seen({ token, secret: absent }), now)).toEqual({ do: 'confirm', what: 'secret' });
  });

  test('is recorded for good, with nothing left that would count as live', () => {
    const status = recorded(seen({ token: { ...token, ...crowd(token) }, secret: gone })).status ?? {};
    expect(status).toMatchObject({ revokedAt: later(0), revision: 3 });
    for (const field of ['tokenID', 'previous', 'issued', 'expiresAt', 'renewAt', 'secretName', 'issuedAt']) {
      expect(status).not.toHaveProperty(field);
    }
  });

  test('is Ready: what was asked for is done; and nothing is written again', () => {
    const after = recorded(seen({ token, secret: gone }));
    expect(told(seen({ token: after, secret: absent }))).toBe('Ready=True, Revoked');
    expect(decide(seen({ token: after, secret: absent }), new Date(later(86_400)))).toEqual({
      do: 'rest',
      until: undefined,
    });
  });

  test('takes away what a late write brings back', () => {
    const after = recorded(seen({ token, secret: gone }));
    expect(decide(seen({ token: after, secret: secretOf(after, { revision: 4 }) }), now)).toMatchObject({
      do: 'delete-secret',
    });
  });

  test('on a token that never had a credential issues none', () => {
    const never = withSpec({ revoked: true }, fresh);
    expect(told(seen({ token: never, secret: absent }))).toBe('Ready=True, Revoked');
  });
});

describe('a bot that is gone', () => {
  const without = (change: Partial<Situation> = {}) => seen({ botUser: undefined, ...change });
  const sure = { principal: true };

  test('is looked for live before anything is revoked', () => {
    expect(decide(without(), now)).toEqual({ do: 'confirm', what: 'principal' });
    expect(decide(without({ secret: absent }), now)).toEqual({ do: 'confirm', what: 'principal' });
    expect(decide(without({ token: finalized }), now)).toEqual({ do: 'confirm', what: 'principal' });
  });

  test('takes its tokens with it', () => {
    expect(decide(without({ confirmed: sure }), now)).toEqual(removal);
    expect(told(without({ confirmed: sure, secret: gone }))).toBe('Ready=False, Reconciling=True, BotUserNotFound');
    expect(recorded(without({ confirmed: sure, secret: gone })).status).not.toHaveProperty('tokenID');
  });

  test('is waited for by a token that has nothing yet', () => {
    const given = without({ token: fresh, secret: absent });
    expect(told(given)).toBe('Ready=False, Reconciling=True, BotUserNotFound');
    expect(recorded(given).status?.conditions?.[0]?.message).toContain('BotUser ci in namespace team-a does not exist');
  });

  test('and has come back under another UID gets a new credential, and the old one no overlap', () => {
    const again = { botUser: recreated(botUser) };
    expect(decide(seen(again), now)).toEqual({ do: 'confirm', what: 'principal' });
    expect(decide(seen({ ...again, confirmed: sure }), now)).toMatchObject({
      do: 'issue',
      cause: 'narrowed',
      overlapSeconds: 0,
    });
  });

  test('and has come back, but cannot be used, takes its tokens with it all the same', () => {
    const again = { botUser: recreated(botUser), issuer: { ...issuer, status: {} }, confirmed: sure };
    expect(decide(seen(again), now)).toEqual(removal);
    expect(told(seen({ ...again, secret: gone }))).toBe('Ready=False, Reconciling=True, IssuerNotReady');
  });
});

describe('a bot that is being deleted', () => {
  const going = { botUser: deleting(botUser) };

  test('is looked at live first: the cache may show the one before', () => {
    expect(decide(seen(going), now)).toEqual({ do: 'confirm', what: 'principal' });
  });

  test('takes its tokens with it', () => {
    expect(decide(seen({ ...going, confirmed: { principal: true } }), now)).toEqual(removal);
    const after = seen({ ...going, confirmed: { principal: true }, secret: gone });
    expect(told(after)).toBe('Ready=False, Reconciling=True, BotUserDeleted');
    expect(recorded(after).status).not.toHaveProperty('tokenID');
  });

  test('gets no new ones', () => {
    const given = seen({ ...going, token: fresh, secret: absent });
    expect(told(given)).toBe('Ready=False, Reconciling=True, BotUserDeleted');
  });
});

describe('a bot that a newer version wrote', () => {
  const known = { botUser: 'unreadable' } as const;

  test.each<[string, Partial<Situation>]>([
    ['in force', {}],
    ['that has none yet', { token: fresh, secret: absent }],
    ['that was lost', { secret: gone }],
    ['that has ended', madeFrom({ expiresAt: later(-60) })],
  ])('leaves a credential %s alone', (_, given) => {
    expect(told(seen({ ...given, ...known }))).toBe('Ready=False, Reconciling=True, UnknownFormat');
    const { status } = recorded(seen({ ...given, ...known }));
    expect(status?.tokenID).toBe(seen(given).object.status?.tokenID);
    expect(status?.conditions?.[0]?.message).not.toContain('create it');
  });

  test('holds up neither a revocation nor a deletion', () => {
    expect(decide(seen({ ...known, token: withSpec({ revoked: true }) }), now)).toEqual(removal);
    expect(decide(seen({ ...known, token: deleting(served) }), now)).toEqual(removal);
  });
});

describe('an issuer', () => {
  test('that a newer version wrote is waited for, and nothing is destroyed', () => {
    const known = { issuer: 'unreadable' } as const;
    for (const given of [{}, { secret: gone }, { token: fresh, secret: absent }, madeFrom({ expiresAt: later(-60) })]) {
      expect(told(seen({ ...given, ...known }))).toBe('Ready=False, Reconciling=True, UnknownFormat');
    }
  });

  test('that is gone makes its tokens not Ready, and nothing is destroyed', () => {
    expect(told(seen({ issuer: undefined }))).toBe('Ready=False, Reconciling=True, IssuerNotFound');
    expect(told(seen({ issuer: undefined, secret: gone }))).toBe('Ready=False, Reconciling=True, IssuerNotFound');
  });

  test('that has come back under another UID issues anew, after a live look at it', () => {
    const again = { issuer: recreated(issuer) };
    expect(decide(seen(again), now)).toEqual({ do: 'confirm', what: 'issuer' });
    const step = decide(seen({ ...again, confirmed: { issuer: true } }), now);
    expect(step).toMatchObject({ do: 'issue', cause: 'narrowed', wish: { issuer: { uid: 'another-uid' } } });
  });
});

describe('the end of a credential', () => {
  const ended = madeFrom({ expiresAt: later(-60) });
  const { rotation: _, ...fixed } = ended.token.spec;
  const over = { ...ended, token: { ...ended.token, spec: fixed } };

  test('without rotation is said, and the Secret stays', () => {
    expect(told(seen(over))).toBe('Ready=False, Stalled=True, Expired');
  });

  test('is said in the second in which it comes', () => {
    const soon = { ...madeFrom({ expiresAt: later(60) }) };
    const given = seen({ ...soon, token: { ...soon.token, spec: fixed } });
    expect(decide({ ...given, object: recorded(given) }, now)).toEqual({ do: 'rest', until: new Date(later(60)) });
    expect(told(given, new Date(later(59)))).toBe('Ready=True, ExpiresSoon');
    expect(told(given, new Date(later(60)))).toBe('Ready=False, Stalled=True, Expired');
  });

  test.each<[string, Partial<Situation>]>([
    ['was lost', { secret: gone }],
    ['seems to be lost', { secret: absent }],
    ['was edited', { secret: { ...over.secret, ...edited() } }],
    ['is an older one', { secret: secretOf(over.token, { revision: 2, tokenID: `${uid}.2.any` }) }],
    ['was stripped', { secret: { ...secret, resourceVersion: '41', metadata: {} } }],
    [
      'is rendered differently now',
      {
        token: {
          ...over.token,
          spec: { ...fixed, secret: { type: 'Opaque', data: [{ key: 'X', template: '$(token)' }] } },
        },
      },
    ],
  ])('is no beginning: no new credential, though its Secret %s', (_, change) => {
    expect(told(seen({ ...over, ...change }))).toBe('Ready=False, Stalled=True, Expired');
  });

  test('is no beginning for an edit of its bot, or for a bot that was made anew', () => {
    const edited = { ...botUser, spec: { ...botUser.spec, identities: [] } };
    expect(told(seen({ ...over, botUser: edited }))).toBe('Ready=False, Stalled=True, Expired');
    const confirmed = { principal: true };
    expect(told(seen({ ...over, botUser: recreated(botUser), confirmed }))).toBe('Ready=False, Stalled=True, Expired');
  });

  test('with rotation is made up for at once, should the operator have been away', () => {
    expect(decide(seen(ended), now)).toMatchObject({ do: 'issue', cause: 'renewal' });
  });

  test('with rotation against a ceiling is said as what stands in the way', () => {
    const closed = { ...issuer, spec: { ...issuer.spec, limits: {} } };
    expect(told(seen({ ...ended, issuer: closed }))).toBe('Ready=False, Stalled=True, ExceedsIssuerLimit');
  });

  test('comes back to life by rotation that is added, or by a spec that asks for something else', () => {
    expect(decide(seen({ ...over, token: ended.token }), now)).toMatchObject({ do: 'issue', cause: 'renewal' });
    const longer = { ...over.token, spec: { ...fixed, expiresIn: '100d' } };
    expect(decide(seen({ ...over, token: longer }), now)).toMatchObject({ do: 'issue', cause: 'widened' });
  });

  test('never comes for `never`', () => {
    const endless = madeFrom({ expiresIn: 'never', expiresAt: undefined });
    const given = { ...endless, token: { ...endless.token, spec: { ...fixed, expiresIn: 'never' } } };
    expect(told(seen(given), new Date('2099-01-01T00:00:00Z'))).toBe('Ready=True, Issued');
  });
});

function edited() {
  return { digest: 'operator-key.digest-of-something-else', resourceVersion: '41' };
}

function crowd(token: typeof served) {
  return withStatus({ previous: [{ tokenID: `${uid}.2.any`, revokeAt: later(900) }] }, token);
}

describe('a credential that nothing renews', () => {
  const { rotation: _, ...spec } = served.spec;
  const token = { ...served, spec, status: { ...served.status } };
  delete token.status.renewAt;
  const twoThirds = new Date('2026-12-31T00:00:00Z');

  test('is Ready, and from two thirds of its life on says that it ends', () => {
    expect(decide(seen({ token }), now)).toEqual({ do: 'rest', until: twoThirds });
    expect(told(seen({ token }), new Date(twoThirds.getTime() - 1000))).toBe('Ready=True, Issued');
    expect(told(seen({ token }), twoThirds)).toBe('Ready=True, ExpiresSoon');
  });

  test('says so once, and then waits for its end', () => {
    const warned = recorded(seen({ token }), twoThirds);
    expect(decide(seen({ token: warned }), twoThirds)).toEqual({ do: 'rest', until: new Date('2027-01-30T00:00:00Z') });
  });

  test('is not said of one that is renewed, or never ends', () => {
    expect(told(seen({}), new Date('2026-12-20T00:00:00Z'))).toBe('Ready=True, Issued');
    const endless = madeFrom({ expiresIn: 'never', expiresAt: undefined });
    const given = { ...endless, token: { ...endless.token, spec: { ...spec, expiresIn: 'never' } } };
    expect(told(seen(given), new Date('2036-01-01T00:00:00Z'))).toBe('Ready=True, Issued');
  });
});
