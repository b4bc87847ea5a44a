import { conditionsOf, pausedConditions, type Reason, timestamp, type Verdict } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import { type Inputs, parseInputs } from '../api/inputs.ts';
import { pausedAnnotation, revokeFinalizer } from '../api/names.ts';
import { isPast } from '../api/object.ts';
import { mergePatch } from '../base/merge-patch.ts';
import { isCutShort } from './change.ts';
import { issuerUIDOf, recordOf } from './credential-record.ts';
import { heldForConsumers, newRollout, nextLook, openRollout } from './rollout.ts';
import type { Marks } from './secret-metadata.ts';
import { earliest, renewalTime, warningTime } from './times.ts';

export type Status = NonNullable<Credentialed['status']>;

/** A status to be written: a field that is undefined is left out of it. */
export type StatusFields = { readonly [Field in keyof Status]: Status[Field] | undefined };

/** A write of the status, or undefined when it says all this already. */
export interface StatusWrite {
  do: 'write-status';
  patch: object;
  because: 'issued' | 'revoked' | 'state';
  verdict: Verdict;
}

/** The status with a credential as its Secret names it: copied from there, never from the spec of the moment. */
export function issuedStatus(
  object: Credentialed,
  secret: { name: string; uid: string; resourceVersion: string | undefined },
  { tokenID, revision, inputs }: Marks & { inputs: Inputs },
  now: Date,
): StatusFields {
  const { retry: _, revokedAt: __, issuerUID: ___, ...old } = object.status ?? {};
  const { resourceVersion } = secret;
  return {
    ...old,
    tokenID,
    revision,
    issuedAt: inputs.issuedAt,
    expiresAt: inputs.expiresAt,
    secretName: secret.name,
    ...(old.tokenID === tokenID ? { previous: livePrevious(object, now) } : supersededBy(object, tokenID, inputs, now)),
    issued: {
      inputs,
      secret: { name: secret.name, uid: secret.uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    },
  };
}

/**
 * The credentials that live on beside a new one. The clock of the old one's end starts here: the API server has
 * acknowledged the Secret with the new one. One that replaces ends all before it: they may do as much as the last.
 * So does one of another issuer: there they are worth nothing.
 */
function supersededBy(object: Credentialed, tokenID: string, inputs: Inputs, now: Date) {
  const { issuer, overlapSeconds } = inputs;
  const isElsewhere = issuer.uid !== issuerUIDOf(object);
  const replaces = isElsewhere || (inputs.replaces ?? overlapSeconds === 0);
  const last = replaces ? [] : overlapOf(object, overlapSeconds, now);
  const previous = replaces ? [] : [...livePrevious(object, now), ...last.map(old => heldForConsumers(object, old))];
  return { previous, rollout: newRollout(object, tokenID, dateOf(last[0]?.revokeAt), now) };
}

/** The recorded credential as one that lives on for so long, at most to its own end; nothing when that has come. */
function overlapOf({ status }: Credentialed, overlapSeconds: number | undefined, now: Date) {
  const { tokenID, revision, issued } = status ?? {};
  const inputs = parseInputs(issued?.inputs);
  const { expiresAt, statusListIndex } = inputs ?? {};
  const overlapEnd = overlapSeconds === undefined ? undefined : new Date(now.getTime() + overlapSeconds * 1000);
  const end = earliest(overlapEnd, dateOf(expiresAt));
  if (tokenID === undefined || end === undefined || end <= now) return [];
  const checked = inputs?.robot === undefined ? {} : { revision: revision ?? 0, verifier: inputs.robot.verifier };
  const listed = statusListIndex === undefined ? {} : { statusListIndex, ...(expiresAt && { expiresAt }) };
  return [{ tokenID, revokeAt: timestamp(end), ...listed, ...checked }];
}

/** The status after the Secret was lost and its name taken: nothing is in force, and what was lost ends after its overlap (I8). */
export function lostStatus(object: Credentialed, overlapSeconds: number | undefined, now: Date): StatusFields {
  const { observedGeneration, conditions, revision } = object.status ?? {};
  const previous = [...livePrevious(object, now), ...overlapOf(object, overlapSeconds, now)];
  return { observedGeneration, conditions, revision, previous, issuerUID: issuerUIDOf(object) };
}

/** The status without a credential: what was issued is revoked, and the revision stays so that numbers are never given twice. */
export function revokedStatus(object: Credentialed, now: Date): StatusFields {
  const { observedGeneration, conditions, revision, revokedAt, tokenID } = object.status ?? {};
  const at = revokedAt ?? (tokenID === undefined ? undefined : timestamp(now));
  return { observedGeneration, conditions, revision, revokedAt: at };
}

/** Superseded credentials whose overlap is not over. */
export function livePrevious(object: Credentialed, now: Date) {
  return (object.status?.previous ?? []).filter(({ revokeAt }) => !isPast(revokeAt, now));
}

/** When the credential should be renewed; undefined without rotation, for one that never ends, and for one that ends with its BotUser. */
export function renewTimeOf(
  object: Credentialed,
  inputs: Pick<Inputs, 'issuedAt' | 'expiresAt' | 'notAfter'>,
): Date | undefined {
  const { rotation } = object.spec;
  const { issuedAt, expiresAt } = inputs;
  if (rotation === undefined || expiresAt === undefined || isCutShort(inputs)) return undefined;
  const life = { issuedAt: new Date(issuedAt), expiresAt: new Date(expiresAt) };
  return renewalTime(life, rotation.renewBefore, object.metadata.uid);
}

/** Whether the object cannot go without its credential having ended. */
export function hasFinalizer(object: Credentialed): boolean {
  return object.metadata.finalizers?.includes(revokeFinalizer) === true;
}

/** Whether the conditions say so. */
export function hasReason({ status }: Credentialed, reason: Reason): boolean {
  return status?.conditions?.some(condition => condition.type === 'Ready' && condition.reason === reason) === true;
}

/** Whether nothing but the end of credentials may happen to the object. */
export function isPaused({ metadata }: Credentialed): boolean {
  return metadata.annotations?.[pausedAnnotation] === 'true';
}

/** The next time at which the status says something different by itself. */
export function nextTime(object: Credentialed, now: Date): Date | undefined {
  const { expiresAt, renewAt, previous, issued } = object.status ?? {};
  const recorded = parseInputs(issued?.inputs);
  const warning = renewAt === undefined && recorded !== undefined ? warningTimeOf(recorded) : undefined;
  // What is said may name an earlier end than what is recorded.
  const ends = [expiresAt, recorded?.expiresAt, ...(previous ?? []).map(({ revokeAt }) => revokeAt)];
  const times = [...[...ends, renewAt].map(dateOf), warning];
  const rollout = isPaused(object) ? undefined : openRollout(object);
  return earliest(rollout && nextLook(rollout, now), ...times.filter(time => time !== undefined && time > now));
}

/** When people are told of the end of a credential that nothing renews; undefined for one that never ends. */
export function warningTimeOf(of: { issuedAt?: string | undefined; expiresAt?: string | undefined }): Date | undefined {
  const [issuedAt, expiresAt] = [dateOf(of.issuedAt), dateOf(of.expiresAt)];
  return issuedAt && expiresAt && warningTime({ issuedAt, expiresAt });
}

export function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

/** The merge patch that brings the status to these fields and this verdict; undefined when nothing would change. */
export function statusWrite(
  object: Credentialed,
  fields: StatusFields,
  verdict: Verdict,
  now: Date,
  because: StatusWrite['because'],
): StatusWrite | undefined {
  const { generation = 0 } = object.metadata;
  const after = { ...object, status: fields as Status }; // the one cast: what is undefined is not written
  const previous = livePrevious(after, now);
  const old = object.status?.conditions;
  const conditions = conditionsOf(verdict, old, generation, now);
  const status = {
    ...fields,
    previous: previous.length === 0 ? undefined : previous,
    renewAt: renewAtOf(after),
    observedGeneration: generation,
    conditions: isPaused(object) ? pausedConditions(conditions, old, generation, now) : conditions,
  };
  const patch = mergePatch(object.status, status);
  return patch === undefined ? undefined : { do: 'write-status', patch, because, verdict };
}

function renewAtOf(object: Credentialed): string | undefined {
  const record = recordOf(object);
  if (record === 'unknown') return object.status?.renewAt;
  const at = record && renewTimeOf(object, record.inputs);
  return at && timestamp(at);
}
