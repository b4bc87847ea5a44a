import type { BotToken } from '../../../src/api/bot-token.ts';
import type { BotUser } from '../../../src/api/bot-user.ts';
import { parseDuration } from '../../../src/api/durations.ts';
import type { Inputs } from '../../../src/api/inputs.ts';
import {
  managedLabel,
  ownerUIDAnnotation,
  pausedAnnotation,
  replaceAnnotation,
  revokeFinalizer,
  rotateAnnotation,
  tokenIDAnnotation,
} from '../../../src/api/names.ts';
import { dataOf } from '../../../src/controllers/secret-readings.ts';
import { type StoredSecret, whole } from '../../decide/api-server.ts';
import { textOf } from '../../decide/signing.ts';
import type { View as Seen } from '../credential/kind.ts';

// The invariants of section 3 of the design, by their numbers, for tokens of an embedded issuer. They say what has to be so
// in terms of the objects alone, and never ask src/decide.

type View = Seen<BotToken, BotUser>;

/** I1 and I3: what is wrong with a world at any moment. */
export function wrongNow({ live }: View): string | undefined {
  const revisions = live.map(({ uid, revision }) => `${uid} ${revision}`);
  return revisions.length === new Set(revisions).size ? undefined : 'I1: two live credentials of one revision';
}

/**
 * I3: what an operator's step may end. The model checker found one exception: where two act at once, or a write is late, while
 * a user takes the Secret away, a credential that is not recorded yet may die of the record of the one before it.
 */
export function wrongStep(before: View, after: View, raced: boolean): string | undefined {
  const alive = new Set(after.live.map(({ tokenID }) => tokenID));
  for (const dead of before.live) {
    if (alive.has(dead.tokenID)) continue;
    const { uid } = dead;
    const unrecorded = dead.revision > revisionOf(before, uid);
    if (unrecorded && raced) continue;
    // An issuer that is let go ends what it has signed: it waits for what it has counted, and a record may come after the count.
    if (after.issuer === undefined) continue;
    if (!diedByTheRules(before, after, uid)) return `I3: ${dead.tokenID} died before its time`;
  }
  return raced ? undefined : wentTooEarly(before, after);
}

/** I6: what is deleted stays until its credentials are revoked and recorded as that. */
function wentTooEarly(before: View, after: View): string | undefined {
  const { beside: bot, objects: tokens, secret } = before;
  const gone = tokens.find((token, t) => token !== undefined && after.objects[t] === undefined);
  if (gone !== undefined && secret?.metadata.annotations?.[ownerUIDAnnotation] === gone.metadata.uid)
    return 'I6: the token went before its Secret';
  if (bot === undefined || after.beside !== undefined) return undefined;
  const left = [...before.records.values()].some(({ inputs }) => inputs.botUser?.uid === bot.metadata.uid);
  return left ? 'I6: the bot went before its credentials were revoked' : undefined;
}

function revisionOf({ objects }: View, uid: string): number {
  return objects.find(token => token?.metadata.uid === uid)?.status?.revision ?? 0;
}

/** Only for what is recorded, was in the Secret, and is asked for instead of what was there: then older ones end at once. */
function diedByTheRules(before: View, after: View, uid: string): boolean {
  const [old, fresh] = [before.records.get(uid), after.records.get(uid)];
  if (fresh === undefined || old === undefined || fresh.revision <= old.revision) return false;
  if (!before.published.some(({ tokenID }) => tokenID === fresh.tokenID)) return false;
  return (
    fresh.inputs.overlapSeconds === 0 && (isNarrower(fresh.inputs, old.inputs) || hasReplaced(fresh.inputs, old.inputs))
  );
}

function hasReplaced(now: Inputs, before: Inputs): boolean {
  return now.handled?.replace !== undefined && now.handled.replace !== before.handled?.replace;
}

function isNarrower(now: Inputs, before: Inputs): boolean {
  if (now.robot !== undefined || before.robot !== undefined) return false;
  const life = ({ expiresIn }: Inputs) => Number(parseDuration(expiresIn));
  const gone = before.scopes.some(scope => !now.scopes.includes(scope));
  return gone || life(now) < life(before) || now.botUser.uid !== before.botUser.uid;
}

