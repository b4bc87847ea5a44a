import { createHash } from 'node:crypto';
import { timestamp } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import { restartAnnotationPrefix } from '../api/names.ts';
import { isPast } from '../api/object.ts';
import type { KindName } from './kind.ts';
import type { Owner } from './secret-metadata.ts';
import { earliest } from './times.ts';
import { progressOf, type Workload } from './workload-progress.ts';

/** How long the old credential waits for consumers at the most when its overlap is over, and how long they are tried. */
const longestHoldSeconds = 3600;

export type Rollout = NonNullable<NonNullable<Credentialed['status']>['rollout']>;
export type Target = NonNullable<Credentialed['spec']['restart']>[number];
type Previous = NonNullable<NonNullable<Credentialed['status']>['previous']>[number];

/**
 * What this pass has seen of a workload, live. `restartedUID`: of the one of that name which this process knows to have been
 * restarted for the credential of the roll-out, whatever its annotation says now.
 */
export type TargetSeen =
  | { state: 'absent'; restartedUID: string | undefined }
  /** The API server let nobody read or patch it; `message` has its words. */
  | { state: 'refused'; message: string }
  | { state: 'found'; workload: Workload; restartedUID: string | undefined };

/** By targetKey; what is missing was not read in this pass. */
export type TargetsSeen = ReadonlyMap<string, TargetSeen>;

export function targetKey({ kind, name }: { kind: string; name: string }): string {
  return `${kind}/${name}`;
}

/**
 * The annotation of the pod template whose value is the token id. It names the object, because several may restart one
 * workload. The part behind the slash may have 63 characters: a longer name is cut, and told apart by a hash.
 */
export function restartAnnotation(object: string, kind: KindName = 'BotToken'): string {
  // No object's name has an underscore.
  const whole = kind === 'BotToken' ? object : `${kind}_${object}`;
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 10);
  const name = whole.length <= 63 ? whole : `${whole.slice(0, 52)}-${hash}`;
  return `${restartAnnotationPrefix}/${name}`;
}

/** Whether the template was given this token id. */
export function isMarked(of: Owner, { templateAnnotations }: Workload, tokenID: string): boolean {
  return templateAnnotations[restartAnnotation(of.object.metadata.name, of.kind.name)] === tokenID;
}

/** The one field that a restart changes. */
export function restartPatch(of: Owner, tokenID: string) {
  const annotations = { [restartAnnotation(of.object.metadata.name, of.kind.name)]: tokenID };
  return { spec: { template: { metadata: { annotations } } } };
}

/** The roll-out of the credential in force that has not ended. */
export function openRollout({ status }: Credentialed): Rollout | undefined {
  const { rollout, tokenID } = status ?? {};
  return rollout?.finishedAt === undefined && rollout?.tokenID === tokenID ? rollout : undefined;
}

/** Begins with the record of a credential that supersedes another; undefined where nobody is to be restarted. */
export function newRollout(object: Credentialed, tokenID: string, overlapEnd: Date | undefined, now: Date) {
  const supersedes = object.status?.revision !== undefined;
  if (!supersedes || (object.spec.restart ?? []).length === 0) return undefined;
  return { tokenID, startedAt: timestamp(now), givesUpAt: timestamp(heldUntil(overlapEnd ?? now)) };
}

function heldUntil(overlapEnd: Date): Date {
  return new Date(overlapEnd.getTime() + longestHoldSeconds * 1000);
}

/** A superseded credential that waits for the consumers when its overlap is over; not beyond its own end. */
export function heldForConsumers(object: Credentialed, old: Previous): Previous {
  if ((object.spec.restart ?? []).length === 0) return old;
  const { expiresAt } = object.status ?? {};
  const ownEnd = expiresAt === undefined ? undefined : new Date(expiresAt);
  const overlapEnd = new Date(old.revokeAt);
  const end = earliest(heldUntil(overlapEnd), ownEnd) ?? overlapEnd;
  return end > overlapEnd ? { ...old, revokeAt: timestamp(end), overlapEndsAt: old.revokeAt } : old;
}

