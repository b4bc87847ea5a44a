import { describe, expect, test } from 'vitest';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import { now } from './healthy.ts';
import {
  inputs,
  recorded,
  registry,
  type Situation,
  secret,
  secretOf,
  seen,
  served,
  tokenID,
  told,
  uid,
} from './robots.ts';

// What happens to a robot that is not of its own making. The rest of the table in docs/lifecycle.md is that of any credential.

const gone = { state: 'absent', confirmed: true } as const;
const { rotation: _, ...unrotated } = served.spec;
const unrenewed = { ...served, spec: unrotated };

/** A robot that does nothing by itself when its Secret is lost. */
function stalling(robot: RobotAccount = served): RobotAccount {
  return { ...robot, spec: { ...robot.spec, secret: { ...robot.spec.secret, onLost: 'Stall' } } };
}

test('two thirds of its life without rotation are said', () => {
  expect(told({ robot: unrenewed }, new Date('2026-12-30T00:00:00Z'))).toBe('Ready=True, Issued');
  expect(told({ robot: unrenewed }, new Date('2026-12-31T00:00:00Z'))).toBe('Ready=True, ExpiresSoon');
});

describe('a Secret with onLost: Stall', () => {
  const edited = { ...secret, resourceVersion: '41', digest: 'operator-key.digest-of-something-else' };

  test.each<[string, Partial<Situation>, string]>([
    ['is not made again', { secret: gone }, 'SecretLost'],
    ['is not written over', { secret: edited }, 'SecretEdited'],
  ])('%s, and the robot is as it was', (__, change, reason) => {
    expect(told({ robot: stalling(), ...change })).toBe(`Ready=False, Stalled=True, ${reason}`);
    expect(recorded(seen({ robot: stalling(), ...change })).status).toMatchObject({ tokenID, enabled: true });
  });
});

test('another Secret takes the name of its own: the lost secret is forgotten, and the robot keeps its number', () => {
  const { status } = recorded(seen({ secret: { state: 'foreign', confirmed: true } }));
  expect(status).toMatchObject({ id: 17, fullName: 'robot_payments+ci' });
  for (const field of ['issued', 'previous']) expect(status).not.toHaveProperty(field);
  expect(told({ secret: { state: 'foreign', confirmed: true } })).toBe('Ready=False, Stalled=True, SecretNotOwned');
});

test('an older Secret that somebody restores is written over, and its secret works no more', () => {
  const older = secretOf(
    { ...inputs, robot: { id: 17, verifier: 'of-revision-2' } },
    { revision: 2, tokenID: `${uid}.2.any` },
  );
  expect(decide(seen({ secret: older }), now)).toMatchObject({ do: 'issue', cause: 'lost', overlapSeconds: 0 });
});

test('a Secret that was stripped of its marks gets back what it has to have, with the same secret', () => {
  const bare = { ...secret, metadata: { ...secret.metadata, labels: {} } };
  expect(decide(seen({ secret: bare }), now).do).toBe('label');
});

test('an issuer that lets its namespace in no more takes nothing away', () => {
  const issuer = { ...registry, spec: { ...registry.spec, allowedNamespaces: { from: 'None' as const } } };
  expect(told({ issuer })).toBe('Ready=True, NamespaceNotAllowed');
});
