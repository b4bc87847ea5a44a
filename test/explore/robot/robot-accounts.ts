import { ClusterTokenIssuer, isOfType } from '../../../src/api/cluster-token-issuer.ts';
import type { Inputs } from '../../../src/api/inputs.ts';
import { inUseFinalizer } from '../../../src/api/names.ts';
import { permissions } from '../../../src/api/permissions.ts';
import { RobotAccount } from '../../../src/api/robot-account.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { rendered } from '../../../src/controllers/secret-writes.ts';
import type { PrincipalSeen, Step } from '../../../src/decide/credential-seen.ts';
import { isSuspended, uidOf } from '../../../src/decide/grant.ts';
import { robotInputsOf } from '../../../src/decide/inputs-of.ts';
import { ownRecordOf, type SourceSeen } from '../../../src/decide/own-secret.ts';
import { decide as decideIssuer } from '../../../src/decide/registry-issuer.ts';
import type { AuthoritySeen } from '../../../src/decide/registry-issuer-seen.ts';
import { numberAt, robotAccounts, toBeMade } from '../../../src/decide/robot-account.ts';
import { robotGrant } from '../../../src/decide/robot-grant.ts';
import { accountOf } from '../../../src/issuers/registry/live.ts';
import { withoutEffect } from '../../../src/issuers/registry/permissions.ts';
import { withoutFinalizer } from '../../../src/kube/finalizer.ts';
import { applyMergePatch } from '../../base/apply-merge-patch.ts';
import { fresh, registry } from '../../decide/robots.ts';
import { digestKey, type Effect } from '../credential/acting.ts';
import type { Contents } from '../credential/contents.ts';
import type { By, Manifests, Published, View, Walked } from '../credential/kind.ts';
import { countsForIssuer, type Sight } from '../credential/observing.ts';
import { eventsOf } from './events.ts';
import { wrongAtRest, wrongNow, wrongStep } from './rules.ts';
import { brokenRulesOf, type Surroundings, surroundings } from './source.ts';
import { known, matches, newestOf, shownOf, verifierOf } from './verifying.ts';

/** RobotAccounts, beside which may stand the Secret with an own secret, and stands the key of their verifiers. */
export const robotAccountWorld: Walked<RobotAccount, Surroundings> = {
  kind: robotAccounts,
  words: { object: 'robot', beside: 'surroundings' },
  parse: body => RobotAccount.parse(body),
  manifests,
  events: eventsOf,
  principal,
  minted,
  remade,
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
}): Manifests<RobotAccount, Surroundings> {
  const robot: RobotAccount = {
    ...fresh,
    metadata: { ...fresh.metadata, uid: 'robot-1' },
    spec: { ...fresh.spec, expiresIn: '4d', ...spec },
  };
  const metadata = { ...robot.metadata, name: 'other', uid: 'robot-2', creationTimestamp: '2026-11-02T00:00:00Z' };
  const other = { ...robot, metadata, spec: { ...robot.spec, secret: { ...robot.spec.secret, name: 'ci' } } };
  return {
    objects: objects === 2 ? [robot, other] : [robot],
    beside: surroundings,
    issuer: {
      ...registry,
      metadata: { ...registry.metadata, finalizers: [inUseFinalizer] },
      spec: { ...registry.spec, limits: { usernames: ['*'], projects: ['*'], permissions: ['*'] } },
    },
  };
}

function principal(sight: Sight<RobotAccount, Surroundings>, robot: RobotAccount): PrincipalSeen {
  const seen = {
    issuer: sight.issuer(),
    namespaceLabels: {},
    rivals: [],
    source: robot.spec.secret.valueFrom === undefined ? undefined : sourceSeen(robot, sight.beside()),
    withoutEffect: withoutEffect(permissions),
  };
  const grant = robotGrant(robot, seen, sight.now);
  const verifierKeys = known((sight.beside() ?? surroundings).keys);
  return { state: 'self', suspended: isSuspended(robot, sight.now), issuerUID: uidOf(seen), grant, verifierKeys };
}

