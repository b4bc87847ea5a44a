import type { BotToken } from '../api/bot-token.ts';
import type { Reason, Verdict } from '../api/conditions.ts';
import type { Inputs } from '../api/inputs.ts';
import { changeOf } from './change.ts';
import { type Observed, type Refused, type Step, secretNameOf } from './credential-seen.ts';
import {
  dateOf,
  nextTime,
  type Recorded,
  renewTimeOf,
  retryAfter,
  type Status,
  statusWrite,
} from './credential-status.ts';
import { differ } from './digest.ts';
import type { Grant, Wish } from './grant.ts';
import { nextOfRollout, openRollout } from './rollout.ts';
import { earliest } from './times.ts';

function isExpired({ inputs }: Recorded, now: Date): boolean {
  return inputs.expiresAt !== undefined && Date.parse(inputs.expiresAt) <= now.getTime();
}

/** Whether the recorded credential has not ended and is where pods find it. */
export function isInForce({ secret }: Observed, record: Recorded | undefined, now: Date): record is Recorded {
  if (record === undefined || isExpired(record, now) || secret.state !== 'ours') return false;
  return secret.digest !== undefined && !differ(secret.digest, record.inputs.digest);
}

/** Ended for good: nothing renews it. */
export function isOver(token: BotToken, record: Recorded, now: Date): boolean {
  return isExpired(record, now) && renewTimeOf(token, record.inputs) === undefined;
}

/** What the conditions say of a token that has a record and nothing left to do. */
export function verdictOf(token: BotToken, record: Recorded, grant: Grant<Wish>, now: Date): Verdict {
  if (isExpired(record, now)) {
    if (!grant.allowed && token.spec.rotation !== undefined) return grant.blocked;
    return stalled(
      'Expired',
      `the credential ended at ${record.inputs.expiresAt}: set spec.rotation, or make a new BotToken`,
    );
  }
  if (grant.allowed) return issued(token, record.inputs);
  // Nobody can verify what it signed, or nobody may let it in.
  const unserved: Reason[] = ['IssuerNotFound', 'UnknownFormat', 'BotUserDisabled', 'Expired'];
  if (unserved.includes(grant.blocked.reason)) return grant.blocked;
  if (grant.blocked.state === 'reconciling') return issued(token, record.inputs);
  // A ceiling that came later refuses the next issue and takes nothing away; a spec that asks for more is not served.
  if (grant.wish !== undefined && changeOf(record.inputs, grant.wish) !== 'none') return grant.blocked;
  return { state: 'ready', reason: grant.blocked.reason, message: `nothing more is issued: ${grant.blocked.message}` };
}

/** Ready, and where the credential is. */
export function issued(token: BotToken, { expiresAt }: Inputs): Verdict {
  const end = expiresAt === undefined ? 'it has no end' : `it ends at ${expiresAt}`;
  return { state: 'ready', reason: 'Issued', message: `the credential is in Secret ${secretNameOf(token)}; ${end}` };
}

/** Stalled, because another object holds the Secret; it is named. */
export function secretInUse(token: BotToken, owner: string): Verdict {
  return stalled(
    'SecretInUse',
    `${owner} writes to Secret ${secretNameOf(token)}: delete ${owner}, or make a new BotToken with another spec.secret.name`,
  );
}

/** Only a change can help. */
export function stalled(reason: Reason, message: string): Verdict {
  return { state: 'stalled', reason, message };
}

/** The verdict with what is wrong about the restart of consumers, where nothing more important is to be said. */
export function withTrouble(verdict: Verdict, trouble: string | undefined): Verdict {
  if (trouble === undefined || verdict.reason !== 'Issued') return verdict;
  return { state: verdict.state, reason: 'RestartFailed', message: trouble };
}

function troubleOf({ token, targets }: Observed, now: Date): string | undefined {
  const rollout = openRollout(token);
  const next = rollout && nextOfRollout(token, rollout, targets, now);
  return next?.do === 'wait' ? next.trouble : undefined;
}

/** Writes a status that says so, or rests until time alone changes something. */
export function report(seen: Observed, verdict: Verdict, now: Date, pollSeconds?: number): Step {
  const { token } = seen;
  const { retry: _, ...fields } = token.status ?? {};
  const write = statusWrite(token, fields, withTrouble(verdict, troubleOf(seen, now)), now, 'state');
  if (write !== undefined) return write;
  const poll = pollSeconds === undefined ? undefined : new Date(now.getTime() + pollSeconds * 1000);
  return { do: 'rest', until: earliest(poll, nextTime(token, now)) };
}

/** The API server's own words, and the time of the next attempt. A credential that is in force keeps the token Ready. */
export function refusal(
  seen: Observed,
  record: Recorded | undefined,
  { operation, reason, message }: Refused,
  now: Date,
): Step {
  const { token } = seen;
  const retry = retryAfter(token, reason, now, operation);
  const fields = { ...token.status, retry } as Status;
  const verdict: Verdict = { state: isInForce(seen, record, now) ? 'ready' : 'reconciling', reason, message };
  return statusWrite(token, fields, verdict, now, 'state') ?? { do: 'rest', until: dateOf(retry.at) };
}

/** Until a refused write may be tried again, only the end of a credential changes what is said. */
export function heldBack(seen: Observed, record: Recorded | undefined, until: Date, now: Date): Step {
  const { token } = seen;
  const rest: Step = { do: 'rest', until: earliest(until, nextTime(token, now)) };
  const { retry, ...fields } = token.status ?? {};
  const said = fields.conditions?.find(({ type }) => type === 'Ready');
  if (retry === undefined || said?.status !== 'True' || isInForce(seen, record, now)) return rest;
  const verdict: Verdict = { state: 'reconciling', reason: retry.reason as Reason, message: said.message };
  return statusWrite(token, { ...fields, retry }, verdict, now, 'state') ?? rest;
}
