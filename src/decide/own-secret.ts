import type { Reason } from '../api/conditions.ts';
import type { RobotInputs } from '../api/inputs.ts';
import { replaceAnnotation } from '../api/names.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import { askedChange, type Change } from './change.ts';
import { knownRecord, type Recorded, recordOf } from './credential-record.ts';
import type { Grant, RobotWish } from './grant.ts';

// Secrets of robots that their owners bring. Their values are nowhere in here.

/** The Secret that holds a robot's own secret. */
export type SourceSeen =
  | { state: 'absent'; what: 'secret' | 'key' }
  /**
   * `broken`: the rules that the value does not keep, in words that complete "it must have …". `sameAs`: the token id of the
   * credential that the value was compared with, where it is its secret.
   */
  | { state: 'found'; uid: string; resourceVersion: string; broken: readonly string[]; sameAs?: string | undefined };

/** Where a secret was read, and at which version. */
export interface SourceAt {
  name: string;
  key: string;
  uid: string;
  resourceVersion: string;
}

/** The record of a secret that its owner has brought. */
export function ownRecordOf(robot: RobotAccount): (Recorded & { inputs: RobotInputs; source: SourceAt }) | undefined {
  const record = knownRecord(robot);
  const inputs = record?.inputs;
  if (record === undefined || inputs?.robot === undefined) return undefined;
  const { source } = inputs.robot;
  return source === undefined ? undefined : { ...record, inputs, source };
}

/** Whether a secret was read at that very place and version. */
export function isReadAt(source: SourceAt | undefined, at: SourceAt): boolean {
  const fields = ['name', 'key', 'uid', 'resourceVersion'] as const;
  return source !== undefined && fields.every(field => source[field] === at[field]);
}

/** Where the robot's secret should come from. `unchanged`: it is the recorded one, whatever has become of its Secret. */
export function sourceWish(
  robot: RobotAccount,
  seen: SourceSeen | undefined,
): Pick<RobotWish['robot'], 'source' | 'unchanged'> {
  const ref = robot.spec.secret.valueFrom?.secretKeyRef;
  if (ref === undefined || seen?.state !== 'found') return {};
  const { uid, resourceVersion, sameAs } = seen;
  const source = { name: ref.name, key: ref.key, uid, resourceVersion };
  const record = ownRecordOf(robot);
  const isSame = record !== undefined && (isReadAt(record.source, source) || sameAs === record.tokenID);
  return { source, ...(isSame && { unchanged: true }) };
}

/** Noticed by where it is read and at which version, never by a hash: a hash of what people choose gives it away. */
export function sourceChange(recorded: RobotInputs['robot'], wish: RobotWish['robot']): Change {
  const isGenerated = recorded.source === undefined && wish.source === undefined;
  return isGenerated || wish.unchanged === true ? 'none' : 'rotated';
}

/** The same secret at the place and the version where it stands now. */
export function withSource(recorded: RobotInputs, { source, unchanged }: RobotWish['robot']): RobotInputs {
  if (source === undefined || unchanged !== true || isReadAt(recorded.robot.source, source)) return recorded;
  return { ...recorded, robot: { ...recorded.robot, source } };
}

/** A secret of one's own that is not there yet, or gone, or against the rules, or that has leaked and is still the same. */
export function sourceBars(
  robot: RobotAccount,
  seen: SourceSeen | undefined,
  wish: RobotWish,
): Grant<never> | undefined {
  const ref = robot.spec.secret.valueFrom?.secretKeyRef;
  if (ref === undefined) return undefined;
  const secret = `Secret ${ref.name}, which spec.secret.valueFrom names,`;
  if (seen === undefined || seen.state === 'absent') {
    const what = seen?.what === 'key' ? `has no key ${ref.key}` : 'does not exist';
    const message = `${secret} ${what}: ${remedyOfAbsent(robot)}${keptBy(robot)}`;
    return { allowed: false, blocked: { state: 'reconciling', reason: 'SourceNotFound', message }, within: wish };
  }
  const stalled = (reason: Reason, message: string): Grant<never> => ({
    allowed: false,
    blocked: { state: 'stalled', reason, message },
    wish,
    within: wish,
  });
  const where = `the key ${ref.key} of ${secret}`;
  if (seen.broken.length > 0) return stalled('SourceInvalid', `${brokenSource(where, seen.broken)}${keptBy(robot)}`);
  return isReplacedInVain(robot, wish) ? stalled('SourceUnchanged', unchangedMessage(where)) : undefined;
}

/** A leak is not ended by what has leaked. */
function isReplacedInVain(robot: RobotAccount, wish: RobotWish): boolean {
  const record = ownRecordOf(robot);
  return record !== undefined && wish.robot.unchanged === true && askedChange(record.inputs, wish) === 'replaced';
}

function unchangedMessage(where: string): string {
  return (
    `${replaceAnnotation} asks for another secret, and ${where} still holds the present one: put another value there; ` +
    'to end the present one at once, set spec.disabled: true; if it has not leaked, take the annotation off'
  );
}

function remedyOfAbsent(robot: RobotAccount): string {
  if (ownRecordOf(robot) === undefined) return 'make it, or take spec.secret.valueFrom out';
  return 'make it (without spec.secret.valueFrom the present secret ends, and a generated one takes its place)';
}

function keptBy(robot: RobotAccount): string {
  return recordOf(robot) === undefined ? '' : '; until then the robot keeps the secret that it has';
}

/** What is said of a secret against the rules: they are named, and its value is not. */
export function brokenSource(where: string, broken: readonly string[]): string {
  return `${where} cannot be the secret of a robot: it must have ${broken.join(', ')}`;
}
