import { isOfType } from '../../../src/api/cluster-token-issuer.ts';
import type { RobotInputs } from '../../../src/api/inputs.ts';
import {
  managedLabel,
  ownerUIDAnnotation,
  pausedAnnotation,
  replaceAnnotation,
  revokeFinalizer,
  rotateAnnotation,
  tokenIDAnnotation,
} from '../../../src/api/names.ts';
import type { RobotAccount } from '../../../src/api/robot-account.ts';
import { dataOf } from '../../../src/controllers/secret-readings.ts';
import { type StoredSecret, whole } from '../../decide/api-server.ts';
import type { View as Seen } from '../credential/kind.ts';
import { brokenRulesOf, type Surroundings, surroundings } from './source.ts';
import { endBySpec, endOf, isAbove, recordOf, textsOf } from './standing.ts';
import { isOfKey, newestOf, shownOf } from './verifying.ts';

type View = Seen<RobotAccount, Surroundings>;

/** What is wrong with robots that are to stay, in a world that has come to rest. */
export function wrongRest(view: View, robots: readonly RobotAccount[]): string | undefined {
  if (robots.length === 0) return isFindable(view.secret) ? 'the Secret of a robot that is gone stays' : undefined;
  for (const robot of robots) {
    const [disabled] = textsOf(view, robot.metadata.uid);
    if (robot.spec.disabled === true && disabled !== undefined) return `${disabled} works, and may not (I2)`;
    const says =
      lockedOut(view, robot) ?? (isPaused(robot) ? undefined : (wrongStatus(robot) ?? wrongReady(view, robot)));
    if (says !== undefined) return says;
  }
  const served = robots.filter(robot => !isPaused(robot) && isServed(view, robot));
  const holder = served.find(robot => isHolder(view, robot));
  const waiting = served.filter(robot => !isLeftAlone(view, robot));
  if (holder === undefined) return waiting.length === 0 || isTaken(view, robots) ? undefined : 'nobody has the Secret';
  return wrongService(view, holder);
}

/** Who has the Secret may be one that is not to be looked at; and what nobody has marked nobody may touch. */
function isTaken({ secret }: View, robots: readonly RobotAccount[]): boolean {
  const { annotations, ownerReferences } = secret?.metadata ?? {};
  const owner = annotations?.[ownerUIDAnnotation];
  if (robots.some(({ metadata }) => metadata.uid === owner)) return true;
  return secret !== undefined && owner === undefined && ownerReferences === undefined;
}

/** What people are told is in force is never more than the spec has, whatever holds the robot up. */
function wrongStatus({ spec, status }: RobotAccount): string | undefined {
  const wanted: readonly string[] = spec.permissions ?? [];
  const inForce = (status?.permissions ?? []).flatMap(({ permissions }) => permissions);
  if (inForce.some(permission => !wanted.includes(permission))) return 'permissions that the spec has not are in force';
  const enabled = spec.disabled !== true;
  if (status?.enabled !== undefined && status.enabled !== enabled)
    return 'the status says that a disabled robot is enabled';
  return undefined;
}

/** Also of one that is paused. */
function lockedOut({ beside = surroundings }: View, robot: RobotAccount): string | undefined {
  const { verifier } = recordOf(robot)?.robot ?? {};
  if (verifier === undefined || !isReady(robot) || beside.keys.some(({ id }) => isOfKey(verifier, id)))
    return undefined;
  return 'a robot is Ready, and the key of its verifier is gone';
}

function isReady({ status }: RobotAccount): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
}

/** Who is told that a robot is Ready can log in as it, unless it is disabled. */
function wrongReady(view: View, robot: RobotAccount): string | undefined {
  const { metadata, spec } = robot;
  if (!isReady(robot) || spec.disabled === true || textsOf(view, metadata.uid).size > 0) return undefined;
  return 'a robot is Ready, and nobody can log in as it';
}

/** Whether all is there to serve it. */
function isServed({ issuer, now }: View, { spec }: RobotAccount): boolean {
  if (spec.disabled === true || issuer === undefined || issuer.metadata.deletionTimestamp !== undefined) return false;
  if (spec.notAfter !== undefined && Date.parse(spec.notAfter) <= now.getTime()) return false;
  return !isAbove(spec.permissions ?? [], issuer);
}

function isSourceThere({ beside }: View, { spec }: RobotAccount): boolean {
  const source = beside?.source;
  if (spec.secret.valueFrom === undefined) return true;
  return source?.value !== undefined && brokenRulesOf(source).length === 0;
}

/** A replacement is asked for, and the own secret is the one that is to be replaced: only its owner has another. */
function isReplacedInVain({ beside }: View, robot: RobotAccount): boolean {
  const [record, asked] = [recordOf(robot), robot.metadata.annotations?.[replaceAnnotation]];
  if (robot.spec.secret.valueFrom === undefined || record?.robot.source === undefined || asked === undefined)
    return false;
  return record.handled?.replace !== asked && beside?.source?.value === shownOf(record.robot.verifier);
}

/** Nothing is made for it in place of what was lost: it has ended for good, its owner wants to see to it, or nothing can be made. */
function isLeftAlone(view: View, robot: RobotAccount): boolean {
  const record = recordOf(robot);
  const ended = record !== undefined && Math.min(endOf(record), endBySpec(robot, record)) <= view.now.getTime();
  const stays = ended && robot.spec.rotation === undefined;
  const cannot = !isSourceThere(view, robot) || isReplacedInVain(view, robot);
  return robot.spec.secret.onLost === 'Stall' || stays || cannot;
}

