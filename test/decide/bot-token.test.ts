import { describe, expect, test } from 'vitest';
import { decide } from '../../src/decide/credential.ts';
import type { Observed, Step } from '../../src/decide/credential-seen.ts';
import {
  absent,
  botUser,
  deleting,
  finalized,
  fresh,
  gone,
  inputs,
  issuer,
  later,
  madeFrom,
  now,
  secret,
  secretOf,
  seen,
  served,
  uid,
  withoutFinalizer,
  withSecretSpec,
  withSpec,
  withStatus,
} from './healthy.ts';
import { recorded, told } from './told.ts';

test('a token that is served is left alone until its renewal', () => {
  expect(decide(seen(), now)).toEqual({ do: 'rest', until: new Date('2026-12-25T17:16:04Z') });
});

describe('the first issue', () => {
  const first = { revision: 1, tokenID: `${uid}.1.any`, inputs };
  const made = secretOf(fresh, first);

  test('begins with the finalizer', () => {
    expect(decide(seen({ token: fresh, secret: absent }), now)).toEqual({ do: 'add-finalizer' });
  });

  test('goes on with the Secret, without looking whether there is one: the POST will tell', () => {
    const step = decide(seen({ token: finalized, secret: absent }), now);
    expect(step).toMatchObject({ do: 'issue', cause: 'first', revision: 1, over: undefined });
  });

  test('ends with the record, and then rests', () => {
    const token = recorded(seen({ token: finalized, secret: made }));
    expect(token.status).toMatchObject({
      tokenID: first.tokenID,
      revision: 1,
      issuedAt: inputs.issuedAt,
      expiresAt: inputs.expiresAt,
      renewAt: '2026-12-25T17:16:04Z',
      secretName: 'deploy',
      observedGeneration: 1,
      issued: { inputs, secret: { name: 'deploy', uid: 'secret-uid', resourceVersion: '40' } },
    });
    expect(token.status).not.toHaveProperty('previous');
    expect(decide(seen({ token, secret: made }), now)).toMatchObject({ do: 'rest' });
    expect(told(seen({ token, secret: made }))).toBe('Ready=True, Issued');
  });

  test('records what the Secret was made from, and serves a spec that changed in between afterwards', () => {
    const widened = withSpec({ scopes: ['modules:read', 'modules:write', 'modules:admin'] }, finalized);
    const token = recorded(seen({ token: widened, secret: made }));
    expect(token.status?.issued?.inputs).toEqual(inputs);
    expect(decide(seen({ token, secret: made }), now)).toMatchObject({ do: 'issue', cause: 'widened', revision: 2 });
  });

  test('after a revocation of its bot goes on with the next number: none is ever given twice', () => {
    const token = withStatus({ revision: 3 }, finalized);
    expect(decide(seen({ token, secret: gone }), now)).toMatchObject({ do: 'issue', cause: 'first', revision: 4 });
  });
});

