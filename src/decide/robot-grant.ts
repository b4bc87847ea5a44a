import { type IssuerOf, isOfType } from '../api/cluster-token-issuer.ts';
import type { Permission } from '../api/permissions.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import {
  askedBy,
  exceeds,
  type Grant,
  hasEnded,
  type IssuerSeen,
  issuerGrant,
  type RobotWish,
  stalledIssuer,
  stalls,
  type Wish,
  wholeEnd,
  withinOf,
} from './grant.ts';
import { permissionsOf, robotExcess } from './robot-asks.ts';
import { type Claim, fullNameOf, holderOf } from './robot-name.ts';

/** The Secret that holds a robot's own secret. Its value is not in here, only what is wrong with it. */
export type SourceSeen =
  | { state: 'absent'; what: 'secret' | 'key' }
  /** `broken`: the rules that the value does not keep, in words that complete "it must have …". */
  | { state: 'found'; uid: string; resourceVersion: string; broken: readonly string[] };

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
  if (!found.allowed) return found;
  const issuer = found.value;
  const wish = wishOf(robot, issuer, seen);
  const excess = robotExcess(robot, issuer);
  if (excess !== undefined) return exceeds(excess, issuer, wish);
  return sourceBars(robot, seen.source, wish) ?? { allowed: true, value: wish };
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

/** A secret of one's own that is not there yet, or gone, or against the rules. Its value is in no message. */
function sourceBars(robot: RobotAccount, source: SourceSeen | undefined, wish: RobotWish): Grant<never> | undefined {
  const ref = robot.spec.secret.valueFrom?.secretKeyRef;
  if (ref === undefined) return undefined;
  const secret = `Secret ${ref.name}, which spec.secret.valueFrom names,`;
  if (source === undefined || source.state === 'absent') {
    const what = source?.what === 'key' ? `has no key ${ref.key}` : 'does not exist';
    const message = `${secret} ${what}: make it, or take spec.secret.valueFrom out`;
    return { allowed: false, blocked: { state: 'reconciling', reason: 'SourceNotFound', message }, within: wish };
  }
  if (source.broken.length === 0) return undefined;
  const message = `the key ${ref.key} of ${secret} cannot be the secret of a robot: it must have ${source.broken.join(', ')}`;
  return { allowed: false, blocked: { state: 'stalled', reason: 'SourceInvalid', message }, wish, within: wish };
}

function wishOf(robot: RobotAccount, issuer: IssuerOf<'registry'>, seen: RobotSeen): RobotWish {
  const { expiresIn, notAfter, secret } = robot.spec;
  const permissions = permissionsOf(robot);
  const asked = new Set(permissions.flatMap(each => each.permissions));
  const ref = secret.valueFrom?.secretKeyRef;
  const { source } = seen;
  const own = ref === undefined || source?.state !== 'found' ? undefined : source;
  return {
    username: fullNameOf(robot, issuer),
    issuer: { kind: 'ClusterTokenIssuer', name: issuer.metadata.name, uid: issuer.metadata.uid },
    expiresIn,
    notAfter: wholeEnd(notAfter),
    ...askedBy(robot),
    robot: {
      host: issuer.spec.registry.host,
      ...(ref !== undefined &&
        own !== undefined && {
          source: { name: ref.name, key: ref.key, uid: own.uid, resourceVersion: own.resourceVersion },
        }),
      permissions,
      withoutEffect: seen.withoutEffect.filter(permission => asked.has(permission)),
    },
  };
}