/** The holder of the Secret: what it asks for is recorded, in the Secret, and works; nothing works that nobody wants any more. */
function wrongService(view: View, robot: RobotAccount): string | undefined {
  const { uid, finalizers } = robot.metadata;
  const record = recordOf(robot);
  if (record === undefined)
    return isLeftAlone(view, robot) ? undefined : 'the Secret is there, and nothing is recorded';
  if (finalizers?.includes(revokeFinalizer) !== true) return 'a secret is recorded without a finalizer (I6)';
  if (isReplacedInVain(view, robot)) {
    if (!isStalled(robot)) return 'nobody is told of a replacement in vain';
    // Nothing is written in the place of what was lost before its owner brings another secret.
    if (wrongSecret(view.secret, robot, shownOf(record.robot.verifier)) !== undefined) return undefined;
  }
  // An edited Secret that its owner wants to see to is not written, and only with it moves the end.
  const says = robot.spec.secret.onLost === 'Stall' ? undefined : wrongEnd(robot, record);
  if (says !== undefined) return says;
  if (endOf(record) <= view.now.getTime() && robot.spec.rotation === undefined)
    return textsOf(view, uid).size === 0 ? undefined : 'a secret works after its end';
  return (
    wrongInputs(view, robot, record) ?? (isLeftAlone(view, robot) ? undefined : wrongCredential(view, robot, record))
  );
}

function wrongEnd(robot: RobotAccount, record: RobotInputs): string | undefined {
  if (endOf(record) !== endBySpec(robot, record)) return 'the record has another end than the spec';
  const said = robot.status?.expiresAt;
  const end = said === undefined ? Number.POSITIVE_INFINITY : Date.parse(said);
  return end === endOf(record) ? undefined : 'the status names another end than the record';
}

function wrongInputs({ issuer, beside }: View, robot: RobotAccount, record: RobotInputs): string | undefined {
  const source = beside?.source;
  const { spec, status } = robot;
  const inForce = (status?.permissions ?? []).flatMap(({ permissions }) => permissions);
  if (!isSame(spec.permissions ?? [], inForce)) return 'other permissions are in force than the spec has';
  if (issuer !== undefined && isOfType(issuer, 'registry') && issuer.spec.registry.host !== record.host)
    return 'the record names another host than the issuer';
  const ref = spec.secret.valueFrom;
  if (ref === undefined && record.robot.source !== undefined) return 'an own secret stays though nobody brings it';
  const isThere = source?.value !== undefined && brokenRulesOf(source).length === 0;
  const isNewest = record.robot.source?.uid === source?.uid && record.robot.source?.resourceVersion === source?.at;
  return ref !== undefined && isThere && !isNewest ? 'the record has another own secret than there is' : undefined;
}

function wrongCredential(view: View, robot: RobotAccount, record: RobotInputs): string | undefined {
  const { uid, annotations } = robot.metadata;
  const asked = [annotations?.[rotateAnnotation], annotations?.[replaceAnnotation]];
  const { handled } = record;
  if (asked[0] !== undefined && handled?.rotate !== asked[0]) return 'a rotation that was asked for is not done';
  if (asked[1] !== undefined && handled?.replace !== asked[1]) return 'a replacement that was asked for is not done';
  if (!isOfKey(record.robot.verifier, newestOf((view.beside ?? surroundings).keys).id))
    return 'the verifier is not of the newest key';
  const text = shownOf(record.robot.verifier);
  const own = view.live.filter(one => one.uid === uid);
  if (asked[1] !== undefined && own.some(({ inputs, shown }) => inputs.handled?.replace !== asked[1] && shown !== text))
    return 'a leaked secret works';
  if (!own.some(({ shown }) => shown === text)) return 'the recorded secret does not work';
  if (robot.spec.secret.valueFrom !== undefined && view.beside?.source?.value !== text)
    return 'the secret is not the own one';
  return wrongSecret(view.secret, robot, text);
}

function wrongSecret(secret: StoredSecret | undefined, robot: RobotAccount, text: string): string | undefined {
  if (secret?.metadata.annotations?.[tokenIDAnnotation] !== robot.status?.tokenID)
    return 'the Secret names another secret than the record';
  const held = secret === undefined ? undefined : dataOf(whole(secret));
  const right = robot.spec.secret.data.every(({ key, format }) => {
    const value = held?.get(key)?.reveal() ?? '';
    return value.includes(text) && (format === undefined || value.includes(recordOf(robot)?.host ?? ''));
  });
  return right ? undefined : 'the Secret does not hold what is recorded (I8)';
}

export function isPaused({ metadata }: RobotAccount): boolean {
  return metadata.annotations?.[pausedAnnotation] === 'true';
}

function isStalled({ status }: RobotAccount): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Stalled' && is === 'True') === true;
}

function isHolder({ secret }: View, { metadata }: RobotAccount): boolean {
  return secret?.metadata.annotations?.[ownerUIDAnnotation] === metadata.uid;
}

/** A dead secret may stay in a Secret that a user stripped before it was recorded: nothing leads to it any more. */
function isFindable(secret: StoredSecret | undefined): boolean {
  return secret?.metadata.labels?.[managedLabel] !== undefined && secret.metadata.ownerReferences !== undefined;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every(each => b.includes(each));
}