/** I2, I5, I6, I8: what is wrong with a world that has come to rest. `isLater`: when all overlaps are over. */
export function wrongAtRest(view: View, isLater: boolean): string | undefined {
  const { beside: bot, issuer, live, objects: tokens } = view;
  if (tokens.some(token => token?.metadata.deletionTimestamp !== undefined)) return 'a deletion is stuck (I6)';
  if (bot?.metadata.deletionTimestamp !== undefined) return 'the deletion of the bot is stuck (I6)';
  if (issuer?.metadata.deletionTimestamp !== undefined && view.records.size === 0)
    return 'the issuer waits for nothing (I6)';
  const wanted = tokens.filter(token => token !== undefined && token.spec.revoked !== true);
  const unwanted = live.find(({ uid }) => !wanted.some(token => token?.metadata.uid === uid));
  if (unwanted !== undefined) return `${unwanted.tokenID} works, and nobody wants it (I2)`;
  if (bot === undefined || bot.spec.disabled === true || wanted.length === 0)
    return withoutUse(view, wanted.length === 0 || bot === undefined);
  if (isLater && live.length > wanted.length) return 'more than one credential works (I2, I8)';
  const served = wanted.filter(token => token !== undefined && isHolder(view, token));
  if (issuer === undefined || issuer.metadata.deletionTimestamp !== undefined) return undefined;
  const active = wanted.filter(token => token !== undefined && !isPaused(token) && !isLeftAlone(view, token));
  if (active.length > 0 && served.length === 0 && !isForeign(view.secret)) return 'nobody has the Secret';
  for (const token of served) {
    const says = token && active.includes(token) ? wrongService(view, token) : undefined;
    if (says !== undefined) return says;
  }
  return undefined;
}

function isPaused({ metadata }: BotToken): boolean {
  return metadata.annotations?.[pausedAnnotation] === 'true';
}

/** Nothing is made for it in place of what was lost: it has ended for good, or its owner wants to see to it. */
function isLeftAlone({ records, now }: View, { metadata, spec }: BotToken): boolean {
  const { expiresAt } = records.get(metadata.uid)?.inputs ?? {};
  const ended = expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime();
  return spec.secret.onLost === 'Stall' || (ended && spec.rotation === undefined);
}

/** Nobody may use anything: nothing works, and what is revoked is not in a Secret of ours. */
function withoutUse({ live, secret, objects: tokens }: View, secretGoes: boolean): string | undefined {
  if (live.length > 0) return `${live[0]?.tokenID} works, and may not (I2)`;
  const paused = tokens.some(token => token && isPaused(token));
  return secretGoes && isFindable(secret) && !paused ? 'the Secret of a revoked credential stays' : undefined;
}

/** A dead credential may stay in a Secret that a user stripped before it was recorded: nothing leads to it any more. */
function isFindable(secret: StoredSecret | undefined): boolean {
  return secret?.metadata.labels?.[managedLabel] !== undefined && secret.metadata.ownerReferences !== undefined;
}

/** Without anything that says whose it is: nobody may touch it. */
function isForeign(secret: StoredSecret | undefined): boolean {
  const { annotations, ownerReferences } = secret?.metadata ?? {};
  return secret !== undefined && annotations?.[ownerUIDAnnotation] === undefined && ownerReferences === undefined;
}

function isHolder({ secret }: View, { metadata }: BotToken): boolean {
  return secret?.metadata.annotations?.[ownerUIDAnnotation] === metadata.uid;
}

/** The holder of the Secret: what it asks for is recorded, in the Secret, and works; nothing works that may do more. */
function wrongService(view: View, token: BotToken): string | undefined {
  const { uid, annotations } = token.metadata;
  const record = view.records.get(uid);
  if (record === undefined) return 'the Secret is there, and nothing is recorded';
  if (!token.metadata.finalizers?.includes(revokeFinalizer)) return 'a credential is recorded without a finalizer (I6)';
  const own = view.live.filter(one => one.uid === uid);
  const ended = Date.parse(record.inputs.expiresAt ?? '') <= view.now.getTime();
  if (token.spec.rotation === undefined && ended) return undefined;
  const { scopes = [], expiresIn } = token.spec;
  const same =
    record.inputs.robot === undefined && isSame(scopes, record.inputs.scopes) && record.inputs.expiresIn === expiresIn;
  if (!same) return 'the record has other inputs than the spec';
  const { handled } = record.inputs;
  const asked = [annotations?.[rotateAnnotation], annotations?.[replaceAnnotation]];
  if (asked[0] !== undefined && handled?.rotate !== asked[0]) return 'a rotation that was asked for is not done';
  if (asked[1] !== undefined && handled?.replace !== asked[1]) return 'a replacement that was asked for is not done';
  if (own.some(({ inputs }) => inputs.robot === undefined && inputs.scopes.some(scope => !scopes.includes(scope))))
    return 'something works that may do more';
  if (asked[1] !== undefined && own.some(({ inputs }) => inputs.handled?.replace !== asked[1]))
    return 'a leaked credential works';
  if (!own.some(({ tokenID }) => tokenID === record.tokenID)) return 'the recorded credential does not work';
  return wrongSecret(view.secret, token, record.tokenID);
}

function wrongSecret(secret: StoredSecret | undefined, token: BotToken, tokenID: string): string | undefined {
  if (secret?.metadata.annotations?.[tokenIDAnnotation] !== tokenID)
    return 'the Secret names another credential than the record';
  const held = dataOf(whole(secret));
  const right = token.spec.secret.data.every(
    ({ key }) => held.get(key)?.reveal().includes(textOf(tokenID).reveal()) === true,
  );
  return right ? undefined : 'the Secret does not hold what is recorded (I8)';
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every(each => b.includes(each));
}
