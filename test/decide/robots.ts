import type { IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { conditionsOf } from '../../src/api/conditions.ts';
import type { RobotInputs } from '../../src/api/inputs.ts';
import { revokeFinalizer } from '../../src/api/names.ts';
import { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Observed, OwnSecret, SecretSeen, Step } from '../../src/decide/credential-seen.ts';
import { isSuspended, uidOf, type VerifierKeys } from '../../src/decide/grant.ts';
import { robotAccounts } from '../../src/decide/robot-account.ts';
import { type RobotSeen, robotGrant } from '../../src/decide/robot-grant.ts';
import { wantedMetadata } from '../../src/decide/secret-metadata.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { now } from './healthy.ts';

// One robot with one secret of 90 days, its third, a month after its issue; each test changes the one thing it is about.
export const uid = 'a3a7e0b5-0d58-4a3c-8a53-1a0b3f3b7a10';
export const tokenID = `${uid}.3.kq0wfY2nq3Vb1x9T`;
const born = { resourceVersion: '7', generation: 1, creationTimestamp: '2026-11-01T00:00:00Z' };

export const registry: IssuerOf<'registry'> = {
  metadata: { name: 'registry', uid: 'registry-uid', ...born },
  spec: {
    registry: {
      service: 'registry.example.com',
      issuer: 'botmint',
      host: 'registry.example.com',
      robotPrefix: 'robot_',
      tokenLifetime: '5m',
    },
    allowedNamespaces: { from: 'All' },
    limits: { usernames: ['*'], projects: ['payments', 'shop'], permissions: ['*'] },
  },
};

export const inputs: RobotInputs = {
  format: 1,
  username: 'robot_payments+ci',
  issuer: { kind: 'ClusterTokenIssuer', name: 'registry', uid: 'registry-uid' },
  host: 'registry.example.com',
  robot: { id: 17, verifier: 'v1.12345678.hmac.of-revision-3' },
  expiresIn: '90d',
  issuedAt: '2026-11-01T00:00:00Z',
  expiresAt: '2027-01-30T00:00:00Z',
  secret: { data: [{ key: '.dockerconfigjson', format: 'DockerConfigJSON' }], labels: {}, annotations: {} },
  digest: 'operator-key.digest-of-the-data',
};

/** Applied and seen by nobody yet. */
export const fresh: RobotAccount = {
  metadata: { name: 'ci', namespace: 'team-a', uid, ...born },
  spec: {
    issuerRef: { kind: 'ClusterTokenIssuer', name: 'registry' },
    project: 'payments',
    permissions: ['PushArtifacts', 'PullArtifacts'],
    expiresIn: '90d',
    adoptionPolicy: 'Refuse',
    deletionPolicy: 'Delete',
    rotation: {},
    secret: {
      type: 'kubernetes.io/dockerconfigjson',
      data: [{ key: '.dockerconfigjson', format: 'DockerConfigJSON' }],
    },
  },
  status: { observedGeneration: -1 },
};

/** Recorded and Ready, with a renewal ahead. */
export const served: RobotAccount = {
  ...fresh,
  metadata: { ...fresh.metadata, finalizers: [revokeFinalizer] },
  status: {
    observedGeneration: 1,
    conditions: conditionsOf(
      { state: 'ready', reason: 'Issued', message: 'the credential is in Secret ci; it ends at 2027-01-30T00:00:00Z' },
      undefined,
      1,
      new Date('2026-11-01T00:00:00Z'),
    ),
    id: 17,
    fullName: 'robot_payments+ci',
    createdAt: '2026-06-01T00:00:00Z',
    enabled: true,
    permissions: [{ project: 'payments', permissions: ['PushArtifacts', 'PullArtifacts'] }],
    tokenID,
    revision: 3,
    issuedAt: '2026-11-01T00:00:00Z',
    expiresAt: '2027-01-30T00:00:00Z',
    renewAt: '2026-12-29T11:08:43Z',
    secretName: 'ci',
    issued: { inputs, secret: { name: 'ci', uid: 'secret-uid', resourceVersion: '40' } },
  },
};

export const secret: OwnSecret = secretOf(inputs);

/** The Secret with the credential that was made from these inputs. */
export function secretOf(made: RobotInputs, marks: { revision?: number; tokenID?: string } = {}): OwnSecret {
  return {
    state: 'ours',
    uid: 'secret-uid',
    resourceVersion: '40',
    metadata: wantedMetadata({ kind: robotAccounts, object: served }, { revision: 3, tokenID, ...marks, inputs: made }),
    digest: made.digest,
    unreadable: false,
  };
}

export interface Situation extends RobotSeen {
  robot: RobotAccount;
  secret: SecretSeen;
  confirmed: Partial<Observed['confirmed']>;
  at: Date;
  refused: Observed['refused'];
  verifierKeys: VerifierKeys | undefined;
}

/** The healthy situation with something else about it, as an operator sees it. */
export function seen(change: Partial<Situation> = {}): Observed {
  const { robot = served, at = now } = change;
  const around: RobotSeen = {
    issuer: registry,
    namespaceLabels: {},
    rivals: [],
    withoutEffect: ['CreateArtifactLabels', 'CreateScan'],
    ...change,
  };
  return {
    kind: robotAccounts,
    object: robot,
    principal: {
      state: 'self',
      suspended: isSuspended(robot, at),
      issuerUID: uidOf(around),
      grant: robotGrant(robot, around, at),
      verifierKeys: change.verifierKeys,
    },
    secret: change.secret ?? secret,
    confirmed: { principal: false, issuer: false, ...change.confirmed },
    listed: new Map(),
    revocations: [],
    lostIssuer: undefined,
    earlierClaim: undefined,
    refused: change.refused ?? {},
    targets: new Map(),
  };
}

export function withSpec(spec: Partial<RobotAccount['spec']>, robot: RobotAccount = served): RobotAccount {
  return { ...robot, metadata: { ...robot.metadata, generation: 2 }, spec: { ...robot.spec, ...spec } };
}

/** With another record, in Secret and status alike. */
export function madeFrom(
  change: Partial<RobotInputs>,
  robot: RobotAccount = served,
): Pick<Situation, 'robot' | 'secret'> {
  const made = { ...inputs, ...change };
  const issued = { inputs: made, secret: { name: 'ci', uid: 'secret-uid', resourceVersion: '40' } };
  const expiresAt = made.expiresAt === undefined ? {} : { expiresAt: made.expiresAt };
  return { robot: { ...robot, status: { ...robot.status, ...expiresAt, issued } }, secret: secretOf(made) };
}

/** The robot after its next step, which has to be a write of its status. */
export function recorded(given: Observed, time = now): RobotAccount {
  return after(given, decide(given, time));
}

function after({ object }: Observed, step: Step): RobotAccount {
  if (step.do !== 'write-status') throw new Error(`not a status write: ${step.do}`);
  return RobotAccount.parse(applyMergePatch(object, { status: step.patch }));
}

/** What the conditions say once nothing is left to do but to say it; else the step. */
export function told(change: Partial<Situation> = {}, time = now): string {
  const given = seen({ ...change, at: time });
  const step = decide(given, time);
  if (step.do === 'write-status') return told({ ...change, robot: after(given, step) }, time);
  if (step.do !== 'rest') return step.do;
  const conditions = new Map(given.object.status?.conditions?.map(condition => [condition.type, condition]));
  const held = ['Reconciling', 'Stalled'].filter(type => conditions.get(type)?.status === 'True');
  const ready = conditions.get('Ready');
  return [`Ready=${ready?.status}`, ...held.map(type => `${type}=True`), ready?.reason].join(', ');
}

/** What a person reads beside it. */
export function message(change: Partial<Situation>, time = now): string | undefined {
  return recorded(seen({ ...change, at: time }), time).status?.conditions?.[0]?.message;
}
