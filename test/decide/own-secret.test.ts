import { describe, expect, test } from 'vitest';
import type { RobotInputs } from '../../src/api/inputs.ts';
import { replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
import { robotInputsOf } from '../../src/decide/inputs-of.ts';
import type { SourceSeen } from '../../src/decide/own-secret.ts';
import { now } from './healthy.ts';
import { withOwn } from './robot-changes.ts';
import {
  inputs,
  madeFrom,
  message,
  recorded,
  type Situation,
  secretOf,
  seen,
  served,
  tokenID,
  told,
} from './robots.ts';

const own = withOwn();
const read = { state: 'found', uid: 'source-uid', resourceVersion: '5', broken: [] } as const satisfies SourceSeen;
/** Touched, or made anew, with the value that the robot has. */
const touched: SourceSeen = { ...read, resourceVersion: '6', sameAs: tokenID };
const another: SourceSeen = { ...read, resourceVersion: '6' };
const gone = { state: 'absent', confirmed: true } as const;
const recordedInputs = own.robot.status?.issued?.inputs as unknown as RobotInputs;
const readAgain = { ...recordedInputs.robot.source, resourceVersion: '6' } as RobotInputs['robot']['source'];
const revised: RobotInputs = { ...recordedInputs, robot: { ...recordedInputs.robot, source: readAgain } };

function annotated(annotations: Record<string, string>, robot: RobotAccount = own.robot): RobotAccount {
  return { ...robot, metadata: { ...robot.metadata, annotations } };
}

function step(change: Partial<Situation>): Step {
  return decide(seen({ ...own, ...change }), now);
}

describe('a source that was written, and holds the same value,', () => {
  test('is recorded with the same secret, which lives no longer for that', () => {
    const done = step({ source: touched });
    expect(done).toMatchObject({ do: 'render', inputs: revised });
    const robot = recorded(seen({ ...own, source: touched, secret: secretOf(revised) }));
    expect(robot.status).toMatchObject({ tokenID, revision: 3, expiresAt: inputs.expiresAt });
    expect(robot.status).not.toHaveProperty('rollout');
    expect(robot.status).not.toHaveProperty('previous');
    expect(told({ robot, source: touched, secret: secretOf(revised) })).toBe('Ready=True, Issued');
  });

  test('is recorded from another Secret and key, too', () => {
    const spec = { ...own.robot.spec.secret, valueFrom: { secretKeyRef: { name: 'moved', key: 'password' } } };
    const robot = { ...own.robot, spec: { ...own.robot.spec, secret: spec } };
    const source = { name: 'moved', key: 'password', uid: 'source-uid', resourceVersion: '6' };
    expect(step({ robot, source: touched })).toMatchObject({ do: 'render', inputs: { robot: { source } } });
  });

  test('is issued where what it was compared with is another credential than the recorded one', () => {
    expect(step({ source: { ...touched, sameAs: `${tokenID}x` } })).toMatchObject({ do: 'issue', cause: 'rotated' });
  });

  test('is issued anew where a rotation is asked for', () => {
    const robot = annotated({ [rotateAnnotation]: '1' });
    expect(step({ robot, source: touched })).toMatchObject({ do: 'issue', cause: 'rotated', revision: 4 });
  });

  test('is believed of nobody who may only edit the Secret that is written', () => {
    const forged = secretOf(revised);
    expect(step({ source: another, secret: forged })).toMatchObject({ do: 'issue', cause: 'rotated' });
  });
});

describe('a replacement of an own secret', () => {
  const asked = annotated({ [replaceAnnotation]: '1' });

  const afterTouch = madeFrom({ robot: revised.robot }, asked);

  test.each<[string, Partial<Situation>]>([
    ['that has not changed', { ...own, robot: asked, source: read }],
    ['that was only touched', { ...afterTouch, source: touched }],
  ])('%s is not done, and says what ends it', (_, given) => {
    expect(told(given)).toBe('Ready=False, Stalled=True, SourceUnchanged');
    expect(recorded(seen(given)).status?.tokenID).toBe(tokenID);
  });

  test('names the remedies, and nothing of the value', () => {
    const words = message({ ...own, robot: asked, source: read }) ?? '';
    expect(words).toContain('put another value there');
    expect(words).toContain('Secret own');
    expect(words).toContain('spec.disabled: true');
  });

  test('is done as soon as there is another value, and everything older ends', () => {
    expect(step({ robot: asked, source: another })).toMatchObject({ do: 'issue', cause: 'replaced', replaces: true });
  });

  test('makes no new Secret of the value that has leaked', () => {
    expect(told({ ...own, robot: asked, source: read, secret: gone })).toBe(
      'Ready=False, Stalled=True, SourceUnchanged',
    );
  });

  test('that stood there at the first issue, or is of a generated secret, is done', () => {
    const { issued: _, tokenID: __, ...status } = own.robot.status ?? {};
    const first = { ...asked, status };
    expect(step({ robot: first, source: read, secret: gone })).toMatchObject({ do: 'issue', cause: 'first' });
    const generated = { ...asked, status: served.status } as RobotAccount;
    expect(decide(seen({ robot: generated, source: read }), now)).toMatchObject({ do: 'issue', cause: 'replaced' });
  });

  test('leaves what comes without another secret in force', () => {
    const spec = { ...asked.spec, permissions: ['PullArtifacts' as const] };
    const { status } = recorded(seen({ ...own, robot: { ...asked, spec }, source: read }));
    expect(status?.permissions).toEqual([{ project: 'payments', permissions: ['PullArtifacts'] }]);
  });
});

describe('a source that is gone or against the rules', () => {
  const keeps = 'until then the robot keeps the secret that it has';
  const bad: SourceSeen = { ...another, broken: ['a digit'] };

  test.each<[string, SourceSeen]>([
    ['is gone', { state: 'absent', what: 'secret' }],
    ['has lost its key', { state: 'absent', what: 'key' }],
    ['is against the rules', bad],
  ])('and %s leaves a robot what it has, and says so', (_, source) => {
    expect(message({ ...own, source })).toContain(keeps);
    const { issued: __, tokenID: ___, ...status } = own.robot.status ?? {};
    expect(message({ robot: { ...own.robot, status }, source, secret: gone })).not.toContain(keeps);
  });

  test('does not name as a remedy what ends the present secret, without saying so', () => {
    const words = message({ ...own, source: { state: 'absent', what: 'secret' } });
    expect(words).toContain('without spec.secret.valueFrom the present secret ends');
  });
});

describe('the time at which a robot was made', () => {
  const createdAt = '2026-06-01T00:00:00Z';
  const issue = step({ robot: annotated({ [rotateAnnotation]: '1' }), source: read }) as Step & { do: 'issue' };

  test('is taken along with its number', () => {
    const made = robotInputsOf(own.robot, issue, { id: 17, verifier: 'v1', now });
    expect(made.robot.createdAt).toBe(createdAt);
  });

  test('is begun anew at an issuer that was made anew', () => {
    const wish = { ...issue.wish, issuer: { ...issue.wish.issuer, uid: 'another' } };
    const made = robotInputsOf(own.robot, { ...issue, wish }, { id: 1, verifier: 'v1', now });
    expect(made.robot.createdAt).toBe(made.issuedAt);
  });

  test('comes back from the Secret when the status was wiped', () => {
    const made = { ...inputs, robot: { ...inputs.robot, createdAt } };
    const robot = { ...served, status: { observedGeneration: -1 } };
    expect(recorded(seen({ robot, secret: secretOf(made) })).status?.createdAt).toBe(createdAt);
  });

  test('is that of the record where an older version made that', () => {
    const { createdAt: _, id: __, ...status } = served.status ?? {};
    const older = madeFrom({}, { ...served, status });
    expect(recorded(seen(older)).status?.createdAt).toBe(inputs.issuedAt);
    expect(told(older)).toBe('Ready=True, Issued');
  });
});
