import { parseInputsText, type RobotInputs } from '../../../src/api/inputs.ts';
import { inputsAnnotation, ownerUIDAnnotation, revisionAnnotation, tokenIDAnnotation } from '../../../src/api/names.ts';
import type { RobotAccount } from '../../../src/api/robot-account.ts';
import { dataOf } from '../../../src/controllers/secret-readings.ts';
import { accountOf } from '../../../src/issuers/registry/live.ts';
import { whole } from '../../decide/api-server.ts';
import type { Published, View as Seen } from '../credential/kind.ts';
import { isPaused, wrongRest } from './rest-rules.ts';
import { type Surroundings, surroundings } from './source.ts';
import { cutAt, endBySpec, endOf, isAbove, issuerUIDOf, recordOf, textsOf } from './standing.ts';
import { isOfKey, shownOf } from './verifying.ts';

// The invariants of section 3 of the design, by their numbers, for the secrets of robots. They say what has to be so in terms
// of the objects and of what the token server answers, and never ask src/decide.

type View = Seen<RobotAccount, Surroundings>;

/** I1, and what has to be so at any moment: what is in the Secret works, and nothing is in force that nobody has allowed. */
export function wrongNow(view: View): string | undefined {
  const stranger = view.live.find(({ inputs }) => inputs.issuer.uid !== view.issuer?.metadata.uid);
  if (stranger !== undefined) return `I2: ${stranger.tokenID} of another issuer works`;
  const revisions = new Map<string, string>();
  for (const { uid, revision, shown } of view.live) {
    const other = revisions.get(`${uid} ${revision}`);
    if (other !== undefined && other !== shown) return 'I1: two live credentials of one revision';
    revisions.set(`${uid} ${revision}`, shown);
  }
  for (const robot of view.objects) {
    const says = robot && (wrongPermissions(view, robot) ?? deadSecret(view, robot));
    if (says !== undefined) return says;
  }
  return undefined;
}

/** A ceiling that was never lowered (its generation tells) is above all that is in force; the server gives no more than the spec. */
function wrongPermissions({ issuer, secret }: View, robot: RobotAccount): string | undefined {
  const inForce = (robot.status?.permissions ?? []).flatMap(({ permissions }) => permissions);
  const isHere = issuerUIDOf(robot) === issuer?.metadata.uid;
  if (isHere && issuer?.metadata.generation === 1 && isAbove(inForce, issuer))
    return 'a permission above the ceiling is in force';
  const granted = issuer && accountOf(robot, issuer.metadata, secret)?.grants;
  const allowed: readonly string[] = robot.spec.permissions ?? [];
  const beyond = granted?.some(({ permissions }) => permissions.some(each => !allowed.includes(each)));
  return beyond === true ? 'the server gives a permission that the spec does not have' : undefined;
}

/** I3: what pods find lets them in, from the moment that it is there: what is recorded, or newer than that. */
function deadSecret(view: View, robot: RobotAccount): string | undefined {
  const { annotations = {} } = view.secret?.metadata ?? {};
  const { tokenID, revision = 0 } = robot.status ?? {};
  const isNewest = Number(annotations[revisionAnnotation]) > revision || annotations[tokenIDAnnotation] === tokenID;
  return isNewest ? deadInSecret(view, robot) : undefined;
}

function deadInSecret({ now, issuer, secret, live }: View, robot: RobotAccount): string | undefined {
  const { annotations = {} } = secret?.metadata ?? {};
  const { uid, deletionTimestamp } = robot.metadata;
  const [tokenID, inputs] = [annotations[tokenIDAnnotation], parseInputsText(annotations[inputsAnnotation])];
  if (annotations[ownerUIDAnnotation] !== uid || tokenID === undefined || inputs?.robot === undefined) return undefined;
  const { status, spec } = robot;
  const ends = [tokenID === status?.tokenID ? status.expiresAt : inputs.expiresAt, spec.notAfter];
  const isOver =
    cutAt(robot, inputs) <= now.getTime() || ends.some(end => end !== undefined && Date.parse(end) <= now.getTime());
  const serves = deletionTimestamp === undefined && spec.disabled !== true && !isOver && issuer !== undefined;
  if (!serves || inputs.issuer.uid !== issuer.metadata.uid) return undefined;
  return live.some(one => one.tokenID === tokenID) ? undefined : 'I3: the Secret holds a secret that does not work';
}

