import { describe, expect, test } from 'vitest';
import { pausedAnnotation, replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
import {
  absent,
  annotated,
  deleting,
  foreign,
  fresh,
  gone,
  inputs,
  later,
  madeFrom,
  now,
  type Situation,
  secretOf,
  seen,
  served,
  uid,
  withSecretSpec,
  withSpec,
  withStatus,
} from './healthy.ts';
import { message, recorded, told } from './told.ts';

// What people ask of a token by annotation, and how long the one before lives on.

const edited = { digest: 'operator-key.digest-of-something-else', resourceVersion: '41' };
const older = { tokenID: `${uid}.2.any`, revokeAt: later(60) };

describe('an annotation that asks for a new token', () => {
  test('gets one with the usual overlap, or one that replaces all', () => {
    expect(decide(seen({ token: annotated({ [rotateAnnotation]: 'monday' }) }), now)).toMatchObject({
      do: 'issue',
      cause: 'rotated',
      overlapSeconds: 3600,
      replaces: false,
      wish: { rotate: 'monday' },
    });
    expect(decide(seen({ token: annotated({ [replaceAnnotation]: 'leak' }) }), now)).toMatchObject({
      do: 'issue',
      cause: 'replaced',
      overlapSeconds: 0,
      replaces: true,
    });
  });

  test('is served once per value, by what the Secret says it was made for', () => {
    const token = annotated({ [rotateAnnotation]: 'monday' });
    const next = { revision: 4, tokenID: `${uid}.4.any`, inputs: { ...inputs, handled: { rotate: 'monday' } } };
    const after = recorded(seen({ token, secret: secretOf(token, next) }));
    expect(told(seen({ token: after, secret: secretOf(token, next) }))).toBe('Ready=True, Issued');
    const again = annotated({ [rotateAnnotation]: 'tuesday' }, after);
    expect(decide(seen({ token: again, secret: secretOf(token, next) }), now)).toMatchObject({ cause: 'rotated' });
  });

  test('counts as served when it was there at the first issue', () => {
    const token = annotated({ [rotateAnnotation]: 'monday' }, { ...fresh, metadata: served.metadata });
    expect(decide(seen({ token, secret: absent }), now)).toMatchObject({ cause: 'first', wish: { rotate: 'monday' } });
  });

  test('asks for nothing when it is empty, or gone', () => {
    expect(told(seen({ token: annotated({ [rotateAnnotation]: '' }) }))).toBe('Ready=True, Issued');
    expect(told(seen(madeFrom({ handled: { rotate: 'monday', replace: 'leak' } })))).toBe('Ready=True, Issued');
  });

  test('gives a token that has ended a new life', () => {
    const { rotation: _, ...spec } = served.spec;
    const made = madeFrom({ expiresAt: later(-1) });
    const token = { ...annotated({ [rotateAnnotation]: '1' }, made.token), spec };
    expect(decide(seen({ token, secret: made.secret }), now)).toMatchObject({ do: 'issue', cause: 'rotated' });
  });

  test('is in vain on a token that was revoked, and the token says so', () => {
    const token = annotated({ [rotateAnnotation]: '1' }, withSpec({ revoked: true }));
    expect(told(seen({ token, secret: gone }))).toBe('Ready=True, Revoked');
    expect(message(seen({ token, secret: gone }))).toMatch(
      /botmint.dev\/rotate has no effect any more: make a new BotToken/,
    );
  });

  test('does not wait for the next attempt of a write that was refused', () => {
    const waiting = withStatus({ retry: { attempts: 3, at: later(300), reason: 'WriteRefused' } });
    const wider = { ...waiting, spec: { ...waiting.spec, scopes: ['modules:read', 'modules:write', 'modules:admin'] } };
    expect(decide(seen({ token: wider }), now)).toMatchObject({ do: 'rest' });
    expect(decide(seen({ token: annotated({ [replaceAnnotation]: '1' }, wider) }), now)).toMatchObject({ do: 'issue' });
  });

  test('a leak does not wait for room among the superseded ones, whatever the overlap', () => {
    const previous = Array.from({ length: 8 }, (_, n) => ({ tokenID: `${uid}.${n}.any`, revokeAt: later(100) }));
    const token = annotated(
      { [replaceAnnotation]: '1' },
      withStatus({ previous }, withSpec({ rotation: { overlap: '2d' } })),
    );
    expect(decide(seen({ token }), now)).toMatchObject({ do: 'issue', overlapSeconds: 0, replaces: true });
  });
});

describe('`rotation.overlap`', () => {
  const wider = ['modules:read', 'modules:write', 'modules:admin'];
  const dueAt = new Date('2026-12-25T17:16:04Z');

  test.each<[string, Partial<Situation>, number | undefined, Date?]>([
    ['counts at a renewal', { token: withSpec({ rotation: { overlap: '2d' } }) }, 172_800, dueAt],
    ['may be none', { token: withSpec({ rotation: { overlap: '0s' } }) }, 0, dueAt],
    ['counts after a change', { token: withSpec({ rotation: { overlap: '5m' }, scopes: wider }) }, 300],
    ['counts after a loss', { token: withSpec({ rotation: { overlap: '5m' } }), secret: gone }, 300],
    ['does not count for less', { token: withSpec({ rotation: { overlap: '5m' }, scopes: [] }) }, 0],
    ['is left out: to its own end at a renewal', {}, undefined, dueAt],
    ['is left out: an hour after a change', { token: withSpec({ scopes: wider }) }, 3600],
  ])('%s', (_, given, overlapSeconds, time = now) => {
    expect(decide(seen(given), time)).toMatchObject({ do: 'issue', overlapSeconds });
  });

  test('of none ends the one before, and keeps what was promised to those before it', () => {
    const token = withStatus({ previous: [older] });
    const made = { ...inputs, overlapSeconds: 0, replaces: false };
    const secret = secretOf(token, { revision: 4, tokenID: `${uid}.4.any`, inputs: made });
    expect(recorded(seen({ token, secret })).status?.previous).toEqual([older]);
  });
});

describe('a paused token', () => {
  const paused = annotated({ [pausedAnnotation]: 'true' });

  test.each<[string, Partial<Situation>]>([
    ['a change', { token: { ...paused, spec: { ...paused.spec, scopes: [] } } }],
    ['a loss', { token: paused, secret: gone }],
    ['a rotation that was asked for', { token: annotated({ [pausedAnnotation]: 'true', [rotateAnnotation]: '1' }) }],
  ])('leaves everything as it is in spite of %s, and says so', (_, given) => {
    const token = recorded(seen(given));
    expect(token.status?.conditions?.find(({ type }) => type === 'Paused')).toMatchObject({
      status: 'True',
      reason: 'Paused',
    });
    expect(told(seen({ ...given, token }))).toBe('Ready=True, Issued');
    expect(token.status?.issued).toEqual(served.status?.issued);
    expect(decide(seen({ ...given, token }), now).do).toBe('rest');
  });

  test('from the start waits', () => {
    const token = annotated({ [pausedAnnotation]: 'true' }, fresh);
    expect(told(seen({ token, secret: absent }))).toBe('Ready=False, Reconciling=True, Paused');
  });

  test('goes on when the annotation goes, and the condition goes with it', () => {
    const { conditions } = recorded(seen({ token: paused })).status ?? {};
    const after = recorded(seen({ token: withStatus({ conditions: conditions ?? [] }) }));
    expect(after.status?.conditions?.map(({ type }) => type)).toEqual(['Ready', 'Reconciling', 'Stalled']);
  });

  test.each<[string, Partial<Situation>, Step['do']]>([
    ['deletion', { token: deleting(paused) }, 'delete-secret'],
    ['revocation', { token: { ...paused, spec: { ...paused.spec, revoked: true } } }, 'delete-secret'],
    ['the deletion of its bot', { token: paused, botUser: undefined, confirmed: { principal: true } }, 'delete-secret'],
  ])('is not spared %s', (_, given, step) => expect(decide(seen(given), now).do).toBe(step));

  test('only by the word true', () => {
    expect(told(seen({ token: annotated({ [pausedAnnotation]: 'yes' }) }))).toBe('Ready=True, Issued');
  });
});

describe('`onLost: Stall`', () => {
  const token = withSecretSpec({ onLost: 'Stall' });
  const dueAt = new Date('2026-12-25T17:16:04Z');
  const lost = { token, secret: gone };
  const changed = { token, secret: { ...seen().secret, ...edited } as Situation['secret'] };

  test('issues nothing for a lost or edited Secret, and says what helps', () => {
    expect(told(seen(lost))).toBe('Ready=False, Stalled=True, SecretLost');
    expect(told(seen(changed))).toBe('Ready=False, Stalled=True, SecretEdited');
    expect(message(seen(lost))).toMatch(/restore it, set spec.secret.onLost: Reissue, or ask for a new credential/);
    expect(told(seen(lost), dueAt)).toBe('Ready=False, Stalled=True, SecretLost');
  });

  test('looks live first', () => {
    expect(decide(seen({ token, secret: absent }), now)).toEqual({ do: 'confirm', what: 'secret' });
  });

  test('serves who asks for a new one', () => {
    const asked = annotated({ [rotateAnnotation]: '1' }, token);
    expect(decide(seen({ token: asked, secret: gone }), now)).toMatchObject({
      do: 'issue',
      cause: 'lost',
      overlapSeconds: 3600,
    });
    const leaked = annotated({ [replaceAnnotation]: '1' }, token);
    expect(decide(seen({ token: leaked, secret: gone }), now)).toMatchObject({ do: 'issue', replaces: true });
  });

  test('goes on when the Secret is there again as it was', () => {
    const stalled = recorded(seen(lost));
    expect(told(seen({ token: stalled }))).toBe('Ready=True, Issued');
  });

  test('makes the first one all the same', () => {
    const first = { ...fresh, metadata: served.metadata, spec: token.spec };
    expect(decide(seen({ token: first, secret: absent }), now)).toMatchObject({ do: 'issue', cause: 'first' });
  });
});

describe('a Secret whose name another one has taken', () => {
  test('is a loss: what was recorded lives on for its overlap and no longer (I8)', () => {
    const after = recorded(seen({ secret: foreign }));
    expect(after.status).toMatchObject({ revision: 3, previous: [{ revokeAt: later(3600) }] });
    expect(after.status).not.toHaveProperty('tokenID');
    expect(told(seen({ token: after, secret: foreign }))).toBe('Ready=False, Stalled=True, SecretNotOwned');
  });

  test('is looked at live before that is believed', () => {
    expect(decide(seen({ secret: { state: 'foreign', confirmed: false } }), now)).toEqual({
      do: 'confirm',
      what: 'secret',
    });
  });

  test('is issued anew when it is free, with the next number and without shortening any overlap', () => {
    const after = recorded(seen({ secret: foreign, token: withStatus({ previous: [older] }) }));
    const step = decide(seen({ token: after, secret: gone }), now);
    expect(step).toMatchObject({ do: 'issue', revision: 4, cause: 'first', replaces: false });
    const made = { revision: 4, tokenID: `${uid}.4.any`, inputs: { ...inputs, overlapSeconds: 0, replaces: false } };
    expect(recorded(seen({ token: after, secret: secretOf(after, made) })).status?.previous).toHaveLength(2);
  });

  test('is no loss where a person wants to see to it', () => {
    const token = withSecretSpec({ onLost: 'Stall' });
    expect(recorded(seen({ token, secret: foreign })).status).toHaveProperty('tokenID');
  });

  test('what was lost ends with its bot', () => {
    const after = recorded(seen({ secret: foreign }));
    const unconfirmed = seen({ token: after, secret: foreign, botUser: undefined });
    expect(decide(unconfirmed, now)).toEqual({ do: 'confirm', what: 'principal' });
    const revoked = recorded(
      seen({ token: after, secret: foreign, botUser: undefined, confirmed: { principal: true } }),
    );
    expect(revoked.status).not.toHaveProperty('previous');
  });
});
