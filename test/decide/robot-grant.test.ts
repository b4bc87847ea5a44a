import { describe, expect, test } from 'vitest';
import type { RobotInputs } from '../../src/api/inputs.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import type { SourceSeen } from '../../src/decide/own-secret.ts';
import { deleting, issuer as jwt, later, now } from './healthy.ts';
import {
  fresh,
  inputs,
  madeFrom,
  message,
  recorded,
  registry,
  type Situation,
  seen,
  served,
  told,
  withSpec,
} from './robots.ts';

const gone = { state: 'absent', confirmed: true } as const;
const finalized: RobotAccount = { ...fresh, metadata: served.metadata };
const allowing = (limits: Partial<typeof registry.spec.limits>) => ({
  ...registry,
  spec: { ...registry.spec, limits: { ...registry.spec.limits, ...limits } },
});
const { project: _, permissions: __, ...systemSpec } = served.spec;
const claim = (robot: RobotAccount) => ({ robot, namespaceLabels: {} });

describe('a robot is refused', () => {
  const older = { ...served, metadata: { ...served.metadata, name: 'older', uid: 'a' } };
  const stalled = { type: 'Stalled', status: 'True', reason: 'any', message: 'is broken' } as const;
  const times = { lastTransitionTime: served.metadata.creationTimestamp, observedGeneration: 1 };
  const system = { ...finalized, spec: { ...systemSpec, projects: [{ name: '*' }] } };

  test.each<[string, Partial<Situation>, string, string]>([
    ['without its issuer', { issuer: undefined }, 'Reconciling=True, IssuerNotFound', 'registry does not exist'],
    ['by one that goes', { issuer: deleting(registry) }, 'Reconciling=True, IssuerDeleted', 'being deleted'],
    ['by one that nobody can read', { issuer: 'unreadable' }, 'Reconciling=True, UnknownFormat', 'registry'],
    [
      'by one that is stalled',
      { issuer: { ...registry, status: { conditions: [{ ...stalled, ...times }] } } },
      'Reconciling=True, IssuerNotReady',
      'is broken',
    ],
    ['by one of another type', { issuer: jwt }, 'Stalled=True, UnsupportedByIssuer', 'issuer of type registry'],
    [
      'in a namespace that the issuer does not allow',
      { issuer: { ...registry, spec: { ...registry.spec, allowedNamespaces: { from: 'None' } } } },
      'Stalled=True, NamespaceNotAllowed',
      'namespace team-a',
    ],
    [
      'to adopt',
      { robot: withSpec({ adoptionPolicy: 'Adopt' }, finalized) },
      'Stalled=True, UnsupportedByIssuer',
      'spec.adoptionPolicy',
    ],
    [
      'for the full name of an older one',
      { rivals: [claim(older)] },
      'Stalled=True, UsernameTaken',
      'RobotAccount older in namespace team-a has the full name robot_payments+ci',
    ],
    [
      'for its name',
      { issuer: allowing({ usernames: ['{namespace}.*'] }) },
      'Stalled=True, ExceedsIssuerLimit',
      'spec.name asks for ci',
    ],
    [
      'for its project',
      { issuer: allowing({ projects: ['shop'] }) },
      'Stalled=True, ExceedsIssuerLimit',
      'spec.project asks for payments',
    ],
    [
      'for its permissions',
      { issuer: allowing({ permissions: ['PullArtifacts'] }) },
      'Stalled=True, ExceedsIssuerLimit',
      'spec.permissions asks for PushArtifacts',
    ],
    [
      'for its life',
      { issuer: allowing({ maxLifetime: '89d' }) },
      'Stalled=True, ExceedsIssuerLimit',
      'spec.expiresIn asks for 90d',
    ],
    [
      'for every project',
      { robot: system, issuer: allowing({ projects: ['p*', 's*'] }) },
      'Stalled=True, ExceedsIssuerLimit',
      'spec.projects asks for *',
    ],
  ])('%s', (___, change, reason, words) => {
    const given = { robot: finalized, secret: gone, ...change };
    expect(told(given)).toBe(`Ready=False, ${reason}`);
    expect(message(given)).toContain(words);
  });

  test('not by an issuer that says of itself that it is not stalled', () => {
    const conditions = [{ ...stalled, ...times, status: 'False' as const }];
    const issuer = { ...registry, status: { conditions } };
    expect(decide(seen({ robot: finalized, secret: gone, issuer }), now)).toMatchObject({ do: 'issue' });
  });

  test('a newer one of its full name is no rival', () => {
    const newer = { ...older, metadata: { ...older.metadata, uid: 'z' } };
    expect(told({ rivals: [claim(newer)] })).toBe('Ready=True, Issued');
  });

  test('of two that were made in the same second, the one that was issued first keeps the full name', () => {
    expect(older.metadata.creationTimestamp).toBe(served.metadata.creationTimestamp);
    expect(told({ rivals: [claim(older)] })).toBe('Ready=True, Issued');
    const first = {
      ...older,
      metadata: { ...older.metadata, uid: 'z' },
      status: { ...older.status, tokenID: 'z.3.kq0wfY2nq3Vb1x9T' },
    };
    const given = { robot: finalized, secret: gone };
    expect(told({ ...given, rivals: [claim(first)] })).toBe('Ready=False, Stalled=True, UsernameTaken');
    // Both were issued before either was recorded: the older one logs in, and the other one must not be called ready.
    const twin = {
      ...first,
      metadata: { ...older.metadata },
      status: { ...older.status, tokenID: 'a.3.kq0wfY2nq3Vb1x9T' },
    };
    expect(told({ rivals: [claim(twin)] })).toBe('Ready=False, Stalled=True, UsernameTaken');
    const ofAnother = { ...inputs, issuer: { ...inputs.issuer, uid: 'another' } };
    const leftOver = { ...first, status: { ...first.status, issued: { ...served.status?.issued, inputs: ofAnother } } };
    expect(decide(seen({ ...given, rivals: [claim(leftOver as RobotAccount)] }), now)).toMatchObject({ do: 'issue' });
  });
});

