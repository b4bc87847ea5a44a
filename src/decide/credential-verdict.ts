import { isDeepStrictEqual } from 'node:util';
import type { Reason, Verdict } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import type { Inputs } from '../api/inputs.ts';
import { isPast } from '../api/object.ts';
import { askedChange, isCutShort } from './change.ts';
import { copyTrouble } from './copies.ts';
import { type Recorded, recordOf } from './credential-record.ts';
import { retryAfter } from './credential-retry.ts';
import {
  isOfIssuer,
  lacksKey,
  type Observed,
  type Refused,
  type Step,
  secretNameOf,
  speaks,
} from './credential-seen.ts';
import { dateOf, nextTime, renewTimeOf, statusWrite, warningTimeOf } from './credential-status.ts';
import { differ } from './digest.ts';
import { askedBy, type Grant, type Wish, withinOf } from './grant.ts';
import type { CredentialKind } from './kind.ts';
import { nextOfRollout, openRollout } from './rollout.ts';
import { earliest } from './times.ts';

/** Whether its end has come. */
export function isExpired({ expiresAt }: Inputs, now: Date): boolean {
  return isPast(expiresAt, now);
}

/** Whether the recorded credential has not ended, its issuer is there and can check it, and it is where pods find it. */
export function isInForce(seen: Observed, record: Recorded | undefined, now: Date): record is Recorded {
  const { secret } = seen;
  if (record === undefined || isExpired(record.inputs, now) || secret.state !== 'ours') return false;
  if (!isOfIssuer(seen, record.inputs) || lacksKey(seen, record.inputs)) return false;
  return secret.digest !== undefined && !differ(secret.digest, record.inputs.digest);
}

/** Whether its end has come, and nothing renews it. */
export function hasEndedForGood(object: Credentialed, { inputs }: Pick<Recorded, 'inputs'>, now: Date): boolean {
  return isExpired(inputs, now) && renewTimeOf(object, inputs) === undefined;
}

/** What the conditions say of an object that has a record and nothing left to do. */
export function verdictOf(seen: Observed, record: Recorded, grant: Grant<Wish>, now: Date): Verdict {
  const { kind, object } = seen;
  if (!grant.allowed && grant.blocked.reason === 'Disabled') return grant.blocked;
  if (isExpired(record.inputs, now)) {
    if (!grant.allowed && object.spec.rotation !== undefined) return grant.blocked;
    return stalled('Expired', `the credential ended at ${record.inputs.expiresAt}: ${kind.whenEnded}`);
  }
  if (grant.allowed) return endsSoon(kind, object, record, now) ?? issued(object, record.inputs);
  // Nobody can verify it, or nobody may let it in.
  const unserved: Reason[] = ['BotUserDisabled', 'Expired', 'UsernameTaken'];
  if (!isOfIssuer(seen, record.inputs) || unserved.includes(grant.blocked.reason)) return grant.blocked;
  // What came later refuses the next issue and takes nothing away; who asks for something else waits, and must read for what.
  const isAsked = askedChange(record.inputs, askedBy(object)) !== 'none';
  if (isAsked || (grant.wish !== undefined && !isServed(kind, object, record, grant.wish))) return grant.blocked;
  return { state: 'ready', reason: grant.blocked.reason, message: `nothing more is issued: ${grant.blocked.message}` };
}

/** Whether what is wished for is what there is, in the credential and beside it. */
function isServed(kind: CredentialKind, object: Credentialed, { inputs }: Recorded, wish: Wish): boolean {
  if (
    kind.changeOf(inputs, wish) !== 'none' ||
    !isDeepStrictEqual(kind.revised(object, inputs, wish, undefined), inputs)
  )
    return false;
  return isDeepStrictEqual(kind.served(object, inputs, wish), kind.served(object, inputs, undefined));
}

/** Still ready, but nothing renews it: in time for somebody to see to it. */
function endsSoon(kind: CredentialKind, object: Credentialed, { inputs }: Recorded, now: Date): Verdict | undefined {
  const warning = warningTimeOf(inputs);
  if (warning === undefined || warning > now || renewTimeOf(object, inputs) !== undefined) return undefined;
  const remedy = isCutShort(inputs) ? kind.whenCutShort : `without rotation: ${kind.whenEnded}`;
  const message = `the credential in Secret ${secretNameOf(object)} ends at ${inputs.expiresAt} ${remedy}`;
  return { state: 'ready', reason: 'ExpiresSoon', message };
}

/** Ready, and where the credential is. */
export function issued(object: Credentialed, { expiresAt }: Inputs): Verdict {
  const end = expiresAt === undefined ? 'it has no end' : `it ends at ${expiresAt}`;
  return { state: 'ready', reason: 'Issued', message: `the credential is in Secret ${secretNameOf(object)}; ${end}` };
}

