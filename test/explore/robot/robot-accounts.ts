import { ClusterTokenIssuer, isOfType } from '../../../src/api/cluster-token-issuer.ts';
import { inUseFinalizer } from '../../../src/api/names.ts';
import { permissions } from '../../../src/api/permissions.ts';
import { RobotAccount } from '../../../src/api/robot-account.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { rendered } from '../../../src/controllers/secret-writes.ts';
import type { PrincipalSeen, Step } from '../../../src/decide/credential-seen.ts';
import { robotInputsOf } from '../../../src/decide/inputs-of.ts';
import { type AuthoritySeen, decide as decideIssuer } from '../../../src/decide/registry-issuer.ts';
import { robotAccounts } from '../../../src/decide/robot-account.ts';
import { isRobotSuspended, robotGrant, type SourceSeen } from '../../../src/decide/robot-grant.ts';
import { accountOf } from '../../../src/issuers/registry/live.ts';
import { withoutEffect } from '../../../src/issuers/registry/permissions.ts';
import { withoutFinalizer } from '../../../src/kube/finalizer.ts';
import { applyMergePatch } from '../../base/apply-merge-patch.ts';
import { fresh, registry } from '../../decide/robots.ts';
import { digestKey, type Effect } from '../credential/acting.ts';
import type { Contents } from '../credential/contents.ts';
import type { Manifests, Published, View, Walked } from '../credential/kind.ts';
import { countsForIssuer, type Sight } from '../credential/observing.ts';
import { eventsOf } from './events.ts';
import { wrongAtRest, wrongNow, wrongStep } from './rules.ts';
import { brokenRulesOf, type Source } from './source.ts';
import { shownOf, verifierOf } from './verifying.ts';

/** RobotAccounts, beside which may stand the Secret with an own secret. */
export const robotAccountWorld: Walked<RobotAccount, Source> = {
  kind: robotAccounts,
  words: { object: 'robot', beside: 'source' },
  parse: body => RobotAccount.parse(body),
  manifests,
  events: eventsOf,
  principal,
  minted,
  // Whoever brings an own secret sees to it.
  besideEffect: () => ({ do: 'rest' }),
  issuerEffect,
  countsForBeside: () => false,
  shownBy: (_, inputs) => (inputs.robot === undefined ? undefined : shownOf(inputs.robot.verifier)),
  isLive,
  wrongNow,
  wrongStep,
  wrongAtRest,
};

function manifests({
  objects,
  spec,
}: {
  objects: 1 | 2;
  spec: Partial<RobotAccount['spec']> | undefined;
}): Manifests<RobotAccount, Source> {
  const robot: RobotAccount = {
    ...fresh,
    metadata: { ...fresh.metadata, uid: 'robot-1' },
    spec: { ...fresh.spec, expiresIn: '4d', ...spec },
  };
  const metadata = { ...robot.metadata, name: 'other', uid: 'robot-2', creationTimestamp: '2026-11-02T00:00:00Z' };
  const other = { ...robot, metadata, spec: { ...robot.spec, secret: { ...robot.spec.secret, name: 'ci' } } };
  return {
    objects: objects === 2 ? [robot, other] : [robot],
    beside: undefined,
    issuer: {
      ...registry,
      metadata: { ...registry.metadata, finalizers: [inUseFinalizer] },
      spec: { ...registry.spec, limits: { usernames: ['*'], projects: ['*'], permissions: ['*'] } },
    },
  };
}

function principal(sight: Sight<RobotAccount, Source>, robot: RobotAccount): PrincipalSeen {
  const seen = {
    issuer: sight.issuer(),
    namespaceLabels: {},
    rivals: [],
    source: robot.spec.secret.valueFrom === undefined ? undefined : sourceSeen(sight.beside()),
    withoutEffect: withoutEffect(permissions),
  };
  const grant = robotGrant(robot, seen, sight.now);
  return { state: 'self', suspended: isRobotSuspended(robot, sight.now), grant };
}

function sourceSeen(source: Source | undefined): SourceSeen {
  if (source === undefined) return { state: 'absent', what: 'secret' };
  if (source.value === undefined) return { state: 'absent', what: 'key' };
  const { uid } = source.metadata;
  return { state: 'found', uid, resourceVersion: source.at, broken: brokenRulesOf(source) };
}

/** As the controller mints it: an own secret is read at the very version that was decided about. */
function minted(
  robot: RobotAccount,
  step: Step & { do: 'issue' },
  { nonce, now, beside }: { nonce: number; now: Date; beside: Source | undefined },
) {
  const { wish, revision } = step;
  const { uid } = robot.metadata;
  const tokenID = `${uid}.${revision}.${nonce}`;
  const source = wish.robot?.source;
  if (source !== undefined && (beside?.metadata.uid !== source.uid || beside.at !== source.resourceVersion))
    return undefined;
  const secret = source === undefined ? `made:${tokenID}` : beside?.value;
  if (secret === undefined) return undefined;
  // Numbers are never given twice: a robot that has one keeps it.
  const id = robot.status?.id ?? 10 * revision + nonce;
  const inputs = robotInputsOf(robot, step, { id, verifier: verifierOf({ uid, revision }, secret), now });
  return rendered(new SecretValue(secret), { revision, tokenID, inputs }, digestKey);
}

/** As the token server asks. */
function isLive(
  { uid, shown }: Published,
  { now, objects, issuer, secret }: Omit<View<RobotAccount, Source>, 'live'>,
): boolean {
  const robot = objects.find(one => one?.metadata.uid === uid);
  const account = robot && issuer && accountOf(robot, issuer.metadata, secret);
  if (account === undefined || account.disabled) return false;
  if (account.expiresAt !== undefined && account.expiresAt <= now) return false;
  const live = account.verifiers.filter(({ until }) => until === undefined || now < until);
  return live.some(each => each.verifier === verifierOf({ uid, revision: each.revision }, shown));
}

const authority: AuthoritySeen = {
  certificate: 'the CA',
  fingerprint: 'the CA',
  validFrom: new Date('2026-01-01T00:00:00Z'),
  validTo: new Date('2036-01-01T00:00:00Z'),
};

/** What the real decision says of an issuer that is being deleted. Its chain is whole and stays as it is. */
function issuerEffect(sight: Sight<RobotAccount, Source>, contents: Contents<RobotAccount, Source>): Effect<Source> {
  const issuer = sight.issuer();
  if (issuer?.metadata.deletionTimestamp === undefined || !isOfType(issuer, 'registry')) return { do: 'rest' };
  const { validFrom } = authority;
  const step = decideIssuer(
    {
      issuer,
      published: [authority],
      authoritySecret: { name: 'authority', state: 'intact', current: authority, next: undefined },
      leaf: { state: 'intact', by: authority, validFrom, renewAt: new Date('2030-01-01T00:00:00Z') },
      credentials: sight.objects().filter(robot => countsForIssuer(issuer, robot)).length,
      unknownCredentials: 0,
      confirmedCredentials: sight.counted(),
    },
    sight.now,
  );
  if (step.do === 'confirm-credentials') return { do: 'confirm', what: 'count' };
  if (step.do !== 'remove-finalizer') return { do: 'rest' };
  const after = ClusterTokenIssuer.parse(applyMergePatch(issuer, withoutFinalizer(issuer, inUseFinalizer) ?? {}));
  const isGone = (after.metadata.finalizers ?? []).length === 0;
  return { do: 'write-issuer', content: isGone ? 0 : contents.numberOfIssuer(after) };
}