test('the end of a robot has come at its very moment', () => {
  const ended = { robot: withSpec({ notAfter: later(0) }, finalized), secret: gone };
  expect(told(ended)).toBe('Ready=False, Stalled=True, Expired');
  expect(told(ended, new Date(now.getTime() - 1000))).toBe('issue');
});

test('a robot of several projects is one of the system', () => {
  const projects = [{ name: 'shop', permissions: ['PullArtifacts' as const] }, { name: 'payments' }];
  const step = decide(seen({ robot: { ...finalized, spec: { ...systemSpec, projects } }, secret: gone }), now);
  expect(step).toMatchObject({
    do: 'issue',
    wish: {
      username: 'robot_ci',
      robot: {
        permissions: [
          { project: 'payments', defaulted: true },
          { project: 'shop', permissions: ['PullArtifacts'] },
        ],
      },
    },
  });
});

describe('a ceiling that was lowered', () => {
  const lowered = allowing({ permissions: ['PullArtifacts'] });

  test('takes nothing away, and is told', () => {
    expect(told({ issuer: lowered })).toBe('Ready=True, ExceedsIssuerLimit');
    expect(recorded(seen({ issuer: lowered })).status?.permissions).toEqual(served.status?.permissions);
    expect(told({ issuer: lowered }, new Date(served.status?.renewAt ?? ''))).toBe('Ready=True, ExceedsIssuerLimit');
  });

  test('gives nothing more', () => {
    const robot = withSpec({ permissions: ['PushArtifacts', 'PullArtifacts', 'DeleteTag'] });
    expect(told({ robot, issuer: lowered })).toBe('Ready=False, Stalled=True, ExceedsIssuerLimit');
    expect(recorded(seen({ robot, issuer: lowered })).status?.permissions).toEqual(served.status?.permissions);
  });

  test('is served by who asks for less', () => {
    const robot = withSpec({ permissions: ['PullArtifacts'] });
    expect(told({ robot, issuer: lowered })).toBe('Ready=True, Issued');
  });
});