export type RolloutStep =
  /** Read each of them live. */
  | { do: 'read-workloads'; targets: readonly Target[] }
  | { do: 'restart-workload'; target: Target; workload: Workload; tokenID: string }
  /** Record how far it is. */
  | { do: 'record'; rollout: Rollout; previous: Previous[]; trouble: string | undefined }
  /** Nothing before the next look. `trouble` is what a person should know. */
  | { do: 'wait'; trouble: string | undefined };

/**
 * What is next for an open roll-out. A workload is patched when it is named now, is not recorded as restarted, and its
 * template does not have the token id yet; never after `restartedAt`, whatever becomes of the annotation.
 */
export function nextOfRollout(of: Owner, rollout: Rollout, seen: TargetsSeen, now: Date): RolloutStep {
  const { object } = of;
  const targets = countedTargets(object, rollout);
  const unread = targets.filter(target => !seen.has(targetKey(target)));
  if (unread.length > 0) return { do: 'read-workloads', targets: unread };
  const isOver = isPast(rollout.givesUpAt, now);
  const views = targets.map(target => viewOf(of, rollout, target, seen.get(targetKey(target)), now));
  const due = views.find(view => view.due !== undefined);
  if (due?.due !== undefined && !isOver)
    return { do: 'restart-workload', target: due.target, workload: due.due, tokenID: rollout.tokenID };
  const after = progressed(rollout, views, isOver, now);
  const troubles = views.flatMap(({ trouble }) => trouble ?? []);
  const trouble = troubles.length === 0 ? undefined : troubles.join('; ');
  if (after === rollout) return { do: 'wait', trouble };
  const previous = object.status?.previous ?? [];
  if (after.finishedAt === undefined) return { do: 'record', rollout: after, previous, trouble };
  return { do: 'record', rollout: after, previous: released(previous, now), trouble: undefined };
}

/** Those named now; once all were restarted, only those of them that were: what is added later is rolled next time. */
function countedTargets({ spec }: Credentialed, { restartedAt, restarted = [] }: Rollout): readonly Target[] {
  const named = spec.restart ?? [];
  const keys = new Set(restarted.map(targetKey));
  return restartedAt === undefined ? named : named.filter(target => keys.has(targetKey(target)));
}

/** One workload against the roll-out. */
interface View {
  target: Target;
  /** To be patched now. */
  due?: Workload;
  /** Was patched, by UID. */
  uid?: string | undefined;
  rolled: boolean;
  trouble?: string | undefined;
}

function viewOf(of: Owner, rollout: Rollout, target: Target, seen: TargetSeen | undefined, now: Date): View {
  const recorded = rollout.restarted?.find(each => targetKey(each) === targetKey(target))?.uid;
  const uid = recorded ?? (seen === undefined || seen.state === 'refused' ? undefined : seen.restartedUID);
  const say = (what: string) => `${fieldOf(of.object, target)}: ${target.kind} ${target.name} ${what}`;
  const unrolled = (what: string): View => ({ target, uid, rolled: false, trouble: say(what) });
  if (seen === undefined || seen.state === 'absent') {
    if (uid !== undefined) return { target, uid, rolled: true }; // restarted, and gone since
    return unrolled('does not exist in this namespace: create it, or correct spec.restart');
  }
  if (seen.state === 'refused') {
    const what = uid === undefined ? 'cannot be restarted' : 'cannot be followed';
    return unrolled(`${what}: ${seen.message}: let botmint get and patch it, or take it out of spec.restart`);
  }
  const { workload } = seen;
  const key = restartAnnotation(of.object.metadata.name, of.kind.name);
  const marked = isMarked(of, workload, rollout.tokenID);
  if (uid === undefined && !marked) return { target, due: workload, rolled: false };
  if (uid !== undefined && uid !== workload.metadata.uid) return { target, uid, rolled: true }; // all its pods are new
  const known = { target, uid: workload.metadata.uid };
  if (!marked) {
    const what = `lost the annotation ${key} of its pod template again, which takes the restart back: let whoever applies it ignore this annotation, and restart it by hand`;
    return { ...known, rolled: false, trouble: say(what) };
  }
  const progress = progressOf(target.kind, workload);
  if (progress === 'rolled') return { ...known, rolled: true };
  return { ...known, rolled: false, trouble: isLate(rollout, progress, now) ? say(slow(progress)) : undefined };
}