/** As the controller sees it, which asks the recorded verifier whether the value is the one that is in force. */
function sourceSeen(robot: RobotAccount, { source, keys }: Surroundings = surroundings): SourceSeen {
  if (source === undefined) return { state: 'absent', what: 'secret' };
  if (source.value === undefined) return { state: 'absent', what: 'key' };
  const { value: secret, uid, at } = source;
  const found = { state: 'found', uid, resourceVersion: at, broken: brokenRulesOf(source) } as const;
  const record = ownRecordOf(robot);
  if (record === undefined) return found;
  const subject = { uid: robot.metadata.uid, revision: record.revision };
  const isSame = matches(record.inputs.robot.verifier, subject, { secret, keys });
  return isSame ? { ...found, sameAs: record.tokenID } : found;
}

/** As the controller mints it: with the key that the process knows; an own secret is read at the very version that was decided about. */
function minted(robot: RobotAccount, step: Step & { do: 'issue' }, { nonce, now, beside, seen }: By<Surroundings>) {
  const { wish, revision } = step;
  const { uid } = robot.metadata;
  const tokenID = `${uid}.${revision}.${nonce}`;
  const [source, found] = [wish.robot?.source, beside?.source];
  if (source !== undefined && (found?.uid !== source.uid || found.at !== source.resourceVersion)) return undefined;
  const secret = source === undefined ? `made:${tokenID}` : found?.value;
  if (secret === undefined) return undefined;
  // Numbers are never given twice: a robot that has one keeps it. An issuer that was made anew begins anew.
  const id = numberAt(robot, wish.issuer) ?? 10 * revision + nonce;
  const key = newestOf((seen ?? surroundings).keys);
  const verifier = verifierOf({ uid, revision, key }, secret);
  const inputs = robotInputsOf(robot, step, { id, verifier, verifierKey: key.number, now });
  return rendered(new SecretValue(secret), { revision, tokenID, inputs }, digestKey);
}

/** As the controller makes a verifier anew, from the secret that was read back. */
function remade(
  { metadata: { uid } }: RobotAccount,
  {
    secret,
    revision,
    inputs,
    seen,
  }: { secret: SecretValue; revision: number; inputs: Inputs; seen: Surroundings | undefined },
): Inputs {
  if (inputs.robot === undefined || inputs.robot.verifier !== toBeMade) return inputs;
  const key = newestOf((seen ?? surroundings).keys);
  const verifier = verifierOf({ uid, revision, key }, secret.reveal());
  return { ...inputs, robot: { ...inputs.robot, verifier, verifierKey: key.number } };
}

/** As the token server asks. */
function isLive(
  { uid, shown }: Published,
  { now, objects, beside = surroundings, issuer, secret }: Omit<View<RobotAccount, Surroundings>, 'live'>,
): boolean {
  const robot = objects.find(one => one?.metadata.uid === uid);
  const account = robot && issuer && accountOf(robot, issuer.metadata, secret);
  if (account === undefined || account.disabled) return false;
  if (account.expiresAt !== undefined && account.expiresAt <= now) return false;
  const live = account.verifiers.filter(({ until }) => until === undefined || now < until);
  return live.some(({ verifier, revision }) =>
    matches(verifier, { uid, revision }, { secret: shown, keys: beside.keys }),
  );
}

const authority: AuthoritySeen = {
  certificate: 'the CA',
  fingerprint: 'the CA',
  validFrom: new Date('2026-01-01T00:00:00Z'),
  validTo: new Date('2036-01-01T00:00:00Z'),
};

/** What the real decision says of an issuer that is being deleted. Its chain is whole and stays as it is. */
function issuerEffect(
  sight: Sight<RobotAccount, Surroundings>,
  contents: Contents<RobotAccount, Surroundings>,
): Effect<Surroundings> {
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
