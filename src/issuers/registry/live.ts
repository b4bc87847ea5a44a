import { parseDuration } from '../../api/durations.ts';
import { type Inputs, parseInputs, parseInputsText, type RobotInputs } from '../../api/inputs.ts';
import { inputsAnnotation, ownerUIDAnnotation, revisionAnnotation } from '../../api/names.ts';
import { accountNameOf, permissionsInForce, type RobotAccount } from '../../api/robot-account.ts';
import type { Account } from './account.ts';
import { type Grant, isPermission } from './permissions.ts';
import type { LiveVerifier } from './verifiers.ts';

/** The metadata of the Secret that a RobotAccount's spec names. Its values are never needed here. */
export interface SecretMetadata {
  metadata: { annotations?: Record<string, string> | undefined };
}

/**
 * The account that a robot is at this issuer: undefined for one that has no secret there, or is being deleted. A secret is live when it is recorded, or in
 * its overlap, or in the Secret with a revision above the recorded one (then the record is still to come).
 *
 * Who may edit the Secret gives a robot neither another secret (a verifier is made with a key that only the operator has) nor
 * more permissions: those are the ones that the status says were allowed, less what the spec has taken away since. What another
 * issuer has issued and allowed is worth nothing at this one, even if that had the same name.
 */
export function accountOf(
  robot: RobotAccount,
  issuer: { uid: string },
  secret: SecretMetadata | undefined,
): Account | undefined {
  const { metadata, spec } = robot;
  if (metadata.deletionTimestamp !== undefined) return undefined;
  const newest = unrecorded(robot, issuer, secret);
  const known = knownAt(issuer, robot);
  const recorded = recordOf(known);
  const fullName = recorded?.username ?? known.status?.fullName ?? newest?.username;
  const verifiers = [...recordedVerifiers(known, recorded, newest), ...(newest === undefined ? [] : [newest.live])];
  if (fullName === undefined || verifiers.length === 0) return undefined;
  return {
    uid: metadata.uid,
    fullName,
    verifiers,
    grants: grantsOf(known),
    disabled: spec.disabled === true,
    expiresAt: earliest(
      newest === undefined && recorded !== undefined ? endOf(recorded, spec) : undefined,
      spec.notAfter,
    ),
  };
}

/** Without its status where that is of another issuer; one that does not say of which is of none. */
function knownAt({ uid }: { uid: string }, robot: RobotAccount): RobotAccount {
  const { status, ...bare } = robot;
  return uid === (recordOf(robot)?.issuer.uid ?? status?.issuerUID) ? robot : bare;
}

function recordOf({ status }: RobotAccount): RobotInputs | undefined {
  return robotInputs(parseInputs(status?.issued?.inputs));
}

/** Beside a newer one each ends by itself: what the Secret says of that one must not prolong the life of another. */
function recordedVerifiers(
  { spec, status }: RobotAccount,
  recorded: RobotInputs | undefined,
  newest: object | undefined,
): LiveVerifier[] {
  const { revision, previous = [] } = status ?? {};
  const superseded = previous.flatMap((old): LiveVerifier[] =>
    old.verifier === undefined || old.revision === undefined
      ? []
      : [{ revision: old.revision, verifier: old.verifier, until: new Date(old.revokeAt) }],
  );
  if (recorded === undefined || revision === undefined) return superseded;
  const until = newest === undefined ? undefined : endOf(recorded, spec);
  return [{ revision, verifier: recorded.robot.verifier, until }, ...superseded];
}

/**
 * The end that is written down, or an earlier one that the spec asks for now: a shorter life does not wait until it is recorded.
 * But what is rotated has another secret first.
 */
function endOf({ issuedAt, expiresAt }: RobotInputs, { expiresIn, rotation }: RobotAccount['spec']): Date | undefined {
  if (rotation !== undefined) return earliest(expiresAt);
  const seconds = parseDuration(expiresIn);
  const asked = seconds === 'never' ? undefined : new Date(Date.parse(issuedAt) + seconds * 1000);
  return earliest(expiresAt, asked);
}

/** What the Secret names and nobody has recorded yet. */
function unrecorded(
  { metadata: { uid }, spec, status }: RobotAccount,
  issuer: { uid: string },
  secret: SecretMetadata | undefined,
): { username: string; live: LiveVerifier } | undefined {
  const { annotations = {} } = secret?.metadata ?? {};
  const revision = Number(annotations[revisionAnnotation]);
  if (annotations[ownerUIDAnnotation] !== uid || !(revision > (status?.revision ?? 0))) return undefined;
  const inputs = robotInputs(parseInputsText(annotations[inputsAnnotation]));
  if (inputs === undefined || inputs.issuer.uid !== issuer.uid) return undefined;
  return { username: inputs.username, live: { revision, verifier: inputs.robot.verifier, until: endOf(inputs, spec) } };
}

function robotInputs(inputs: Inputs | undefined): RobotInputs | undefined {
  return inputs?.robot === undefined ? undefined : inputs;
}

function grantsOf({ spec, status }: RobotAccount): Grant[] {
  const inForce = permissionsInForce(spec, status) ?? [];
  return inForce.map(({ project, permissions }) => ({ project, permissions: permissions.filter(isPermission) }));
}

function earliest(...times: readonly (string | Date | undefined)[]): Date | undefined {
  const all = times.filter(time => time !== undefined).map(time => new Date(time).getTime());
  return all.length === 0 ? undefined : new Date(Math.min(...all));
}

/** Under what a robot is found by the name that it logs in with: the issuer, and the name without the issuer's prefix. */
export function accountKeyOf(robot: RobotAccount): string {
  return `${robot.spec.issuerRef.name}/${accountNameOf(robot)}`;
}
