import { conditionsOf, timestamp, type Verdict } from '../api/conditions.ts';
import type { Revocation } from '../api/revocation.ts';
import { mergePatch } from '../base/merge-patch.ts';
import { nextRetry, recordedRetry } from './retry.ts';
import { earliest } from './times.ts';

type Status = NonNullable<Revocation['status']>;

/** How an attempt of this pass ended. */
export type Attempt =
  /** The issuer has revoked everything, or has nothing of it. */
  | { outcome: 'done' | 'not-found' }
  /** `words` are the issuer's; `notBeforeSeconds` is what it asked for. */
  | { outcome: 'failed'; words: string; notBeforeSeconds?: number };

/** Everything that a decision about one Revocation rests on. */
export interface Observed {
  revocation: Revocation;
  /** The cluster that this operator works in. */
  clusterID: string;
  /** The attempt of this pass at the revocation as it is now. */
  attempt: Attempt | undefined;
}

export type Step =
  | { do: 'revoke' }
  | { do: 'write-status'; patch: object; verdict: Verdict }
  /** There is nothing left to do for it; `verdict` is its last word. */
  | { do: 'delete'; verdict: Verdict }
  | { do: 'rest'; until: Date | undefined };

/** A request to issue may land long after its sender is gone: what it made is found by a second look, so much later (I6). */
const lookAgainSeconds = 300;
/** Relying parties, and this operator, may have clocks that are wrong by so much: until then an end is not believed. */
const endMarginSeconds = 3600;

/** Pure and total. Tries until the issuer has revoked everything, looks once more later, and then lets the Revocation go. */
export function decide(seen: Observed, now: Date): Step {
  const { revocation, clusterID, attempt } = seen;
  if (revocation.metadata.deletionTimestamp !== undefined) return { do: 'rest', until: undefined };
  if (isOver(revocation, now)) return { do: 'delete', verdict: expired(revocation) };
  if (revocation.spec.clusterID !== clusterID) return write(seen, {}, otherCluster(revocation), now);
  const due = nextAttempt(revocation, now);
  if (due !== undefined && due > now) return rest(revocation, due);
  if (attempt === undefined) return { do: 'revoke' };
  if (attempt.outcome === 'failed') return failure(seen, attempt, now);
  const { revokedAt } = current(revocation);
  if (revokedAt !== undefined) return { do: 'delete', verdict: lookedAgain(revocation) };
  const at = timestamp(now);
  return write(seen, { revokedAt: at }, revoked(revocation, at), now);
}

/** Whether credentials may still work because of it: it is neither carried out nor past the end of all of them. */
export function isOpen(revocation: Revocation, now: Date): boolean {
  return current(revocation).revokedAt === undefined && !isOver(revocation, now);
}

/** What is recorded of this very spec: credentials that were added since have not been tried at all. */
function current({ status, metadata }: Revocation): Pick<Status, 'revokedAt' | 'retry'> {
  return status?.observedGeneration === metadata.generation ? (status ?? {}) : {};
}

/** Undefined where the first attempt has not been made. */
function nextAttempt(revocation: Revocation, now: Date): Date | undefined {
  const { revokedAt, retry } = current(revocation);
  if (retry !== undefined) return recordedRetry(retry, now);
  return revokedAt === undefined ? undefined : after(revokedAt, lookAgainSeconds);
}

/** When it goes though nobody has carried it out; undefined for credentials that never end. */
function endOf({ spec }: Revocation): Date | undefined {
  return spec.notAfter === undefined ? undefined : after(spec.notAfter, endMarginSeconds);
}

function isOver(revocation: Revocation, now: Date): boolean {
  const end = endOf(revocation);
  return end !== undefined && end <= now;
}

function failure(seen: Observed, attempt: Attempt & { outcome: 'failed' }, now: Date): Step {
  const { revokedAt, retry } = current(seen.revocation);
  const next = nextRetry(retry, 'RevocationFailed', now, attempt.notBeforeSeconds);
  const { issuer } = seen.revocation.spec;
  const message = `${issuer.kind} ${issuer.name} did not revoke: ${attempt.words}`;
  const fields = revokedAt === undefined ? { retry: next } : { revokedAt, retry: next };
  const state = revokedAt === undefined ? 'reconciling' : 'ready';
  return write(seen, fields, { state, reason: 'RevocationFailed', message }, now);
}

function write({ revocation }: Observed, fields: Status, verdict: Verdict, now: Date): Step {
  const { generation = 0 } = revocation.metadata;
  const conditions = conditionsOf(verdict, revocation.status?.conditions, generation, now);
  const patch = mergePatch(revocation.status, { ...fields, observedGeneration: generation, conditions });
  return patch === undefined ? rest(revocation) : { do: 'write-status', patch, verdict };
}

function rest(revocation: Revocation, due?: Date): Step {
  return { do: 'rest', until: earliest(due, endOf(revocation)) };
}

// What the conditions say.

function revoked(revocation: Revocation, at: string): Verdict {
  const again = timestamp(after(at, lookAgainSeconds));
  const message = `the credentials of ${nameOf(revocation)} are revoked; it is looked at once more at ${again}, then this object goes`;
  return { state: 'ready', reason: 'Revoked', message };
}

function lookedAgain(revocation: Revocation): Verdict {
  const message = `the credentials of ${nameOf(revocation)} are revoked, and a second look found nothing left to do`;
  return { state: 'ready', reason: 'Revoked', message };
}

function expired(revocation: Revocation): Verdict {
  const message = `the credentials of ${nameOf(revocation)} have ended by themselves at ${revocation.spec.notAfter}`;
  return { state: 'ready', reason: 'CredentialsEnded', message };
}

function otherCluster({ spec }: Revocation): Verdict {
  const message = `it was made in the cluster ${spec.clusterID}, whose credentials are not touched from here: delete it, or restore clusterID in the ConfigMap botmint`;
  return { state: 'stalled', reason: 'OtherCluster', message };
}

function nameOf({ spec: { owner } }: Revocation): string {
  return `${owner.kind} ${owner.namespace}/${owner.name}`;
}

function after(time: string, seconds: number): Date {
  return new Date(Date.parse(time) + seconds * 1000);
}