/**
 * I3: what an operator's step may end, and what it may give. As with tokens there is one exception: where two act at once, or a
 * write is late, while a user takes the Secret away, a secret that is not recorded yet may die of the record before it.
 */
export function wrongStep(before: View, after: View, raced: boolean): string | undefined {
  for (const dead of before.live) {
    if (after.live.some(({ uid, shown }) => uid === dead.uid && shown === dead.shown)) continue;
    const unrecorded = dead.revision > (robotOf(before, dead.uid)?.status?.revision ?? 0);
    // An issuer that is let go ends all that is recorded after its count.
    if ((unrecorded && raced) || after.issuer === undefined) continue;
    if (!diedByTheRules(before, after, dead, raced)) return `I3: ${dead.tokenID} died before its time`;
  }
  for (const robot of after.objects) {
    const old = robot && robotOf(before, robot.metadata.uid);
    const says =
      old &&
      (givesTooMuch(old, robot) ??
        wrongNumber(old, robot) ??
        raised(before, after, old) ??
        issuedAgain(before, after, old) ??
        overwrote(before, after, robot));
    if (says !== undefined) return says;
  }
  const gone = before.objects.find((robot, t) => robot !== undefined && after.objects[t] === undefined);
  const left = gone && before.secret?.metadata.annotations?.[ownerUIDAnnotation] === gone.metadata.uid;
  return left === true && !raced ? 'I6: the robot went before its Secret' : undefined;
}

/** What is added was asked for in the very version of the spec that it was decided about, and so was a later end. */
function givesTooMuch(old: RobotAccount, robot: RobotAccount): string | undefined {
  const had = new Set(old.status?.permissions?.flatMap(({ permissions }) => permissions));
  const wanted: readonly string[] = robot.spec.permissions ?? [];
  const added = (robot.status?.permissions ?? []).flatMap(({ permissions }) => permissions.filter(p => !had.has(p)));
  if (added.some(permission => !wanted.includes(permission))) return 'a permission that nobody asked for is in force';
  const [last, next] = [recordOf(old), recordOf(robot)];
  if (last === undefined || next === undefined || old.status?.tokenID !== robot.status?.tokenID) return undefined;
  const isLater = endOf(next) > Math.max(endOf(last), endBySpec(robot, next));
  return isLater ? 'a secret lives longer than anybody asked for' : undefined;
}

/** What was superseded never works again. */
function raised(before: View, after: View, { metadata: { uid }, status }: RobotAccount): string | undefined {
  const { tokenID, revision = 0 } = status ?? {};
  const known = new Set(textsOf(before, uid));
  for (const one of after.published)
    if (one.uid === uid && (one.revision > revision || one.tokenID === tokenID)) known.add(one.shown);
  const again = after.live.find(one => one.uid === uid && !known.has(one.shown));
  return again === undefined ? undefined : `I2: ${again.tokenID} works again`;
}

/** What is written over a secret that works does so, too. */
function overwrote(before: View, after: View, robot: RobotAccount): string | undefined {
  const [old, fresh] = [before.secret?.metadata, after.secret?.metadata];
  const marked = old?.annotations?.[tokenIDAnnotation];
  if (old?.uid !== fresh?.uid || marked === fresh?.annotations?.[tokenIDAnnotation]) return undefined;
  return before.live.some(({ tokenID }) => tokenID === marked) ? deadInSecret(after, robot) : undefined;
}

/** What a Secret says of the secret in it. */
function marksOf(secret: View['secret']): { tokenID: string; inputs: RobotInputs } | undefined {
  const { annotations = {} } = secret?.metadata ?? {};
  const [tokenID, inputs] = [annotations[tokenIDAnnotation], parseInputsText(annotations[inputsAnnotation])];
  return tokenID === undefined || inputs?.robot === undefined ? undefined : { tokenID, inputs };
}

