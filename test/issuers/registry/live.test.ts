import { describe, expect, test } from 'vitest';
import type { RobotInputs } from '../../../src/api/inputs.ts';
import { inputsAnnotation, ownerUIDAnnotation, revisionAnnotation } from '../../../src/api/names.ts';
import type { RobotAccount } from '../../../src/api/robot-account.ts';
import { accountKeyOf, accountOf } from '../../../src/issuers/registry/live.ts';
import { fresh, inputs, registry, served, uid } from '../../decide/robots.ts';

const issuer = registry.metadata;
const recorded = { revision: 3, verifier: inputs.robot.verifier, until: undefined };
const overlapping = { tokenID: `${uid}.2.x`, revokeAt: '2026-12-02T00:00:00Z', revision: 2, verifier: 'of-revision-2' };

function withStatus(change: Partial<NonNullable<RobotAccount['status']>>): RobotAccount {
  return { ...served, status: { ...served.status, ...change } };
}

function withSpec(change: Partial<RobotAccount['spec']>, robot = served): RobotAccount {
  return { ...robot, spec: { ...robot.spec, ...change } };
}

/** Its Secret was taken by somebody else: what is left is of this issuer. */
function lost(...of: [issuerUID?: string | undefined]): RobotAccount {
  const [issuerUID] = of.length === 0 ? [issuer.uid] : of;
  const { issued: _, tokenID: __, ...left } = served.status ?? {};
  const status = { ...left, previous: [overlapping], ...(issuerUID !== undefined && { issuerUID }) };
  return { ...served, status };
}

/** The Secret with a credential of this revision, as its annotations say it. */
function secretOf(revision: number, change: Partial<RobotInputs> = {}, owner = uid) {
  const made = { ...inputs, robot: { id: 17, verifier: `of-revision-${revision}` }, ...change };
  const annotations = {
    [ownerUIDAnnotation]: owner,
    [revisionAnnotation]: String(revision),
    [inputsAnnotation]: JSON.stringify(made),
  };
  return { metadata: { annotations } };
}

describe('which secrets are live', () => {
  test('the recorded one', () => {
    expect(accountOf(served, issuer, secretOf(3))).toEqual({
      uid,
      fullName: 'robot_payments+ci',
      verifiers: [recorded],
      grants: [{ project: 'payments', permissions: ['PushArtifacts', 'PullArtifacts'] }],
      disabled: false,
      expiresAt: new Date(inputs.expiresAt ?? ''),
    });
  });

  test('those in their overlap, until it is over', () => {
    const { verifiers } = accountOf(withStatus({ previous: [overlapping] }), issuer, undefined) ?? {};
    expect(verifiers).toEqual([
      recorded,
      { revision: 2, verifier: 'of-revision-2', until: new Date('2026-12-02T00:00:00Z') },
    ]);
  });

  test('the one in the Secret that is to be recorded, each with its own end', () => {
    const seen = accountOf(
      served,
      issuer,
      secretOf(4, { issuedAt: '2026-11-22T00:00:00Z', expiresAt: '2027-02-20T00:00:00Z' }),
    );
    expect(seen?.verifiers).toEqual([
      { ...recorded, until: new Date('2027-01-30T00:00:00Z') },
      { revision: 4, verifier: 'of-revision-4', until: new Date('2027-02-20T00:00:00Z') },
    ]);
    // What the annotation of a Secret says must not give another secret a longer life.
    expect(seen?.expiresAt).toBeUndefined();
  });

  test('the very first, before it is recorded: without permissions until they are', () => {
    const seen = accountOf(fresh, issuer, secretOf(1));
    expect(seen).toMatchObject({ fullName: 'robot_payments+ci', verifiers: [{ revision: 1 }], grants: [] });
  });

  test('one that was lost and has no record any more, in its overlap', () => {
    expect(accountOf(lost(), issuer, undefined)?.verifiers).toEqual([
      expect.objectContaining({ verifier: 'of-revision-2' }),
    ]);
  });

  test.each<[string, RobotAccount]>([
    ['at another issuer that has taken the name of the one that issued it', lost('gone')],
    ['where nobody can tell who issued it', lost(undefined)],
  ])('none that was lost, %s', (_, robot) => {
    expect(accountOf(robot, issuer, undefined)).toBeUndefined();
    const seen = accountOf(robot, issuer, secretOf(4));
    // As the very first one: what the other one has allowed is nothing here.
    expect(seen).toMatchObject({ verifiers: [{ revision: 4 }], grants: [] });
  });

  test('the one that an issuer made anew has issued, before it is recorded there: without what the old one has recorded', () => {
    const anew = { ...inputs.issuer, uid: 'made-anew' };
    const made = secretOf(4, { issuer: anew, username: 'ci_payments+ci' });
    const seen = accountOf(withStatus({ previous: [overlapping] }), anew, made);
    expect(seen).toMatchObject({ fullName: 'ci_payments+ci', verifiers: [{ revision: 4 }], grants: [] });
    expect(seen?.verifiers).toHaveLength(1);
  });

  test.each<[string, Parameters<typeof accountOf>]>([
    [
      'a robot that is being deleted',
      [{ ...served, metadata: { ...served.metadata, deletionTimestamp: '2026-11-20T00:00:00Z' } }, issuer, undefined],
    ],
    ['a robot that has none yet', [fresh, issuer, undefined]],
    ['a record of another issuer under the old name', [served, { uid: 'another' }, undefined]],
    ['a Secret of another UID', [fresh, issuer, secretOf(1, {}, 'another')]],
    ['a Secret for another issuer', [fresh, { uid: 'another' }, secretOf(1)]],
    ['a Secret whose annotations cannot be read', [fresh, issuer, secretOf(1, { format: 2 as never })]],
  ])('not %s', (_, given) => {
    expect(accountOf(...given)).toBeUndefined();
  });

  test.each([2, 3])('not what a Secret says of revision %i, which is recorded or past', revision => {
    const seen = accountOf(served, issuer, secretOf(revision, { robot: { id: 17, verifier: 'forged' } }));
    expect(seen?.verifiers).toEqual([recorded]);
  });
});

