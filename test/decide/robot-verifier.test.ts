import { describe, expect, test } from 'vitest';
import { decide } from '../../src/decide/credential.ts';
import type { SecretSeen } from '../../src/decide/credential-seen.ts';
import { toBeMade } from '../../src/decide/robot-account.ts';
import { deleting, later, now } from './healthy.ts';
import {
  inputs,
  madeFrom,
  recorded,
  registry,
  type Situation,
  secret,
  secretOf,
  seen,
  served,
  withSpec,
} from './robots.ts';

// The recorded verifier is of the key 12345678, which is the first.
const first = { number: 1, id: '12345678' };
const second = { number: 2, id: 'abcdefgh' };
const of = (key: { number: number; id: string }, mac = 'of-revision-3') => ({
  robot: { ...inputs.robot, verifier: `v1.${key.id}.hmac.${mac}`, verifierKey: key.number },
});
const renewed = { ...inputs, ...of(second) };
const within = (change: Partial<typeof registry.spec>) => ({ ...registry, spec: { ...registry.spec, ...change } });
const gone: SecretSeen = { state: 'absent', confirmed: true };

describe('the verifier of a robot', () => {
  test('is left alone while its key makes verifiers', () => {
    for (const verifierKey of [undefined, first]) expect(decide(seen({ verifierKey }), now).do).toBe('rest');
    const made = madeFrom(of(second));
    expect(decide(seen({ ...made, verifierKey: second }), now).do).toBe('rest');
  });

  test('is made anew with a newer key, from the secret that is in the Secret', () => {
    expect(decide(seen({ verifierKey: second }), now)).toMatchObject({
      do: 'render',
      over: { resourceVersion: '40' },
      record: { revision: 3 },
      inputs: { robot: { id: 17, verifier: toBeMade, verifierKey: 2 } },
    });
  });

  test('is made anew when its key was lost and another one has its number', () =>
    expect(decide(seen({ verifierKey: { ...first, id: 'another1' } }), now).do).toBe('render'));

  test('of a newer key is left alone by who has not heard of that key', () => {
    for (const verifierKey of [first, undefined])
      expect(decide(seen({ ...madeFrom(of(second)), verifierKey }), now).do).toBe('rest');
  });

  test('is recorded from the Secret, and no secret, no end and no revision is another one', () => {
    const { status } = recorded(seen({ secret: secretOf(renewed), verifierKey: second }));
    expect(status?.issued).toMatchObject({ inputs: of(second) });
    expect(status).toMatchObject({ tokenID: served.status?.tokenID, revision: 3, expiresAt: served.status?.expiresAt });
    expect(status?.previous).toBeUndefined();
  });

  test.each<[string, Partial<Situation>]>([
    ['that is disabled', { robot: withSpec({ disabled: true }) }],
    ['whose end has come', { robot: withSpec({ notAfter: '2026-11-10T00:00:00Z' }) }],
    ['whose namespace is allowed no more', { issuer: within({ allowedNamespaces: { from: 'None' } }) }],
    ['above a ceiling that came later', { issuer: within({ limits: {} }) }],
    ['whose issuer is being deleted', { issuer: deleting(registry) }],
    ['whose issuer is gone', { issuer: undefined }],
  ])('is made anew for a robot %s: what is upkeep asks nobody', (_, given) => {
    expect(decide(seen({ ...given, verifierKey: second }), now).do).toBe('render');
    expect(decide(seen({ ...given, secret: secretOf(renewed), verifierKey: second }), now)).toMatchObject({
      do: 'write-status',
      patch: { issued: { inputs: { robot: { verifierKey: 2 } } } },
    });
  });
});

describe('what somebody wrote into the annotation of the Secret', () => {
  test.each<[string, object, typeof first | undefined]>([
    ['a verifier of the same key', of(first, 'of-somebody-else'), first],
    ['a verifier of the same key while nobody asks for another one', of(first, 'of-somebody-else'), undefined],
    ['a verifier of a key that this process has not got', of(second), first],
    ['a verifier of the new key under the number of the old one', of({ ...second, number: 1 }), second],
    ['a verifier of the old key under the number of the new one', of({ ...first, number: 2 }), second],
    ['no verifier', { robot: { ...inputs.robot, verifier: toBeMade, verifierKey: 2 } }, second],
    ['another number of the robot', { robot: { ...of(second).robot, id: 18 } }, second],
  ])('is not believed: %s', (_, change, verifierKey) => {
    const step = decide(seen({ secret: secretOf({ ...inputs, ...change }), verifierKey }), now);
    expect(step.do).toBe(verifierKey === second ? 'render' : 'label');
    if (step.do === 'label') expect(step.record.inputs).toEqual(inputs);
  });

  test('is not believed when it brings back a verifier that was superseded', () => {
    const { robot } = madeFrom(of(second));
    const step = decide(seen({ robot, secret: secretOf(inputs), verifierKey: second }), now);
    expect(step).toMatchObject({ do: 'label', record: { inputs: of(second) } });
  });
});

describe('a robot without rotation that has ended', () => {
  const { rotation: _, ...spec } = served.spec;
  const over = madeFrom({ expiresAt: later(-60) }, { ...served, spec });

  test('gets no new life by a new key when its Secret is gone', () =>
    expect(decide(seen({ ...over, secret: gone, verifierKey: second }), now)).toMatchObject({ do: 'write-status' }));

  test('has its verifier made anew all the same while its Secret is there', () =>
    expect(decide(seen({ ...over, verifierKey: second }), now).do).toBe('render'));
});

test('is not made from a secret of which nobody can say that it is the one that was written', () => {
  const edited = { ...secret, digest: 'another-key.digest-of-the-data' };
  expect(decide(seen({ secret: edited, verifierKey: second }), now)).toMatchObject({ do: 'issue', cause: 'edited' });
  expect(decide(seen({ secret: edited, verifierKey: first }), now).do).toBe('rest');
});

test('a Secret from which the secret cannot be read any more gets a new one', () =>
  expect(decide(seen({ secret: { ...secret, unreadable: true }, verifierKey: second }), now)).toMatchObject({
    do: 'issue',
    cause: 'lost',
  }));
