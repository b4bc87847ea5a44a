import { describe, expect, test } from 'vitest';
import { pausedAnnotation } from '../../src/api/names.ts';
import { decide } from '../../src/decide/credential.ts';
import type { SecretSeen } from '../../src/decide/credential-seen.ts';
import type { VerifierKeys } from '../../src/decide/grant.ts';
import { toBeMade } from '../../src/decide/robot-account.ts';
import { deleting, later, now } from './healthy.ts';
import {
  inputs,
  madeFrom,
  message,
  recorded,
  registry,
  type Situation,
  secret,
  secretOf,
  seen,
  served,
  told,
  withSpec,
} from './robots.ts';

// The recorded verifier is of the key 12345678, which is the first.
const first = { number: 1, id: '12345678' };
const second = { number: 2, id: 'abcdefgh' };
/** The keys of a process, of which the last one makes verifiers. */
const keys = (...known: (typeof first)[]): VerifierKeys => ({
  current: known.at(-1) ?? first,
  numberOf: verifier => known.find(({ id }) => verifier.split('.')[1] === id)?.number,
});
const rotated = keys(first, second);
const confirmed = { principal: true };
const of = (key: { number: number; id: string }, mac = 'of-revision-3') => ({
  robot: { ...inputs.robot, verifier: `v1.${key.id}.hmac.${mac}`, verifierKey: key.number },
});
const renewed = { ...inputs, ...of(second) };
const within = (change: Partial<typeof registry.spec>) => ({ ...registry, spec: { ...registry.spec, ...change } });
const gone: SecretSeen = { state: 'absent', confirmed: true };

describe('the verifier of a robot', () => {
  test('is left alone while its key makes verifiers', () => {
    for (const verifierKeys of [undefined, keys(first)]) expect(decide(seen({ verifierKeys }), now).do).toBe('rest');
    const made = madeFrom(of(second));
    expect(decide(seen({ ...made, verifierKeys: rotated }), now).do).toBe('rest');
  });

  test('is made anew with a newer key, from the secret that is in the Secret', () => {
    expect(decide(seen({ verifierKeys: rotated }), now)).toMatchObject({
      do: 'render',
      over: { resourceVersion: '40' },
      record: { revision: 3 },
      inputs: { robot: { id: 17, verifier: toBeMade, verifierKey: 2 } },
    });
  });

  test('of a newer key, of which this process has just heard, is left alone', () => {
    const newer: VerifierKeys = { ...rotated, current: first };
    expect(decide(seen({ ...madeFrom(of(second)), verifierKeys: newer }), now).do).toBe('rest');
    expect(decide(seen({ ...madeFrom(of(second)), verifierKeys: undefined }), now).do).toBe('rest');
  });

  test.each<[string, Partial<Situation>, VerifierKeys]>([
    ['of a newer key that is gone', madeFrom(of(second)), keys(first)],
    ['whose number another key has by now', {}, keys({ ...first, id: 'another1' })],
    [
      'for which somebody has recorded a number that no key has',
      madeFrom(of({ ...second, number: 999_999 })),
      keys(first),
    ],
    ['that nobody can read', madeFrom({ robot: { ...inputs.robot, verifier: 'v9' } }), keys(first)],
  ])('%s is made anew once the keys were read live', (_, given, verifierKeys) => {
    expect(decide(seen({ ...given, verifierKeys }), now)).toEqual({ do: 'confirm', what: 'principal' });
    expect(decide(seen({ ...given, verifierKeys, confirmed }), now)).toMatchObject({
      do: 'render',
      inputs: { robot: { verifier: toBeMade, verifierKey: 1 } },
    });
  });

  test('is recorded from the Secret, and no secret, no end and no revision is another one', () => {
    const { status } = recorded(seen({ secret: secretOf(renewed), verifierKeys: rotated }));
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
    expect(decide(seen({ ...given, verifierKeys: rotated }), now).do).toBe('render');
    expect(decide(seen({ ...given, secret: secretOf(renewed), verifierKeys: rotated }), now)).toMatchObject({
      do: 'write-status',
      patch: { issued: { inputs: { robot: { verifierKey: 2 } } } },
    });
  });
});

