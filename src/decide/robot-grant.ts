import { type IssuerOf, isOfType } from '../api/cluster-token-issuer.ts';
import type { Permission } from '../api/permissions.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import {
  askedBy,
  exceeds,
  type Grant,
  hasEnded,
  type IssuerSeen,
  isReadable,
  issuerGrant,
  type RobotWish,
  stalledIssuer,
  stalls,
  type Wish,
  wholeEnd,
  withinOf,
} from './grant.ts';
import { type SourceSeen, sourceBars, sourceWish } from './own-secret.ts';
import { permissionsOf, robotExcess } from './robot-asks.ts';
import { type Claim, fullNameOf, holderOf } from './robot-name.ts';

export interface RobotSeen extends IssuerSeen {
  /** The other robots of this issuer with the same full name. */
  rivals: readonly Claim[];
  /** What `secret.valueFrom` names; left out where it names nothing. */
  source?: SourceSeen | undefined;
  /** The permissions that mean nothing at an issuer of this type. */
  withoutEffect: readonly Permission[];
}

/** Whether a robot's secret may be issued, and from what. */
export function robotGrant(robot: RobotAccount, seen: RobotSeen, now: Date): Grant<RobotWish> {
  const grant = enabledGrant(robot, seen, now);
  if (robot.spec.disabled !== true) return grant;
  const message = 'the robot cannot log in, as spec.disabled asks; its secret works again when that is false';
  return { allowed: false, blocked: { state: 'ready', reason: 'Disabled', message }, ...within(withinOf(grant)) };
}

function within(wish: Wish | undefined): { within?: Wish } {
  return wish === undefined ? {} : { within: wish };
}

/** The same for one that is not disabled. */
function enabledGrant(robot: RobotAccount, seen: RobotSeen, now: Date): Grant<RobotWish> {
  const found = usable(robot, seen, now);
  if (!found.allowed) return { ...found, ...refused(robot, seen) };
  const issuer = found.value;
  const wish = wishOf(robot, issuer, seen);
  const excess = robotExcess(robot, issuer);
  if (excess !== undefined) return exceeds(excess, issuer, wish);
  return sourceBars(robot, seen.source, wish) ?? { allowed: true, value: wish };
}

/** What is wished for, where its issuer is there. */
function refused(robot: RobotAccount, seen: RobotSeen): { wish?: Wish } {
  const { issuer } = seen;
  return isReadable(issuer) && isOfType(issuer, 'registry') ? { wish: wishOf(robot, issuer, seen) } : {};
}

/** The robot and its issuer, whatever is wished for. */
function usable(robot: RobotAccount, seen: RobotSeen, now: Date): Grant<IssuerOf<'registry'>> {
  const { spec, metadata } = robot;
  if (hasEnded(robot, now))
    return stalls('Expired', `spec.notAfter ${spec.notAfter} has passed: move it, and the robot goes on`);
  const found = issuerGrant(spec.issuerRef.name, metadata.namespace, seen);
  if (!found.allowed) return found;
  const issuer = found.value;
  const name = `ClusterTokenIssuer ${issuer.metadata.name}`;
  if (!isOfType(issuer, 'registry'))
    return stalls('UnsupportedByIssuer', `${name} has no robot accounts: name an issuer of type registry`);
  if (spec.adoptionPolicy === 'Adopt')
    return stalls('UnsupportedByIssuer', `spec.adoptionPolicy Adopt: ${name} has no robots of its own; set Refuse`);
  const holder = holderOf([{ robot, namespaceLabels: seen.namespaceLabels }, ...seen.rivals], issuer);
  if (holder !== undefined && holder !== robot) {
    const other = `RobotAccount ${holder.metadata.name} in namespace ${holder.metadata.namespace}`;
    return stalls(
      'UsernameTaken',
      `${other} has the full name ${fullNameOf(robot, issuer)}: delete it, or make this one anew with another spec.name`,
    );
  }
  const stalled = issuer.status?.conditions?.find(({ type, status }) => type === 'Stalled' && status === 'True');
  return stalled === undefined ? { allowed: true, value: issuer } : stalledIssuer(issuer, stalled.message);
}

function wishOf(robot: RobotAccount, issuer: IssuerOf<'registry'>, seen: RobotSeen): RobotWish {
  const { expiresIn, notAfter } = robot.spec;
  const permissions = permissionsOf(robot);
  const asked = new Set(permissions.flatMap(each => each.permissions));
  return {
    username: fullNameOf(robot, issuer),
    issuer: { kind: 'ClusterTokenIssuer', name: issuer.metadata.name, uid: issuer.metadata.uid },
    expiresIn,
    notAfter: wholeEnd(notAfter),
    ...askedBy(robot),
    robot: {
      host: issuer.spec.registry.host,
      ...sourceWish(robot, seen.source),
      permissions,
      withoutEffect: seen.withoutEffect.filter(permission => asked.has(permission)),
    },
  };
}
