import { describe, expect, test } from 'vitest';
import { timestamp } from '../../src/api/conditions.ts';
import type { RobotInputs } from '../../src/api/inputs.ts';
import { pausedAnnotation } from '../../src/api/names.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import type { OwnSecret, Step } from '../../src/decide/credential-seen.ts';
import { accountOf } from '../../src/issuers/registry/live.ts';
import { deleting, later, now } from './healthy.ts';
import {
  inputs,
  madeFrom,
  message,
  recorded,
  registry,
  secret,
  secretOf,
  seen,
  served,
  tokenID,
  told,
  uid,
  withSpec,
} from './robots.ts';

// The end of a robot is in the record and in the Secret, not in the secret itself: it is moved by writing both anew.

const { rotation: _, ...unrotated } = served.spec;
const still = { ...served, spec: unrotated };
const over = madeFrom({ expiresAt: later(-60) }, still);
const gone = { state: 'absent', confirmed: true } as const;
const longer = withSpec({ expiresIn: '120d' }, still);

/** What a render step writes: the Secret as it is afterwards. */
function rendered(step: Step): OwnSecret {
  if (step.do !== 'render' || step.inputs.robot === undefined) throw new Error(`not a rendering: ${step.do}`);
  return { ...secretOf({ ...step.inputs, digest: 'operator-key.rendered' }), resourceVersion: '41' };
}