/** Stalled, because another object holds the Secret; it is named. */
export function secretInUse({ kind, object }: Observed, owner: string): Verdict {
  return stalled(
    'SecretInUse',
    `${owner} writes to Secret ${secretNameOf(object)}: delete ${owner}, or make a new ${kind.name} with another spec.secret.name`,
  );
}

/** Only a change can help. */
export function stalled(reason: Reason, message: string): Verdict {
  return { state: 'stalled', reason, message };
}

/** The verdict with what is wrong beside the credential itself, where nothing more important is to be said. */
export function withTrouble(verdict: Verdict, trouble: Trouble | undefined): Verdict {
  if (trouble === undefined || verdict.reason !== 'Issued') return verdict;
  return { state: verdict.state, ...trouble };
}

/** What is wrong with copies of the Secret, or with the restart of consumers. */
export interface Trouble {
  reason: Reason;
  message: string;
}

export function troubleOf(seen: Observed, restartTrouble: string | undefined, now: Date): Trouble | undefined {
  const copies = copyTrouble(seen, now);
  if (copies !== undefined) return { reason: 'CopyFailed', message: copies };
  return restartTrouble === undefined ? undefined : { reason: 'RestartFailed', message: restartTrouble };
}

/** The same as `issued`, with what is wrong about its copies. */
export function issuedWith(seen: Observed, inputs: Inputs, now: Date): Verdict {
  return withTrouble(issued(seen.object, inputs), troubleOf(seen, undefined, now));
}

function restartTrouble(seen: Observed, now: Date): string | undefined {
  const { object, targets } = seen;
  const rollout = openRollout(object);
  const next = rollout && nextOfRollout(seen, rollout, targets, now);
  return next?.do === 'wait' ? next.trouble : undefined;
}

/** What the status says of what is recorded, and of what is wished for beside the credential. */
function servedBy({ kind, object, principal }: Observed): object {
  const record = recordOf(object);
  if (record === 'unknown' || (record && !kind.knows(record.inputs)) || !speaks(principal)) return {};
  return kind.served(object, record?.inputs, withinOf(principal.grant));
}

/** Whether the status list has revoked a credential for good, wanted or not: who verifies offline never takes it again. */
export function isListedInvalid(
  { listed }: Pick<Observed, 'listed'>,
  { statusListIndex: index }: { statusListIndex?: number | undefined },
): boolean {
  return index !== undefined && listed.get(index) === 'INVALID';
}

/** Writes a status that says so, or rests until time alone changes something. */
export function report(seen: Observed, verdict: Verdict, now: Date, pollSeconds?: number): Step {
  const { object } = seen;
  // What was on its way to replace these may have got lost, after the list had ended them for it.
  const previous = object.status?.previous?.filter(old => !isListedInvalid(seen, old));
  const { retry: _, ...fields } = { ...object.status, ...servedBy(seen), previous };
  const write = statusWrite(
    object,
    fields,
    withTrouble(verdict, troubleOf(seen, restartTrouble(seen, now), now)),
    now,
    'state',
  );
  if (write !== undefined) return write;
  const poll = pollSeconds === undefined ? undefined : new Date(now.getTime() + pollSeconds * 1000);
  return { do: 'rest', until: earliest(poll, nextTime(object, now)) };
}

/** The API server's own words, and the time of the next attempt. A credential that is in force keeps the object Ready. */
export function refusal(
  seen: Observed,
  record: Recorded | undefined,
  { operation, reason, message }: Refused,
  now: Date,
): Step {
  const { object } = seen;
  const retry = retryAfter(object, reason, now, operation);
  const fields = { ...object.status, ...servedBy(seen), retry };
  const verdict: Verdict = { state: isInForce(seen, record, now) ? 'ready' : 'reconciling', reason, message };
  return statusWrite(object, fields, verdict, now, 'state') ?? { do: 'rest', until: dateOf(retry.at) };
}

/** Until a refused write may be tried again, only the end of a credential changes what is said. */
export function heldBack(seen: Observed, record: Recorded | undefined, until: Date, now: Date): Step {
  const { object } = seen;
  const rest: Step = { do: 'rest', until: earliest(until, nextTime(object, now)) };
  const { retry, ...fields } = object.status ?? {};
  const said = fields.conditions?.find(({ type }) => type === 'Ready');
  if (retry === undefined || said?.status !== 'True' || isInForce(seen, record, now)) return rest;
  const verdict: Verdict = { state: 'reconciling', reason: retry.reason as Reason, message: said.message };
  return statusWrite(object, { ...fields, retry }, verdict, now, 'state') ?? rest;
}
