import { isDeepStrictEqual } from 'node:util';
import { timestamp } from '../api/conditions.ts';
import type { RobotInputs } from '../api/inputs.ts';
import { permissionsInForce, type RobotAccount } from '../api/robot-account.ts';
import { askedChange, type Change, commonChange, lifeChange, strictest, timeOf } from './change.ts';
import { issuerUIDOf } from './credential-record.ts';
import { type RobotWish, type VerifierKeys, wholeEnd } from './grant.ts';
import type { KindOf } from './kind.ts';
import { sourceChange, withSource } from './own-secret.ts';
import { endOf } from './times.ts';

/**
 * RobotAccount: an account that speaks for itself. Its issuer keeps only a verifier of its secret, so what it may do and how
 * long it lives is changed without a new one.
 */
export const robotAccounts: KindOf<RobotAccount, RobotInputs, RobotWish> = {
  name: 'RobotAccount',
  whenEnded: 'set spec.rotation, a longer spec.expiresIn or a later spec.notAfter',
  whenCutShort: 'with the robot: move spec.notAfter',
  issuerType: 'registry',
  overlaps: { first: 0, renewal: 0, rotated: 0, widened: 0, narrowed: 0, replaced: 0, lost: 0, edited: 0 },
  knows: ({ robot }) => robot !== undefined,
  changeOf: (recorded, wish) => strictest(commonChange(recorded, wish), ownChangeOf(recorded, wish)),
  ownChangeOf,
  revised: (robot, recorded, wish, keys) =>
    withNewVerifier(wish === undefined ? withNearerEnd(recorded, robot) : asWished(recorded, wish), keys),
  revisable: ['expiresIn', 'notAfter', 'expiresAt', 'host'],
  revisableOfRobot: ['verifier', 'verifierKey', 'source'],
  needsCredential: ({ robot }) => robot.verifier === toBeMade,
  isRevision: (made, recorded, revised, keys) =>
    isVerifierOf(made, recorded, keys) &&
    [recorded, revised].some(({ robot }) => isDeepStrictEqual(made.robot.source, robot.source)),
  lasting: ['id', 'fullName', 'createdAt', 'enabled', 'permissions', 'withoutEffect', 'lastUsed'],
  served: (robot, recorded, wish) => served(robot, recorded, wish?.robot),
};

/** The number that a robot has at this issuer, also while its secret is lost. */
export function numberAt(robot: RobotAccount, issuer: { uid: string }): number | undefined {
  return issuerUIDOf(robot) === issuer.uid ? robot.status?.id : undefined;
}

/** The numbers that robots of this issuer are known to have. */
export function* numbersAt(robots: Iterable<RobotAccount>, issuer: { uid: string }): Iterable<number> {
  for (const robot of robots) {
    const id = numberAt(robot, issuer);
    if (id !== undefined) yield id;
  }
}

/** Since when it has that number. */
export function createdAtOf(robot: RobotAccount, issuer: { uid: string }): string | undefined {
  return numberAt(robot, issuer) === undefined ? undefined : robot.status?.createdAt;
}

function ownChangeOf({ robot: recorded, ...others }: RobotInputs, { robot, ...wish }: RobotWish): Change {
  return strictest(sourceChange(recorded, robot), askedChange({ ...others, robot: recorded }, wish));
}

/**
 * A verifier of an older key, or of one that is gone, is made anew, from the secret in the Secret. Never one of a newer key than this
 * process makes verifiers with: it has just heard of that key, and others make verifiers with it. What is recorded of the number
 * decides nothing: somebody may have written it into the Secret.
 */
function withNewVerifier(recorded: RobotInputs, keys: VerifierKeys | undefined): RobotInputs {
  if (keys === undefined || (keys.numberOf(recorded.robot.verifier) ?? 0) >= keys.current.number) return recorded;
  return { ...recorded, robot: { ...recorded.robot, verifier: toBeMade, verifierKey: keys.current.number } };
}

