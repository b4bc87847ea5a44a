import { describe, expect, test } from 'vitest';
import { replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
import { robotInputsOf } from '../../src/decide/inputs-of.ts';
import { later, now, inputs as tokenInputs } from './healthy.ts';
import {
  fresh,
  inputs,
  madeFrom,
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
  withSpec,
} from './robots.ts';

const absent = { state: 'absent', confirmed: false } as const;
const gone = { state: 'absent', confirmed: true } as const;
const finalized: RobotAccount = { ...fresh, metadata: served.metadata };
const annotated = (annotations: Record<string, string>): RobotAccount => ({
  ...served,
  metadata: { ...served.metadata, annotations },
});

test('a robot that is served is left alone until its renewal', () => {
  expect(decide(seen(), now)).toEqual({ do: 'rest', until: new Date(served.status?.renewAt ?? '') });
});

describe('the first issue', () => {
  const first = { ...inputs, robot: { id: 18, verifier: 'v1.12345678.hmac.of-revision-1' } };
  const made = secretOf(first, { revision: 1, tokenID: `${uid}.1.any` });

  test('begins with the finalizer, and goes on with the Secret', () => {
    expect(decide(seen({ robot: fresh, secret: absent }), now)).toEqual({ do: 'add-finalizer' });
    const step = decide(seen({ robot: finalized, secret: absent }), now);
    expect(step).toMatchObject({
      do: 'issue',
      cause: 'first',
      revision: 1,
      overlapSeconds: 0,
      wish: {
        username: 'robot_payments+ci',
        robot: {
          host: 'registry.example.com',
          permissions: [{ project: 'payments', permissions: ['PushArtifacts', 'PullArtifacts'] }],
        },
      },
    });
  });

  test('ends with one write of all that is known, and then rests', () => {
    const robot = recorded(seen({ robot: finalized, secret: made }));
    expect(robot.status).toMatchObject({
      id: 18,
      fullName: 'robot_payments+ci',
      createdAt: '2026-11-01T00:00:00Z',
      enabled: true,
      permissions: [{ project: 'payments', permissions: ['PushArtifacts', 'PullArtifacts'] }],
      tokenID: `${uid}.1.any`,
      revision: 1,
      issued: { inputs: first },
    });
    expect(robot.status).not.toHaveProperty('withoutEffect');
    expect(decide(seen({ robot, secret: made }), now).do).toBe('rest');
    expect(told({ robot, secret: made })).toBe('Ready=True, Issued');
  });

  test('gives no permission that the issuer does not allow at the time of the record', () => {
    const issuer = { ...registry, spec: { ...registry.spec, limits: {} } };
    const robot = recorded(seen({ robot: finalized, secret: made, issuer }));
    expect(robot.status?.tokenID).toBe(`${uid}.1.any`);
    expect(robot.status).not.toHaveProperty('permissions');
    expect(told({ robot, secret: made, issuer })).toBe('Ready=False, Stalled=True, ExceedsIssuerLimit');
  });

  test('records permissions that were left out as those of this version, and keeps them', () => {
    const { permissions: _, ...spec } = finalized.spec;
    const robot = recorded(seen({ robot: { ...finalized, spec }, secret: made }));
    expect(robot.status?.permissions).toMatchObject([{ project: 'payments', defaulted: true }]);
    expect(robot.status?.permissions?.[0]?.permissions).toHaveLength(10);
    expect(robot.status?.withoutEffect).toEqual(['CreateArtifactLabels', 'CreateScan']);
    const earlier = [{ project: 'payments', permissions: ['PullArtifacts'], defaulted: true }];
    const { withoutEffect: __, ...status } = robot.status ?? {};
    const old = { ...robot, spec, status: { ...status, permissions: earlier } };
    expect(decide(seen({ robot: old, secret: made }), now)).toMatchObject({ do: 'rest' });
  });
});

test('what a secret is made from is recorded with what checks it, and without its permissions', () => {
  const step = decide(seen({ robot: finalized, secret: absent }), now) as Step & { do: 'issue' };
  const made = robotInputsOf(finalized, step, { id: 18, verifier: 'v1', now });
  expect(made).toEqual({
    ...inputs,
    robot: { id: 18, createdAt: later(0), verifier: 'v1' },
    issuedAt: later(0),
    expiresAt: later(90 * 86_400),
    handled: {},
    overlapSeconds: 0,
    replaces: false,
    digest: '',
  });
});

describe('a new secret is issued', () => {
  const dueAt = new Date(served.status?.renewAt ?? '');
  const rotating = withSpec({ rotation: { overlap: '1h' } });
  const rotate = annotated({ [rotateAnnotation]: '1' });
  const edited = { ...secret, resourceVersion: '41', digest: 'operator-key.digest-of-something-else' };

  test.each<[string, Partial<Situation>, Partial<Step & { do: 'issue' }>, Date?]>([
    ['when its renewal is due', {}, { cause: 'renewal', overlapSeconds: 0, replaces: false }, dueAt],
    ['with the overlap that is chosen', { robot: rotating }, { cause: 'renewal', overlapSeconds: 3600 }, dueAt],
    ['when it is asked for', { robot: rotate }, { cause: 'rotated', overlapSeconds: 0, replaces: false }],
    ['when it has leaked', { robot: annotated({ [replaceAnnotation]: '1' }) }, { cause: 'replaced', replaces: true }],
    ['when its Secret is lost', { secret: gone }, { cause: 'lost', overlapSeconds: 0, over: undefined }],
    ['when its Secret was edited', { secret: edited }, { cause: 'edited', overlapSeconds: 0, over: edited }],
  ])('%s', (_, change, expected, time = now) => {
    const step = decide(seen({ ...change, at: time }), time);
    expect(step).toMatchObject({ do: 'issue', revision: 4, ...expected });
  });

  test('and the one before is checked by its own verifier as long as its overlap lasts', () => {
    const next = { ...inputs, overlapSeconds: 3600, replaces: false, robot: { id: 17, verifier: 'of-revision-4' } };
    const made = secretOf(next, { revision: 4, tokenID: `${uid}.4.any` });
    const { status } = recorded(seen({ robot: rotating, secret: made }));
    const verifier = 'v1.12345678.hmac.of-revision-3';
    expect(status?.previous).toEqual([{ tokenID, revokeAt: later(3600), revision: 3, verifier }]);
    expect(status).toMatchObject({ id: 17, createdAt: '2026-06-01T00:00:00Z', revision: 4 });
  });

  test('and without overlap the one before is forgotten', () => {
    const next = { ...inputs, overlapSeconds: 0, replaces: false };
    const made = secretOf(next, { revision: 4, tokenID: `${uid}.4.any` });
    expect(recorded(seen({ secret: made })).status).not.toHaveProperty('previous');
  });

  test('but not for what is served without one', () => {
    const changes: Partial<RobotAccount['spec']>[] = [
      { permissions: ['PullArtifacts'] },
      { description: 'another' },
      { expiresIn: '91d' },
      { notAfter: '2027-01-01T00:00:00Z' },
      { disabled: true },
      { deletionPolicy: 'Retain' },
    ];
    for (const change of changes) expect(decide(seen({ robot: withSpec(change) }), now).do).not.toBe('issue');
  });
});

describe('permissions', () => {
  test.each<[string, RobotAccount['spec']['permissions'], readonly string[]]>([
    ['fewer', ['PullArtifacts'], ['PullArtifacts']],
    ['more', ['PullArtifacts', 'PushArtifacts', 'CreateTag'], ['PushArtifacts', 'PullArtifacts', 'CreateTag']],
  ])('%s are in force with one write of the status', (_, permissions, inForce) => {
    const robot = recorded(seen({ robot: withSpec({ permissions: permissions ?? [] }) }));
    expect(robot.status?.permissions).toEqual([{ project: 'payments', permissions: inForce }]);
    expect(robot.status?.tokenID).toBe(tokenID);
    expect(decide(seen({ robot }), now).do).toBe('rest');
  });

  test('in another order are the same', () => {
    const robot = withSpec({ permissions: ['PullArtifacts', 'PushArtifacts'] });
    const step = decide(seen({ robot }), now);
    expect(step).toMatchObject({ do: 'write-status' });
    expect(step.do === 'write-status' && step.patch).not.toHaveProperty('permissions');
  });

  test('that mean nothing at a registry are named', () => {
    const { status } = recorded(seen({ robot: withSpec({ permissions: ['PullArtifacts', 'CreateScan'] }) }));
    expect(status?.withoutEffect).toEqual(['CreateScan']);
  });

  test('that mean nothing and are taken away are named no more, also when the issuer is gone', () => {
    const before = recorded(seen({ robot: withSpec({ permissions: ['PullArtifacts', 'CreateScan'] }) }));
    const robot = withSpec({ permissions: ['PullArtifacts'] }, before);
    expect(recorded(seen({ robot, issuer: undefined })).status).not.toHaveProperty('withoutEffect');
  });

  test('that the spec names no more are all ten: what was named before is no default of an earlier version', () => {
    const { permissions: _, ...spec } = served.spec;
    const { status } = recorded(seen({ robot: { ...served, spec } }));
    expect(status?.permissions).toMatchObject([{ project: 'payments', defaulted: true }]);
    expect(status?.permissions?.[0]?.permissions).toHaveLength(10);
  });

  test.each<[string, Partial<Situation>]>([
    ['the issuer allows nothing any more', { issuer: { ...registry, spec: { ...registry.spec, limits: {} } } }],
    ['the issuer is gone', { issuer: undefined }],
  ])('that are taken away go, and none is added, also when %s', (_, change) => {
    const robot = withSpec({ permissions: ['PullArtifacts', 'CreateTag'] });
    const { status } = recorded(seen({ robot, ...change }));
    expect(status?.permissions).toEqual([{ project: 'payments', permissions: ['PullArtifacts'] }]);
  });

  test('of a project that is taken out go', () => {
    const projects = (...names: string[]) => names.map(name => ({ name, permissions: ['PullArtifacts' as const] }));
    const { project: _, permissions: __, ...spec } = served.spec;
    const inForce = projects('payments', 'shop').map(({ name, permissions }) => ({ project: name, permissions }));
    const robot = { ...served, spec: { ...spec, projects: projects('shop') } };
    const status = { ...served.status, permissions: inForce };
    const after = recorded(seen({ robot: { ...robot, status }, issuer: undefined }));
    expect(after.status?.permissions).toEqual([{ project: 'shop', permissions: ['PullArtifacts'] }]);
  });

  test('are served also while its Secret cannot be written', () => {
    const permissions = ['PullArtifacts' as const];
    const robot = withSpec({ permissions }, annotated({ [rotateAnnotation]: '1' }));
    const refused = { Write: { operation: 'Write', reason: 'WriteRefused', message: 'no' } } as const;
    const { status } = recorded(seen({ robot, refused }));
    expect(status).toMatchObject({ retry: { attempts: 1 }, permissions: [{ project: 'payments', permissions }] });
  });

  test('of a robot that is paused stay, less what its spec has taken away', () => {
    const paused = annotated({ 'botmint.dev/paused': 'true' });
    const fewer = recorded(seen({ robot: withSpec({ permissions: ['PullArtifacts'] }, paused) }));
    expect(fewer.status?.permissions).toEqual([{ project: 'payments', permissions: ['PullArtifacts'] }]);
    const more = recorded(seen({ robot: withSpec({ permissions: ['PullArtifacts', 'CreateTag'] }, paused) }));
    expect(more.status?.permissions).toEqual(fewer.status?.permissions);
  });
});

describe('a robot that is disabled', () => {
  const disabled = withSpec({ disabled: true });
  const { rotation: _, ...unrotated } = disabled.spec;
  const ended = { ...disabled, spec: { ...unrotated, notAfter: later(-60) } };

  test('is Ready, has its secret, and is said to be disabled', () => {
    expect(told({ robot: disabled })).toBe('Ready=True, Disabled');
    expect(recorded(seen({ robot: disabled })).status).toMatchObject({ enabled: false, tokenID });
  });

  test.each<[string, Partial<Situation>, Date?]>([
    ['when a renewal is due', {}, new Date(served.status?.renewAt ?? '')],
    ['when one is asked for', { robot: withSpec({ disabled: true }, annotated({ [rotateAnnotation]: '1' })) }],
    ['when its Secret is lost', { secret: gone }],
    ['when nothing was issued', { robot: withSpec({ disabled: true }, finalized), secret: gone }],
    ['when it is past its end', madeFrom({ expiresAt: later(-60) }, ended)],
  ])('gets no secret %s', (_, change, time = now) => {
    expect(told({ robot: disabled, ...change }, time)).toBe('Ready=True, Disabled');
  });

  test('is said to be disabled also while it is paused', () => {
    const robot = withSpec({ disabled: true }, annotated({ 'botmint.dev/paused': 'true' }));
    expect(recorded(seen({ robot })).status?.enabled).toBe(false);
  });

  test('goes on with the same secret when it is enabled', () => {
    const robot = recorded(seen({ robot: disabled }));
    const again = withSpec({ disabled: false }, robot);
    expect(recorded(seen({ robot: again })).status).toMatchObject({ enabled: true, tokenID });
    expect(told({ robot: again })).toBe('Ready=True, Issued');
  });

  test('is given other permissions all the same, but none above a ceiling', () => {
    const permissions = ['PullArtifacts' as const];
    const robot = withSpec({ disabled: true, permissions });
    expect(recorded(seen({ robot })).status?.permissions).toEqual([{ project: 'payments', permissions }]);
    const more = withSpec({ disabled: true, permissions: ['PushArtifacts', 'PullArtifacts', 'CreateTag'] });
    expect(recorded(seen({ robot: more })).status?.permissions?.[0]?.permissions).toContain('CreateTag');
    const issuer = { ...registry, spec: { ...registry.spec, limits: {} } };
    expect(recorded(seen({ robot: more, issuer })).status?.permissions).toEqual(served.status?.permissions);
  });

  test('has no pods restarted', () => {
    const restart = [{ kind: 'Deployment', name: 'web' } as const];
    const rollout = { tokenID, startedAt: later(-5), givesUpAt: later(3600) };
    const rolling = (robot: RobotAccount) => ({ ...robot, status: { ...robot.status, rollout } });
    expect(decide(seen({ robot: rolling(withSpec({ restart })) }), now).do).toBe('read-workloads');
    const robot = recorded(seen({ robot: rolling(withSpec({ restart, disabled: true })) }));
    expect(decide(seen({ robot }), now).do).toBe('rest');
  });
});

test('what is recorded of a token is not taken for that of a robot', () => {
  const issued = { inputs: tokenInputs, secret: { name: 'ci', uid: 'secret-uid', resourceVersion: '40' } };
  const robot = { ...served, status: { ...served.status, issued } };
  expect(told({ robot })).toBe('Ready=False, Stalled=True, UnknownFormat');
});

test('a robot that is deleted goes with its Secret', () => {
  const robot = { ...served, metadata: { ...served.metadata, deletionTimestamp: later(-1) } };
  expect(decide(seen({ robot }), now)).toMatchObject({ do: 'delete-secret', cause: 'revoked' });
  expect(decide(seen({ robot, secret: gone }), now)).toEqual({ do: 'remove-finalizer' });
});