describe('what somebody wrote into the annotation of the Secret', () => {
  test.each<[string, object, VerifierKeys | undefined]>([
    ['a verifier of the same key', of(first, 'of-somebody-else'), keys(first)],
    ['a verifier of the same key while nobody asks for another one', of(first, 'of-somebody-else'), undefined],
    ['a verifier of a key that this process has not got', of(second), keys(first)],
    ['a verifier of the new key under the number of the old one', of({ ...second, number: 1 }), rotated],
    ['a verifier of the old key under the number of the new one', of({ ...first, number: 2 }), rotated],
    ['no verifier', { robot: { ...inputs.robot, verifier: toBeMade, verifierKey: 2 } }, rotated],
    ['another number of the robot', { robot: { ...of(second).robot, id: 18 } }, rotated],
  ])('is not believed: %s', (_, change, verifierKeys) => {
    const step = decide(seen({ secret: secretOf({ ...inputs, ...change }), verifierKeys }), now);
    expect(step.do).toBe(verifierKeys === rotated ? 'render' : 'label');
    if (step.do === 'label') expect(step.record.inputs).toEqual(inputs);
  });

  test('is not believed when it brings back a verifier that was superseded', () => {
    const { robot } = madeFrom(of(second));
    const step = decide(seen({ robot, secret: secretOf(inputs), verifierKeys: rotated }), now);
    expect(step).toMatchObject({ do: 'label', record: { inputs: of(second) } });
  });
});

describe('a robot without rotation that has ended', () => {
  const { rotation: _, ...spec } = served.spec;
  const over = madeFrom({ expiresAt: later(-60) }, { ...served, spec });

  test('gets no new life by a new key when its Secret is gone', () =>
    expect(decide(seen({ ...over, secret: gone, verifierKeys: rotated }), now)).toMatchObject({ do: 'write-status' }));

  test('has its verifier made anew all the same while its Secret is there', () =>
    expect(decide(seen({ ...over, verifierKeys: rotated }), now).do).toBe('render'));
});

test('is not made from a secret of which nobody can say that it is the one that was written', () => {
  const edited = { ...secret, digest: 'another-key.digest-of-the-data' };
  expect(decide(seen({ secret: edited, verifierKeys: rotated }), now)).toMatchObject({ do: 'issue', cause: 'edited' });
  expect(decide(seen({ secret: edited, verifierKeys: keys(first) }), now).do).toBe('rest');
});

test('a Secret from which the secret cannot be read any more gets a new one', () =>
  expect(decide(seen({ secret: { ...secret, unreadable: true }, verifierKeys: rotated }), now)).toMatchObject({
    do: 'issue',
    cause: 'lost',
  }));

describe('a robot of whose verifier the key is gone', () => {
  const lost = { verifierKeys: keys(second), confirmed };
  const annotations = { [pausedAnnotation]: 'true' };
  const paused = { ...served, metadata: { ...served.metadata, annotations } };
  const refused: Situation['refused'] = {
    Write: { operation: 'Write', reason: 'WriteRefused', message: 'an admission policy says no' },
  };

  test('is not Ready while it is paused, and the message says what to do', () => {
    expect(told({ robot: paused })).toBe('Ready=True, Issued');
    expect(decide(seen({ robot: paused, ...lost, confirmed: {} }), now).do).toBe('confirm');
    expect(told({ robot: paused, ...lost })).toBe('Ready=False, Stalled=True, VerifierKeyMissing');
    expect(message({ robot: paused, ...lost })).toContain(`Take the annotation ${pausedAnnotation} off`);
  });

  test('is Ready again when the key is back, and stays paused', () => {
    const robot = recorded(seen({ robot: paused, ...lost }));
    expect(told({ robot, verifierKeys: keys(first) })).toBe('Ready=True, Issued');
    const { status } = recorded(seen({ robot, verifierKeys: keys(first) }));
    expect(status?.conditions?.at(-1)).toMatchObject({ type: 'Paused', status: 'True' });
    expect(status?.observedGeneration).toBe(1);
  });

  test('goes on with a verifier of another key when it is paused no longer', () => {
    const { status } = recorded(seen({ robot: paused, ...lost }));
    const robot = { ...served, ...(status && { status }) };
    expect(decide(seen({ robot, ...lost }), now).do).toBe('render');
    const made = secretOf({ ...renewed });
    const { conditions } = recorded(seen({ robot, secret: made, ...lost })).status ?? {};
    expect(conditions?.map(({ type, status: is, reason }) => [type, is, reason])).toEqual([
      ['Ready', 'True', 'Issued'],
      ['Reconciling', 'False', 'Issued'],
      ['Stalled', 'False', 'Issued'],
    ]);
  });

  test('is not Ready while its Secret may not be written', () => {
    expect(told({ refused, verifierKeys: rotated })).toBe('Ready=True, WriteRefused');
    expect(told({ refused, ...lost })).toBe('Ready=False, Reconciling=True, WriteRefused');
    const robot = recorded(seen({ refused, verifierKeys: rotated }));
    expect(told({ robot, ...lost })).toBe('Ready=False, Reconciling=True, WriteRefused');
  });
});