describe('what it may do', () => {
  const both = [{ project: 'payments', permissions: ['PushArtifacts', 'PullArtifacts'] }];

  test.each<[string, RobotAccount, readonly { project: string; permissions: readonly string[] }[]]>([
    ['what the status says was allowed', served, both],
    [
      'less what the spec has taken away since',
      withSpec({ permissions: ['PullArtifacts'] }),
      [{ project: 'payments', permissions: ['PullArtifacts'] }],
    ],
    [
      'not more than the status says',
      withSpec({ permissions: ['PullArtifacts', 'PushArtifacts', 'DeleteArtifacts'] }),
      both,
    ],
    ['all of it where the spec names none', withSpec({ permissions: undefined as never }), both],
    [
      'no word that this version does not know',
      withStatus({
        permissions: [{ project: 'payments', permissions: ['FlyArtifacts', 'PullArtifacts'] }],
      }),
      [{ project: 'payments', permissions: ['PullArtifacts'] }],
    ],
  ])('%s', (_, robot, expected) => {
    expect(accountOf(robot, issuer, undefined)?.grants).toEqual(expected);
  });

  test('in no project that the spec has dropped', () => {
    const { project: _, permissions: __, ...spec } = served.spec;
    const robot: RobotAccount = {
      ...withStatus({ permissions: [...both, { project: 'shop', permissions: ['PullArtifacts'] }] }),
      spec: { ...spec, projects: [{ name: 'shop', permissions: ['PullArtifacts'] }] },
    };
    expect(accountOf(robot, issuer, undefined)?.grants).toEqual([{ project: 'shop', permissions: ['PullArtifacts'] }]);
  });
});

test.each([
  ['30d', '2026-12-01T00:00:00Z'],
  ['90d', '2027-01-30T00:00:00Z'],
  ['360d', '2027-01-30T00:00:00Z'],
  ['never', '2027-01-30T00:00:00Z'],
])(
  'a life of %s, asked for and still to be recorded, ends at %s without rotation: at the earlier of the two',
  (expiresIn, end) => {
    const robot = withSpec({ expiresIn, rotation: undefined as never });
    expect(accountOf(robot, issuer, undefined)?.expiresAt).toEqual(new Date(end));
    const [first] = accountOf(robot, issuer, secretOf(4))?.verifiers ?? [];
    expect(first?.until).toEqual(new Date(end));
  },
);

test('a shorter life of a robot that is rotated takes nothing away before there is another secret', () => {
  const robot = withSpec({ expiresIn: '30d' });
  expect(accountOf(robot, issuer, undefined)?.expiresAt).toEqual(new Date('2027-01-30T00:00:00Z'));
  const made = secretOf(4, { expiresIn: '30d', issuedAt: '2026-12-01T00:00:00Z', expiresAt: '2026-12-31T00:00:00Z' });
  expect(accountOf(robot, issuer, made)?.verifiers.map(({ until }) => until)).toEqual([
    new Date('2027-01-30T00:00:00Z'),
    new Date('2026-12-31T00:00:00Z'),
  ]);
});

test('disabled and the absolute end are as the spec has them, before the status says so', () => {
  const robot = withSpec({ disabled: true, notAfter: '2026-12-01T00:00:00Z' });
  expect(accountOf(robot, issuer, undefined)).toMatchObject({
    disabled: true,
    expiresAt: new Date('2026-12-01T00:00:00Z'),
  });
});

test('an account is found by issuer and name, of a project or of the system', () => {
  const { project: _, permissions: __, ...spec } = served.spec;
  expect(accountKeyOf(served)).toBe('registry/payments+ci');
  expect(accountKeyOf({ ...served, spec: { ...spec, projects: [{ name: '*' }], name: 'mirror' } })).toBe(
    'registry/mirror',
  );
});
