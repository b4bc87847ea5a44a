import type { BotToken } from '../api/bot-token.ts';
import { conditionsOf, type Reason, timestamp, type Verdict } from '../api/conditions.ts';
import { type Inputs, parseInputs } from '../api/inputs.ts';
import { mergePatch } from '../base/merge-patch.ts';
import type { Marks } from './secret-metadata.ts';
import { earliest, renewalTime, wholeSeconds } from './times.ts';

export type Status = NonNullable<BotToken['status']>;

/** What the status records of the credential in force. */
export interface Recorded {
  revision: number;
  tokenID: string;
  inputs: Inputs;
  secretUID: string;
  /** The Secret's resourceVersion at which its data was known to be what was written. */
  resourceVersion: string | undefined;
}

/** A write of the status, or undefined when it says all this already. */
export interface StatusWrite {
  do: 'write-status';
  patch: object;
  because: 'issued' | 'revoked' | 'state';
  verdict: Verdict;
}

/** The record; undefined when there is none, `unknown` when it is in a form that this version does not know. */
export function recordOf(token: BotToken): Recorded | 'unknown' | undefined {
  const { issued, tokenID, revision } = token.status ?? {};
  if (issued === undefined) return undefined;
  const inputs = parseInputs(issued.inputs);
  if (inputs === undefined || tokenID === undefined || revision === undefined) return 'unknown';
  return { revision, tokenID, inputs, secretUID: issued.secret.uid, resourceVersion: issued.secret.resourceVersion };
}

/** The issuer on which the token's credential depends; undefined without a credential, and for a record that cannot be read. */
export function issuerOf(token: BotToken): Inputs['issuer'] | undefined {
  const record = recordOf(token);
  return record === undefined || record === 'unknown' ? undefined : record.inputs.issuer;
}

/** The status with a credential as its Secret names it: copied from there, never from the spec of the moment. */
export function issuedStatus(
  token: BotToken,
  secret: { name: string; uid: string; resourceVersion: string | undefined },
  { tokenID, revision, inputs }: Marks & { inputs: Inputs },
  now: Date,
): Status {
  const { retry: _, revokedAt: __, ...old } = token.status ?? {};
  const { resourceVersion } = secret;
  return {
    ...old,
    tokenID,
    revision,
    issuedAt: inputs.issuedAt,
    expiresAt: inputs.expiresAt,
    secretName: secret.name,
    previous: old.tokenID === tokenID ? livePrevious(token, now) : supersededBy(token, inputs, now),
    issued: {
      inputs,
      secret: { name: secret.name, uid: secret.uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    },
  } as Status;
}

/**
 * The credentials that live on beside a new one. The clock of the old one's end starts here: the API server has
 * acknowledged the Secret with the new one. Without an overlap the ones before it end too: they may do as much as it.
 */
function supersededBy(token: BotToken, { overlapSeconds }: Inputs, now: Date) {
  if (overlapSeconds === 0) return [];
  const { tokenID, expiresAt } = token.status ?? {};
  const overlapEnd = overlapSeconds === undefined ? undefined : new Date(now.getTime() + overlapSeconds * 1000);
  const end = earliest(overlapEnd, dateOf(expiresAt));
  const lives = tokenID !== undefined && end !== undefined && end > now;
  return [...livePrevious(token, now), ...(lives ? [{ tokenID, revokeAt: timestamp(end) }] : [])];
}

/** The status without a credential: what was issued is revoked, and the revision stays so that numbers are never given twice. */
export function revokedStatus(token: BotToken, now: Date): Status {
  const { observedGeneration, conditions, revision, revokedAt, tokenID } = token.status ?? {};
  const at = revokedAt ?? (tokenID === undefined ? undefined : timestamp(now));
  return { observedGeneration, conditions, revision, revokedAt: at } as Status;
}

/** Superseded credentials whose overlap is not over. */
export function livePrevious(token: BotToken, now: Date) {
  return (token.status?.previous ?? []).filter(({ revokeAt }) => Date.parse(revokeAt) > now.getTime());
}

/** When the credential should be renewed; undefined without rotation, for one that never ends, and when it has been superseded. */
export function renewTimeOf(
  token: BotToken,
  { issuedAt, expiresAt }: { issuedAt?: string | undefined; expiresAt?: string | undefined },
): Date | undefined {
  const { rotation } = token.spec;
  if (rotation === undefined || issuedAt === undefined || expiresAt === undefined) return undefined;
  const life = { issuedAt: new Date(issuedAt), expiresAt: new Date(expiresAt) };
  return renewalTime(life, rotation.renewBefore, token.metadata.uid);
}

const longestRetrySeconds = 600;

/** What may be refused of the Secret. A refused write holds up no revocation. */
export type Operation = NonNullable<NonNullable<Status['retry']>['operation']>;

/**
 * When a refused write may be tried again. A change of the spec clears it: the remedy may be in there. So does a clock that
 * was put right: no attempt is ever put off for so long.
 */
export function retryTime({ status, metadata }: BotToken, now: Date, operation: Operation = 'Write'): Date | undefined {
  if (status?.observedGeneration !== metadata.generation) return undefined;
  if ((status?.retry?.operation ?? 'Write') !== operation) return undefined;
  const at = dateOf(status?.retry?.at);
  return at !== undefined && at.getTime() - now.getTime() <= longestRetrySeconds * 1000 ? at : undefined;
}

/** The note of one more refusal: 5 s, doubling to 10 min. In the status, so that a restart does not try everything at once. */
export function retryAfter(
  token: BotToken,
  reason: Reason,
  now: Date,
  operation: Operation = 'Write',
): NonNullable<Status['retry']> {
  const before = retryTime(token, now, operation) === undefined ? 0 : (token.status?.retry?.attempts ?? 0);
  const seconds = Math.min(5 * 2 ** before, longestRetrySeconds);
  const at = timestamp(wholeSeconds(new Date(now.getTime() + seconds * 1000)));
  return { attempts: before + 1, at, reason, ...(operation === 'Delete' && { operation }) };
}

/** The next time at which the status says something different by itself. */
export function nextTime(token: BotToken, now: Date): Date | undefined {
  const { expiresAt, renewAt, previous } = token.status ?? {};
  const times = [expiresAt, renewAt, ...(previous ?? []).map(({ revokeAt }) => revokeAt)].map(dateOf);
  return earliest(...times.filter(time => time !== undefined && time > now));
}

export function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

/** The merge patch that brings the status to these fields and this verdict; undefined when nothing would change. */
export function statusWrite(
  token: BotToken,
  fields: Status,
  verdict: Verdict,
  now: Date,
  because: StatusWrite['because'],
): StatusWrite | undefined {
  const { generation = 0 } = token.metadata;
  const previous = livePrevious({ ...token, status: fields }, now);
  const renewAt = renewTimeOf(token, fields);
  const status = {
    ...fields,
    previous: previous.length === 0 ? undefined : previous,
    renewAt: renewAt === undefined ? undefined : timestamp(renewAt),
    observedGeneration: generation,
    conditions: conditionsOf(verdict, token.status?.conditions, generation, now),
  };
  const patch = mergePatch(token.status, status);
  return patch === undefined ? undefined : { do: 'write-status', patch, because, verdict };
}