describe('a new credential is issued', () => {
  const hour = 3600;
  const toItsEnd = undefined;
  const dueAt = new Date('2026-12-25T17:16:04Z');
  const wider = withSpec({ scopes: ['modules:read', 'modules:write', 'modules:admin'] });
  const narrower = withSpec({ scopes: ['modules:read'] });
  const edited = { ...secret, resourceVersion: '41', digest: 'operator-key.digest-of-something-else' };

  test.each<[string, Observed, Partial<Step & { do: 'issue' }>, Date?]>([
    ['when its renewal is due', seen(), { cause: 'renewal', overlapSeconds: toItsEnd, over: secret }, dueAt],
    ['when the spec asks for more', seen({ token: wider }), { cause: 'widened', overlapSeconds: hour, over: secret }],
    [
      'without overlap when the spec asks for less',
      seen({ token: narrower }),
      { cause: 'narrowed', overlapSeconds: 0 },
    ],
    ['when the Secret is lost', seen({ secret: gone }), { cause: 'lost', overlapSeconds: hour, over: undefined }],
    ['when the Secret was edited', seen({ secret: edited }), { cause: 'edited', overlapSeconds: hour, over: edited }],
    [
      'without overlap when the Secret is lost and the spec asks for less',
      seen({ token: narrower, secret: gone }),
      { overlapSeconds: 0 },
    ],
    [
      'without overlap when the Secret was edited and the spec asks for less',
      seen({ token: narrower, secret: edited }),
      { overlapSeconds: 0 },
    ],
  ])('%s', (_, given, expected, time = now) => {
    expect(decide(given, time)).toMatchObject({ do: 'issue', revision: 4, ...expected });
  });

  test.each<[string, Partial<Parameters<typeof seen>[0]>]>([
    [
      'an issuer that is stalled',
      { issuer: { ...issuer, status: { ...issuer.status, conditions: stalledConditions() } } },
    ],
    ['an issuer that is being deleted', { issuer: deleting(issuer) }],
    ['an issuer that has published no key', { issuer: { ...issuer, status: {} } }],
    ['a ceiling that was lowered', { issuer: { ...issuer, spec: { ...issuer.spec, limits: {} } } }],
    ['a bot whose username is taken', { rivals: [{ ...botUser, metadata: { ...botUser.metadata, uid: 'a' } }] }],
  ])('but not against %s, and what is in force stays', (_, change) => {
    const step = decide(seen(change), dueAt);
    expect(['write-status', 'rest']).toContain(step.do);
    if (step.do === 'write-status') expect(Object.keys(step.patch)).toEqual(['conditions']);
  });
});

describe('a finalizer that somebody took off', () => {
  test('is put back first', () => {
    expect(decide(seen({ token: withoutFinalizer(served) }), now)).toEqual({ do: 'add-finalizer' });
    expect(decide(seen({ token: withoutFinalizer(served), secret: absent }), now)).toEqual({ do: 'add-finalizer' });
  });

  test('is not missed where nothing was issued', () => {
    const waiting = seen({ token: fresh, secret: absent, botUser: undefined });
    expect(told(waiting)).toBe('Ready=False, Reconciling=True, BotUserNotFound');
  });
});

describe('the audience that a token does not name', () => {
  const otherFirst = { ...issuer, spec: { ...issuer.spec, jwt: { ...issuer.spec.jwt, audiences: ['https://other'] } } };

  test('is the first of the issuer at the time of the issue', () => {
    const step = decide(seen({ token: finalized, secret: absent }), now);
    expect(step).toMatchObject({ wish: { audiences: ['https://buf.example.com'], audiencesDefaulted: true } });
  });

  test('does not follow the issuer: a changed default is no wish', () => {
    expect(decide(seen({ issuer: otherFirst }), now)).toMatchObject({ do: 'rest' });
  });

  test('may be named later, as long as it is the same one', () => {
    const token = withSpec({ audiences: ['https://buf.example.com'] });
    expect(told(seen({ token }))).toBe('Ready=True, Issued');
    expect(decide(seen({ token: withSpec({ audiences: ['https://api.example.com'] }) }), now)).toMatchObject({
      do: 'issue',
      cause: 'narrowed',
    });
  });

  test('is asked for anew when the token named one and names none any more', () => {
    const before = madeFrom({ audiencesDefaulted: undefined, audiences: ['https://api.example.com'] });
    expect(decide(seen(before), now)).toMatchObject({ do: 'issue', cause: 'narrowed' });
  });
});

test('what makes no credential different makes no new one', () => {
  expect(told(seen({ token: withSpec({ label: 'another' }) }))).toBe('Ready=True, Issued');
  expect(told(seen({ token: withSpec({ expiresIn: '3mo' }) }))).toBe('Ready=True, Issued');
  expect(told(seen({ token: withSpec({ scopes: ['modules:write', 'modules:read'] }) }))).toBe('Ready=True, Issued');
  expect(decide(seen({ token: withSecretSpec({ labels: { team: 'b' } }) }), now).do).toBe('label');
});

function stalledConditions() {
  const times = { lastTransitionTime: later(0), observedGeneration: 1 };
  return [{ type: 'Stalled', status: 'True' as const, reason: 'SigningKeyInvalid', message: 'any', ...times }];
}