describe('the end of a robot', () => {
  test.each<[string, Parameters<typeof withSpec>[0], Partial<RobotInputs>]>([
    ['a longer life', { expiresIn: '120d' }, { expiresIn: '120d', expiresAt: '2027-03-01T00:00:00Z' }],
    ['a shorter life', { expiresIn: '60d' }, { expiresIn: '60d', expiresAt: '2026-12-31T00:00:00Z' }],
    ['no end', { expiresIn: 'never' }, { expiresIn: 'never', expiresAt: undefined }],
    [
      'an absolute end',
      { notAfter: '2027-01-01T00:00:00.5Z' },
      { notAfter: '2027-01-01T00:00:00Z', expiresAt: '2027-01-01T00:00:00Z' },
    ],
    ['an absolute end after it', { notAfter: '2028-01-01T00:00:00Z' }, { notAfter: '2028-01-01T00:00:00Z' }],
  ])('is moved by %s, with the same secret', (__, change, expected) => {
    const robot = withSpec(change, still);
    const step = decide(seen({ robot }), now);
    expect(step).toMatchObject({ do: 'render', over: secret, record: { tokenID } });
    expect(step.do === 'render' && step.inputs).toEqual(whole({ ...inputs, ...expected }));
    const after = recorded(seen({ robot, secret: rendered(step) }));
    expect(after.status).toMatchObject({ tokenID, revision: 3, issued: { inputs: whole(expected) } });
    expect(after.status?.expiresAt).toBe('expiresAt' in expected ? expected.expiresAt : inputs.expiresAt);
    expect(decide(seen({ robot: after, secret: rendered(step) }), now).do).toBe('rest');
  });

  test('that is moved into the past, with rotation, takes nothing away before there is another secret', () => {
    const rotated = (overlap: string) => withSpec({ expiresIn: '10d', rotation: { overlap } });
    for (const [overlap, overlapSeconds] of [['0s', 0] as const, ['1h', 3600] as const]) {
      const robot = rotated(overlap);
      expect(decide(seen({ robot }), now)).toMatchObject({
        do: 'issue',
        cause: 'renewal',
        overlapSeconds,
        over: secret,
      });
    }
    const next = { ...inputs, expiresIn: '10d', issuedAt: later(0), expiresAt: later(10 * 86_400) };
    const made = secretOf({ ...next, overlapSeconds: 3600, replaces: false }, { revision: 4, tokenID: `${uid}.4.any` });
    const { status } = recorded(seen({ robot: rotated('1h'), secret: made }));
    expect(status).toMatchObject({ expiresAt: later(10 * 86_400), previous: [{ tokenID, revokeAt: later(3600) }] });
    expect(told({ robot: rotated('1h'), issuer: undefined })).toBe('Ready=False, Reconciling=True, IssuerNotFound');
  });

  test('that has come before it could be recorded, with rotation, is not: there is another secret first', () => {
    const made = { ...inputs, expiresIn: '20d', expiresAt: later(-1) };
    const given = { robot: withSpec({ expiresIn: '20d' }), secret: secretOf(made) };
    expect(decide(seen(given), now)).toMatchObject({ do: 'issue', cause: 'renewal', over: given.secret });
  });

  const lower = { ...registry.spec.limits, projects: ['shop'] };
  const closed = { ...registry, spec: { ...registry.spec, allowedNamespaces: { from: 'None' as const } } };
  test.each<[string, Parameters<typeof withSpec>[0], string, object]>([
    ['that has come', { notAfter: later(-60) }, later(-60), {}],
    ['that has come, written elsewhere', { notAfter: '2026-12-01T00:59:00.9+01:00' }, later(-60), {}],
    ['of one that its issuer lets in no more', { notAfter: later(60) }, later(60), { issuer: closed }],
    [
      'of one above a ceiling',
      { notAfter: later(60), expiresIn: '120d' },
      later(60),
      { issuer: { ...registry, spec: { ...registry.spec, limits: lower } } },
    ],
    ['of one whose issuer goes', { notAfter: later(60) }, later(60), { issuer: deleting(registry) }],
    ['of one that has no issuer, by its life', { expiresIn: '40d' }, '2026-12-11T00:00:00Z', { issuer: undefined }],
  ])('%s is brought nearer whatever the issuer grants, with the same secret', (__, change, end, world) => {
    const robot = withSpec(change, still);
    const step = decide(seen({ robot, ...world }), now);
    expect(step).toMatchObject({ do: 'render', over: secret, record: { tokenID } });
    const around = { ...world, secret: rendered(step) };
    const after = recorded(seen({ robot, ...around }));
    expect(after.status).toMatchObject({ expiresAt: end, tokenID, issued: { inputs: { expiresAt: end } } });
    const served = accountOf(robot, registry.metadata, undefined)?.expiresAt;
    expect(timestamp(served ?? now)).toBe(end);
    if (Date.parse(end) > now.getTime()) {
      expect(told({ robot: after, ...around }, new Date(end))).toMatch(/^Ready=False/);
    }
    const back = { ...after, spec: still.spec };
    expect(decide(seen({ robot: back, secret: around.secret }), now)).toMatchObject({
      do: 'render',
      inputs: { expiresIn: inputs.expiresIn, expiresAt: inputs.expiresAt },
    });
  });

  test.each<[string, RobotAccount, object]>([
    ['is paused', { ...still, metadata: { ...still.metadata, annotations: { [pausedAnnotation]: 'true' } } }, {}],
    ['cannot be written', still, { refused: { Write: { operation: 'Write', reason: 'WriteRefused', message: 'no' } } }],
  ])('of one that %s is told before it is recorded', (__, robot, world) => {
    const after = recorded(seen({ robot: withSpec({ notAfter: later(60) }, robot), ...world }));
    expect(after.status).toMatchObject({ expiresAt: later(60), issued: { inputs: { expiresAt: inputs.expiresAt } } });
    const time = new Date(later(30));
    const back = recorded(seen({ robot: { ...after, spec: still.spec } }), time);
    expect(back.status?.expiresAt).toBe(inputs.expiresAt);
  });

  test('that is moved into the past, without rotation, comes at once', () => {
    const robot = withSpec({ expiresIn: '10d' }, still);
    const step = decide(seen({ robot }), now);
    expect(step).toMatchObject({ do: 'render', inputs: { expiresAt: '2026-11-11T00:00:00Z' } });
    const after = recorded(seen({ robot, secret: rendered(step) }));
    expect(told({ robot: after, secret: rendered(step) })).toBe('Ready=False, Stalled=True, Expired');
  });

  test('is the same in another unit', () => {
    expect(told({ robot: withSpec({ expiresIn: '3mo' }, still) })).toBe('Ready=True, Issued');
  });

  test('leads to Stalled, and the Secret stays', () => {
    expect(told(over)).toBe('Ready=False, Stalled=True, Expired');
    expect(told({ ...over, secret: gone })).toBe('Ready=False, Stalled=True, Expired');
    expect(message(over)).toContain('a longer spec.expiresIn');
  });

  test('comes with the absolute one at once', () => {
    const robot = withSpec({ notAfter: later(-1) }, still);
    const after = { robot, secret: rendered(decide(seen({ robot }), now)) };
    expect(told(after)).toBe('Ready=False, Stalled=True, Expired');
    expect(message({ ...after, robot: recorded(seen(after)) })).toContain('spec.notAfter');
  });

  test('that has come is put off with the same secret', () => {
    const robot = withSpec({ expiresIn: '120d' }, over.robot);
    const step = decide(seen({ ...over, robot }), now);
    expect(step).toMatchObject({ do: 'render', inputs: { expiresAt: '2027-03-01T00:00:00Z' } });
    const after = recorded(seen({ robot, secret: rendered(step) }));
    expect(after.status?.expiresAt).toBe('2027-03-01T00:00:00Z');
    expect(told({ robot: after, secret: rendered(step) })).toBe('Ready=True, Issued');
  });

  test('that has come, of a robot whose Secret was lost, is put off by a new secret', () => {
    const robot = withSpec({ expiresIn: '120d' }, over.robot);
    expect(decide(seen({ robot, secret: gone }), now)).toMatchObject({ do: 'issue', cause: 'lost' });
  });

  test('that has come, of a robot in whose Secret somebody has put another secret, is put off by a new secret', () => {
    const robot = withSpec({ expiresIn: '120d' }, over.robot);
    const edited = { ...secret, resourceVersion: '41', digest: 'operator-key.of-another-secret' };
    expect(decide(seen({ robot, secret: edited }), now)).toMatchObject({ do: 'issue', cause: 'edited', over: edited });
  });

  test('is not put off by who writes a later one into the Secret', () => {
    const forged = secretOf({ ...inputs, expiresIn: '120d', expiresAt: '2027-03-01T00:00:00Z' });
    expect(decide(seen({ robot: still, secret: forged }), now).do).toBe('label');
    const past = secretOf({ ...inputs, expiresAt: '2027-03-01T00:00:00Z' });
    expect(told({ ...over, secret: past })).toBe('Ready=False, Stalled=True, Expired');
  });

  test('cannot be put off above a ceiling', () => {
    const limits = { ...registry.spec.limits, maxLifetime: '100d' };
    const issuer = { ...registry, spec: { ...registry.spec, limits } };
    expect(told({ robot: longer, issuer })).toBe('Ready=False, Stalled=True, ExceedsIssuerLimit');
  });
});

test('another host of the registry comes into the Secret with the same secret', () => {
  const spec = { ...registry.spec, registry: { ...registry.spec.registry, host: 'other.example.com' } };
  const step = decide(seen({ issuer: { ...registry, spec } }), now);
  expect(step).toMatchObject({ do: 'render', inputs: { ...inputs, host: 'other.example.com' } });
});

/** Without the fields that are undefined. */
function whole<T extends object>(fields: T): object {
  return JSON.parse(JSON.stringify(fields));
}