describe('a secret of its own', () => {
  const { rotation: ___, ...unrotated } = served.spec;
  const secretSpec = { ...served.spec.secret, valueFrom: { secretKeyRef: { name: 'mine', key: 'password' } } };
  const asking = { ...finalized, spec: { ...unrotated, secret: secretSpec } };
  const found: SourceSeen = { state: 'found', uid: 'mine-uid', resourceVersion: '90', broken: [] };
  const ref = { name: 'mine', key: 'password', uid: 'mine-uid', resourceVersion: '90' };
  const source: RobotInputs['robot'] = { ...inputs.robot, source: ref };
  const own = madeFrom({ robot: source }, { ...served, spec: { ...unrotated, secret: secretSpec } });
  const broken = { ...found, resourceVersion: '91', broken: ['at least 8 characters', 'a digit'] };

  test('is waited for', () => {
    const given = { robot: asking, secret: gone, source: { state: 'absent', what: 'secret' } } as const;
    expect(told(given)).toBe('Ready=False, Reconciling=True, SourceNotFound');
    expect(message(given)).toContain('Secret mine, which spec.secret.valueFrom names, does not exist');
    const noKey = { ...given, source: { state: 'absent', what: 'key' } } as const;
    expect(message(noKey)).toContain('has no key password');
  });

  test('is told by what it breaks', () => {
    const given = { robot: asking, secret: gone, source: broken };
    expect(told(given)).toBe('Ready=False, Stalled=True, SourceInvalid');
    expect(message(given)).toContain('the key password of Secret mine');
    expect(message(given)).toContain('it must have at least 8 characters, a digit');
  });

  test('is issued with where it was read', () => {
    const step = decide(seen({ robot: asking, secret: gone, source: found }), now);
    expect(step).toMatchObject({ do: 'issue', cause: 'first', wish: { robot: { source: ref } } });
    expect(told({ ...own, source: found })).toBe('Ready=True, Issued');
  });

  test.each<[string, Partial<Situation>]>([
    ['has another version', { source: { ...found, resourceVersion: '91' } }],
    ['was made anew', { source: { ...found, uid: 'another' } }],
    [
      'is in another key',
      {
        source: found,
        robot: {
          ...own.robot,
          spec: {
            ...own.robot.spec,
            secret: { ...secretSpec, valueFrom: { secretKeyRef: { name: 'mine', key: 'other' } } },
          },
        },
      },
    ],
    ['is not asked for any more', { robot: { ...own.robot, spec: unrotated } }],
  ])('that %s is served by a new issue', (____, change) => {
    expect(decide(seen({ ...own, ...change }), now)).toMatchObject({
      do: 'issue',
      cause: 'rotated',
      overlapSeconds: 0,
    });
  });

  test('that is asked for instead of a generated one is served by a new issue', () => {
    const robot = { ...served, spec: { ...unrotated, secret: secretSpec } };
    expect(decide(seen({ robot, source: found }), now)).toMatchObject({ do: 'issue', cause: 'rotated' });
  });

  test('that is gone leaves the robot with the one that it has, and is told', () => {
    const given = { ...own, source: { state: 'absent', what: 'secret' } } as const;
    expect(told(given)).toBe('Ready=True, SourceNotFound');
    expect(message(given)).toContain('does not exist');
    expect(told({ ...given, secret: gone })).toBe('Ready=False, Reconciling=True, SourceNotFound');
    const { status } = recorded(seen({ ...given, robot: withSpec({ permissions: ['PullArtifacts'] }, own.robot) }));
    expect(status?.permissions).toEqual([{ project: 'payments', permissions: ['PullArtifacts'] }]);
  });

  test('that has become one against the rules is told, and the one before works on', () => {
    const given = { ...own, source: broken };
    expect(told(given)).toBe('Ready=False, Stalled=True, SourceInvalid');
    expect(recorded(seen(given)).status?.tokenID).toBe(served.status?.tokenID);
  });
});