function slow(progress: 'rolling' | 'stuck'): string {
  const why = progress === 'stuck' ? 'is beyond its progress deadline' : 'has not finished rolling';
  return `${why}: its old pods use a credential that ends; repair its roll-out`;
}

/** Somebody should look: the controller says so, or the old credential lives on for this alone, or is dead already. */
function isLate({ startedAt, givesUpAt }: Rollout, progress: 'rolling' | 'stuck', now: Date): boolean {
  const overlapEnd = Date.parse(givesUpAt) - longestHoldSeconds * 1000;
  const patience = Math.max(overlapEnd, Date.parse(startedAt) + patienceSeconds * 1000);
  return progress === 'stuck' || now.getTime() >= patience;
}

/** Where an entry stands, for a person who looks for it. */
function fieldOf({ spec }: Credentialed, target: Target): string {
  return `spec.restart[${(spec.restart ?? []).findIndex(each => targetKey(each) === targetKey(target))}]`;
}

/** The same roll-out when nothing is new. */
function progressed(rollout: Rollout, views: readonly View[], isOver: boolean, now: Date): Rollout {
  const { restartedAt, finishedAt: _, ...rest } = rollout;
  const restarted = views.flatMap(({ target: { kind, name }, uid }) =>
    uid === undefined ? [] : [{ kind, name, uid }],
  );
  const all = restartedAt ?? (restarted.length === views.length ? timestamp(now) : undefined);
  const missing = views.filter(({ rolled }) => !rolled);
  const ends = isOver || (all !== undefined && missing.length === 0);
  const known = new Set(rollout.restarted?.map(targetKey));
  const isNew = restarted.some(each => !known.has(targetKey(each)));
  if (!ends && all === restartedAt && !isNew) return rollout;
  return {
    ...rest,
    ...(restarted.length > 0 && { restarted }),
    ...(all !== undefined && { restartedAt: all }),
    ...(ends && { finishedAt: timestamp(now) }),
    ...(ends && missing.length > 0 && { failed: missing.map(failureOf) }),
  };
}

const longestMessage = 1024;

function failureOf({ target: { kind, name }, trouble = 'has not finished rolling' }: View) {
  return { kind, name, message: trouble.slice(0, longestMessage) };
}

/** Nobody waits for the consumers any more: what they held ends with its overlap, or now where that is over. */
function released(previous: readonly Previous[], now: Date): Previous[] {
  return previous.map(({ overlapEndsAt, ...old }) => {
    if (overlapEndsAt === undefined) return old;
    const end = earliest(new Date(old.revokeAt), new Date(Math.max(Date.parse(overlapEndsAt), now.getTime()))) ?? now;
    return { ...old, revokeAt: timestamp(end) };
  });
}

/** Less is a hasty message: most roll-outs take minutes. */
const patienceSeconds = 600;
const shortestPollSeconds = 5;
const longestPollSeconds = 300;

/**
 * When the workloads are looked at again: every 5 s at first, then ever less often, by the age of the roll-out. After its
 * end there is nothing to look for.
 */
export function nextLook(rollout: Rollout, now: Date): Date | undefined {
  const age = (now.getTime() - Date.parse(rollout.startedAt)) / 1000;
  const seconds = Math.min(Math.max(age / 6, shortestPollSeconds), longestPollSeconds);
  const poll = new Date(now.getTime() + seconds * 1000);
  const end = new Date(rollout.givesUpAt);
  return end > now ? earliest(poll, end) : undefined;
}