/** What nobody asked for, of a secret that is where it was, or what was asked for and is none: the same once more. */
function issuedAgain(before: View, after: View, { status }: RobotAccount): string | undefined {
  const [old, fresh] = [marksOf(before.secret), marksOf(after.secret)];
  if (old?.inputs.robot.source === undefined || fresh === undefined || old.tokenID === fresh.tokenID) return undefined;
  const [was, is] = [old, fresh].map(({ inputs }) => shownOf(inputs.robot.verifier));
  const { keys } = before.beside ?? surroundings;
  // Without the key of its verifier nobody can tell which secret it is.
  const isKnown = keys.some(({ id }) => isOfKey(old.inputs.robot.verifier, id));
  if (was !== is || old.tokenID !== status?.tokenID || !isKnown) return undefined;
  if (old.inputs.handled?.replace !== fresh.inputs.handled?.replace)
    return 'a leaked secret is issued in place of itself';
  const held = before.secret === undefined ? [] : [...dataOf(whole(before.secret)).values()];
  const isWhole = held.length > 0 && held.every(value => value.reveal().includes(was ?? ''));
  const isAsked = old.inputs.handled?.rotate !== fresh.inputs.handled?.rotate;
  return isWhole && !isAsked ? 'the same secret is issued again, and nobody asked' : undefined;
}

function wrongNumber(old: RobotAccount, robot: RobotAccount): string | undefined {
  const [before, after] = [old.status?.id, robot.status?.id];
  if (before === undefined) return undefined;
  if (issuerUIDOf(old) === issuerUIDOf(robot)) return before === after ? undefined : 'a robot has got another number';
  return before === after ? 'a robot has taken its number to another issuer' : undefined;
}

function diedByTheRules(before: View, after: View, dead: Published, raced: boolean): boolean {
  const robot = robotOf(after, dead.uid);
  const [old, fresh] = [before.records.get(dead.uid), after.records.get(dead.uid)];
  if (robot === undefined || old === undefined) return false;
  // Its Secret is somebody else's now: what was lost has no overlap.
  if (fresh === undefined) return before.secret?.metadata.annotations?.[ownerUIDAnnotation] !== dead.uid;
  if (fresh.revision === old.revision) return cutAt(robot, fresh.inputs as RobotInputs) <= after.now.getTime();
  const isPublished = raced || wasPublished(before, fresh.tokenID);
  if (fresh.revision < old.revision || !isPublished || fresh.inputs.overlapSeconds !== 0) return false;
  const { replace } = fresh.inputs.handled ?? {};
  const ended = replace !== undefined && replace !== old.inputs.handled?.replace;
  const isLast = dead.shown === shownOf((old.inputs as RobotInputs).robot.verifier);
  return ended || (isLast && [undefined, '0s'].includes(robot.spec.rotation?.overlap));
}

/** The API server has acknowledged a Secret with it. One that somebody has taken away since says nothing of that any more. */
function wasPublished({ published, secret }: View, of: string): boolean {
  return (
    secret?.metadata.annotations?.[tokenIDAnnotation] === undefined || published.some(({ tokenID }) => tokenID === of)
  );
}

function robotOf({ objects }: View, of: string): RobotAccount | undefined {
  return objects.find(robot => robot?.metadata.uid === of);
}

/** I2, I5, I6, I8: what is wrong with a world that has come to rest. `isLater`: when all overlaps are over. */
export function wrongAtRest(view: View, isLater: boolean): string | undefined {
  const { objects, live } = view;
  const robots = objects.filter(robot => robot !== undefined);
  if (robots.some(robot => robot.metadata.deletionTimestamp !== undefined)) return 'a deletion is stuck (I6)';
  if (view.issuer?.metadata.deletionTimestamp !== undefined && view.records.size === 0)
    return 'the issuer waits for nothing (I6)';
  const unwanted = live.find(({ uid }) => !robots.some(robot => robot.metadata.uid === uid));
  if (unwanted !== undefined) return `${unwanted.tokenID} works, and nobody wants it (I2)`;
  if (isLater && robots.some(robot => !isPaused(robot) && textsOf(view, robot.metadata.uid).size > 1))
    return 'more than one secret works (I2, I8)';
  return wrongRest(view, robots);
}
