import { describe, expect, test } from 'vitest';
import type { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import type { RobotInputs } from '../../src/api/inputs.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import { issuerInUse } from '../../src/decide/credential-record.ts';
import { numbersAt } from '../../src/decide/robot-account.ts';
import * as tokens from './healthy.ts';
import { later, now } from './healthy.ts';
import { inputs, recorded, registry, type Situation, secretOf, seen, served, tokenID, told, uid } from './robots.ts';
import { told as tokenTold } from './told.ts';

// The issuer was deleted and made again under its name: another UID, and other keys. Nobody verifies what the old one has issued.

const anew = (issuer: ClusterTokenIssuer) => ({ ...issuer, metadata: { ...issuer.metadata, uid: 'made-anew' } });
const stalled = [{ type: 'Stalled', status: 'True', reason: 'any', message: 'it is broken', lastTransitionTime: '' }];
const foreign = { state: 'foreign', confirmed: true } as const;
const confirmed = { issuer: true };

function refusing(issuer: ClusterTokenIssuer): [string, ClusterTokenIssuer][] {
  const other = anew(issuer);
  return [
    ['does not allow its namespace', { ...other, spec: { ...other.spec, allowedNamespaces: { from: 'None' } } }],
    ['is stalled', { ...other, status: { conditions: stalled as never } }],
    ['is going', { ...other, metadata: { ...other.metadata, deletionTimestamp: later(-1) } }],
    ['is of another type', anew(issuer === registry ? tokens.issuer : registry)],
  ];
}

describe('a robot whose issuer was made anew', () => {
  test('gets another secret without overlap, when a live read has confirmed it', () => {
    const robot = { ...served, spec: { ...served.spec, rotation: { overlap: '1h' } } };
    expect(decide(seen({ robot, issuer: anew(registry) as never }), now)).toEqual({ do: 'confirm', what: 'issuer' });
    expect(decide(seen({ robot, issuer: anew(registry) as never, confirmed }), now)).toMatchObject({
      do: 'issue',
      overlapSeconds: 0,
      replaces: true,
    });
  });

  test.each(refusing(registry))('is not Ready where that one %s, and no pods are restarted', (_, issuer) => {
    const rollout = { tokenID, startedAt: later(-5), givesUpAt: later(3600) };
    const robot: RobotAccount = {
      ...served,
      spec: { ...served.spec, restart: [{ kind: 'Deployment', name: 'web' }] },
      status: { ...served.status, rollout },
    };
    expect(told({ robot, confirmed, issuer })).toMatch(/^Ready=False/);
  });

  test('is not called Ready because a write was refused', () => {
    const [[, issuer] = ['', registry]] = refusing(registry);
    const refused: Situation['refused'] = { Write: { operation: 'Write', reason: 'WriteRefused', message: 'no' } };
    const after = recorded(seen({ issuer, refused }));
    expect(after.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'False' });
  });

  test('is given only what that one allows', () => {
    const made = madeAnew();
    const secret = secretOf(made, { revision: 4, tokenID: `${uid}.4.any` });
    const limits = { ...registry.spec.limits, permissions: [] };
    const issuer = { ...anew(registry), spec: { ...registry.spec, limits } } as never;
    const { status } = recorded(seen({ secret, issuer }));
    expect(status).toMatchObject({ id: 1, fullName: 'robot_payments+ci', createdAt: made.issuedAt });
    expect(status).not.toHaveProperty('permissions');
  });
});

test('a token whose issuer was made anew gets another one without overlap', () => {
  const issuer = anew(tokens.issuer);
  expect(decide(tokens.seen({ issuer }), now)).toEqual({ do: 'confirm', what: 'issuer' });
  const step = decide(tokens.seen({ issuer, confirmed }), now);
  expect(step).toMatchObject({ do: 'issue', overlapSeconds: 0, replaces: true });
});

test.each(refusing(tokens.issuer))('a token whose issuer was made anew is not Ready where that one %s', (_, issuer) => {
  expect(tokenTold(tokens.seen({ issuer, confirmed }))).toMatch(/^Ready=False/);
});

describe('what was lost with its Secret', () => {
  const robot = { ...served, spec: { ...served.spec, rotation: { overlap: '1h' } } };
  const lost = recorded(seen({ robot, secret: foreign }));

  test('is of the issuer that has issued it, which waits for its overlap', () => {
    expect(lost.status).toMatchObject({ issuerUID: registry.metadata.uid, previous: [{ tokenID }] });
    expect(issuerInUse(lost)).toBe(registry.metadata.uid);
    expect(issuerInUse({ ...lost, status: { ...lost.status, previous: [] } })).toBeUndefined();
  });

  test.each<[string, RobotInputs, readonly object[] | undefined]>([
    ['lives on beside another secret of the same issuer', inputs, [{ tokenID }]],
    ['ends with the record of another issuer', madeAnew(), undefined],
  ])('%s', (_, made, previous) => {
    const next = secretOf({ ...made, overlapSeconds: 0, replaces: false }, { revision: 4, tokenID: `${uid}.4.any` });
    const issuer = made === inputs ? registry : (anew(registry) as never);
    const { status } = recorded(seen({ robot: lost, secret: next, issuer }));
    expect(status?.previous).toEqual(previous?.map(each => expect.objectContaining(each)));
    expect(status).not.toHaveProperty('issuerUID');
  });

  test('has its number still, at its issuer alone', () => {
    const robots = [served, lost, { ...lost, status: { id: 18 } }];
    expect([...numbersAt(robots, registry.metadata)]).toEqual([17, 17]);
    expect([...numbersAt(robots, { uid: 'made-anew' })]).toEqual([]);
  });

  test('leaves a status that follows the spec', () => {
    const less = { ...lost, spec: { ...lost.spec, disabled: true, permissions: ['PullArtifacts' as const] } };
    const { status } = recorded(seen({ robot: less, secret: foreign }));
    expect(status).toMatchObject({
      id: 17,
      enabled: false,
      permissions: [{ project: 'payments', permissions: ['PullArtifacts'] }],
    });
  });
});

/** What the issuer that was made anew issues: its numbers begin anew. */
function madeAnew(): RobotInputs {
  const issuer = { ...inputs.issuer, uid: 'made-anew' };
  return { ...inputs, issuer, issuedAt: '2026-12-01T00:00:00Z', robot: { id: 1, verifier: 'of-another' } };
}