/** In the place of a verifier: whoever writes the Secret makes it from what is in there. */
export const toBeMade = '';

/** The recorded verifier, or one of the new key where the record has an older one: nothing brings back what was superseded. */
function isVerifierOf({ robot: made }: RobotInputs, recorded: RobotInputs, keys: VerifierKeys | undefined): boolean {
  const { verifier, verifierKey } = recorded.robot;
  if (made.verifier === verifier && made.verifierKey === verifierKey) return true;
  if (keys === undefined || withNewVerifier(recorded, keys) === recorded) return false;
  const { number } = keys.current;
  return made.verifierKey === number && keys.numberOf(made.verifier) === number;
}

/** With all that comes with the same secret. */
function asWished(recorded: RobotInputs, wish: RobotWish): RobotInputs {
  return withSource(withEnd({ ...recorded, host: wish.robot.host }, wish), wish.robot);
}

/** The end moves with the spec, counted from the issue of the secret. */
function withEnd(
  recorded: RobotInputs,
  { expiresIn, notAfter }: Pick<RobotWish, 'expiresIn' | 'notAfter'>,
): RobotInputs {
  if (lifeChange(recorded.expiresIn, expiresIn) === 'none' && recorded.notAfter === notAfter) return recorded;
  const { expiresAt: _, notAfter: __, ...rest } = recorded;
  const end = endOf(new Date(recorded.issuedAt), expiresIn, notAfter);
  return {
    ...rest,
    expiresIn,
    ...(notAfter !== undefined && { notAfter }),
    ...(end !== undefined && { expiresAt: timestamp(end) }),
  };
}

/**
 * With the end of the spec, where that is nearer: for a shorter life nobody has to ask the issuer, and whoever lets robots in
 * (issuers/registry/live.ts) goes by it at once. But what is rotated has another secret before its life gets shorter.
 */
function withNearerEnd(recorded: RobotInputs, { spec }: RobotAccount): RobotInputs {
  const expiresIn = spec.rotation === undefined ? spec.expiresIn : recorded.expiresIn;
  const asked = withEnd(recorded, { expiresIn, notAfter: wholeEnd(spec.notAfter) });
  return timeOf(asked.expiresAt) < timeOf(recorded.expiresAt) ? asked : recorded;
}

/**
 * What is in force is what the issuer has allowed, and until it has allowed something else that stays, less what the spec has
 * taken away since: for less nobody has to ask. It is never read out of the Secret: who may edit that must not give a robot
 * more than its spec does. What another issuer has allowed is nothing at this one.
 */
function served(robot: RobotAccount, recorded: RobotInputs | undefined, wish: RobotWish['robot'] | undefined): object {
  const { spec, status } = robot;
  const made = recorded && madeOf(robot, recorded);
  if (made === undefined && status?.fullName === undefined) return {};
  const isHere = recorded === undefined || recorded.issuer.uid === issuerUIDOf(robot);
  const { permissions, withoutEffect } = (made && wish) ?? stillServed(spec, isHere ? status : undefined);
  return {
    ...made,
    enabled: spec.disabled !== true,
    permissions,
    withoutEffect: withoutEffect?.length === 0 ? undefined : withoutEffect,
  };
}

/** What an issuer has made of it. */
function madeOf(robot: RobotAccount, recorded: RobotInputs): object {
  const { issuer, issuedAt, username } = recorded;
  const { id, createdAt = createdAtOf(robot, issuer) ?? issuedAt } = recorded.robot;
  return { id, fullName: username, createdAt, expiresAt: withNearerEnd(recorded, robot).expiresAt };
}

/** Without a wish that may be served. */
function stillServed(spec: RobotAccount['spec'], status: RobotAccount['status']) {
  const permissions = permissionsInForce(spec, status);
  const all = new Set(permissions?.flatMap(each => each.permissions));
  return { permissions, withoutEffect: status?.withoutEffect?.filter(word => all.has(word)) };
}
