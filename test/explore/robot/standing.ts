import type { ClusterTokenIssuer } from '../../../src/api/cluster-token-issuer.ts';
import { parseDuration } from '../../../src/api/durations.ts';
import { parseInputs, type RobotInputs } from '../../../src/api/inputs.ts';
import type { RobotAccount } from '../../../src/api/robot-account.ts';
import type { View } from '../credential/kind.ts';
import type { Surroundings } from './source.ts';

/** What is recorded of a robot, as people read it. */
export function recordOf({ status }: RobotAccount): RobotInputs | undefined {
  const inputs = parseInputs(status?.issued?.inputs);
  return inputs?.robot === undefined ? undefined : inputs;
}

/** When a secret ends by what is recorded, in milliseconds. */
export function endOf({ expiresAt }: RobotInputs): number {
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
}

/** When a secret should end by the spec of the moment. */
export function endBySpec({ spec: { expiresIn, notAfter } }: RobotAccount, { issuedAt }: RobotInputs): number {
  const life = parseDuration(expiresIn);
  const own = life === 'never' ? Number.POSITIVE_INFINITY : Date.parse(issuedAt) + life * 1000;
  return notAfter === undefined ? own : Math.min(own, Date.parse(notAfter));
}

/**
 * When it ends whatever is recorded, and whatever becomes of the robot: a shorter life counts as soon as somebody asks for it, but what
 * is rotated works until there is another one.
 */
export function cutAt(robot: RobotAccount, inputs: RobotInputs): number {
  const { notAfter, rotation } = robot.spec;
  if (rotation === undefined) return endBySpec(robot, inputs);
  return notAfter === undefined ? Number.POSITIVE_INFINITY : Date.parse(notAfter);
}

/** The issuer (UID) of all that the status says. */
export function issuerUIDOf(robot: RobotAccount): string | undefined {
  return recordOf(robot)?.issuer.uid ?? robot.status?.issuerUID;
}

/** Whether one of them is not allowed by the issuer. */
export function isAbove(permissions: readonly string[], { spec }: ClusterTokenIssuer): boolean {
  const allowed: readonly string[] = spec.limits.permissions ?? [];
  return permissions.some(permission => !allowed.includes('*') && !allowed.includes(permission));
}

/** The secrets with which somebody gets in as this robot. */
export function textsOf({ live }: View<RobotAccount, Surroundings>, of: string): ReadonlySet<string> {
  return new Set(live.filter(({ uid }) => uid === of).map(({ shown }) => shown));
}
