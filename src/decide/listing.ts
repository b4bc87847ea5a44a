import type { TokenInputs } from '../api/inputs.ts';
import { inputsAnnotation, tokenIDAnnotation } from '../api/names.ts';
import { isPast } from '../api/object.ts';
import type { TokenStatus } from '../api/token-status.ts';
import { parsedJSON } from '../base/json.ts';
import { patched } from '../base/merge-patch.ts';
import { knownRecord } from './credential-record.ts';
import { retryTime } from './credential-retry.ts';
import { type Observed, type Step, speaks } from './credential-seen.ts';
import type { Status } from './credential-status.ts';
import { refusal } from './credential-verdict.ts';
import { handOver, handOverTime } from './hand-over.ts';
import { earliest } from './times.ts';

/**
 * What the status list says of an index. `missing`: somebody deleted the list, it can be made anew. `unreadable`: somebody
 * edited it into something that is no list. `retired`: its issuer is gone, and with it whoever could verify the token.
 */
export type Listed = TokenStatus | 'missing' | 'unreadable' | 'retired';

export interface ListChange {
  index: number;
  status: TokenStatus;
}

/** A credential that an object carries, by its place in the status list. */
export interface Carried {
  index: number;
  /** The UID of its issuer, by which a deleted list can be made anew; not recorded of what is superseded. */
  issuerUID: string | undefined;
  /** Until when it works, where it is superseded. */
  revokeAt: string | undefined;
  /** When it ends by itself; undefined: never. */
  expiresAt: string | undefined;
}

/** All credentials of a token that are in a status list: in its record, in their overlap, and in its Secret. */
export function carriedBy({ object, secret }: Pick<Observed, 'object' | 'secret'>): readonly Carried[] {
  const { issued, previous = [], tokenID } = object.status ?? {};
  const superseded = previous.flatMap(({ statusListIndex: index, revokeAt, expiresAt }) =>
    index === undefined ? [] : [{ index, issuerUID: undefined, revokeAt, expiresAt }],
  );
  const recorded = [...ofInputs(issued?.inputs), ...superseded];
  if (secret.state !== 'ours') return recorded;
  const { [tokenIDAnnotation]: own, [inputsAnnotation]: inputs } = secret.metadata.annotations ?? {};
  if (own === undefined || own === tokenID || !own.startsWith(`${object.metadata.uid}.`)) return recorded;
  return [
    ...recorded,
    ...ofInputs(parsedJSON(inputs)).filter(({ index }) => recorded.every(old => old.index !== index)),
  ];
}

/** Looked at field by field: this is asked at every look, and most of them have nothing to do. */
function ofInputs(inputs: unknown): readonly Carried[] {
  const fields: Partial<TokenInputs> = typeof inputs === 'object' && inputs !== null ? inputs : {};
  const { format, statusListIndex: index, issuer, expiresAt } = fields;
  if (format !== 1 || typeof index !== 'number') return [];
  return [{ index, issuerUID: issuer?.uid, revokeAt: undefined, expiresAt }];
}

/**
 * The step, or what has to come before it: whatever a step lets go of is INVALID in the status list first, so that nobody
 * who verifies offline takes it for good when nothing remembers it any more. Where the list cannot be written, only what
 * depends on it waits.
 */
export function afterListing(seen: Observed, step: Step, now: Date): Step {
  const carried = carriedBy(seen);
  if (carried.length === 0) return step;
  const { due, required } = changesBefore(seen, carried, step, now);
  if (due.length + required.length === 0) return step;
  const until = retryTime(seen.object, now, 'Revoke');
  const waits = until !== undefined && until > now;
  const failed = seen.refused.Revoke;
  if (failed === undefined && !waits) return listing(carried, [...due, ...required]);
  const heir = handOver(seen, now);
  if (heir === 'taken-over') return step;
  if (heir !== undefined) return heir;
  const isNews = step.do === 'rest' || (step.do === 'write-status' && step.because === 'state');
  if (required.length === 0 && !isNews) return keepingEnded(seen, step, due);
  if (failed !== undefined && !waits)
    return keepingEnded(seen, refusal(seen, knownRecord(seen.object), failed, now), due);
  const handing = handOverTime(seen);
  return { do: 'rest', until: earliest(until, handing && handing > now ? handing : undefined, restOf(step)) };
}

/** The changes of one issuer at a time; where nobody knows the issuer, the list itself does. */
function listing(carried: readonly Carried[], changes: readonly ListChange[]): Step & { do: 'list' } {
  const issuers = new Map(carried.map(({ index, issuerUID }) => [index, issuerUID]));
  const uid = changes.map(({ index }) => issuers.get(index)).find(each => each !== undefined) ?? '';
  return {
    do: 'list',
    issuer: { uid },
    changes: changes.filter(({ index }) => [uid, undefined].includes(issuers.get(index))),
  };
}

/** `required`: the step depends on it. `due`: it is time. */
function changesBefore(
  seen: Observed,
  all: readonly Carried[],
  step: Step,
  now: Date,
): { due: ListChange[]; required: ListChange[] } {
  const kept = keptBy(seen, all, step);
  const changes: { due: ListChange[]; required: ListChange[] } = { due: [], required: [] };
  for (const { index, expiresAt, revokeAt } of all) {
    if (isPast(expiresAt, now)) continue; // its own `exp` says so
    const ended = isPast(revokeAt, now);
    const status = ended || !kept.has(index) ? 'INVALID' : standing(seen);
    if (status === undefined || !differs(seen.listed.get(index), status)) continue;
    (status === 'INVALID' && !ended ? changes.required : changes.due).push({ index, status });
  }
  return changes;
}

/** What a credential is worth that has not ended; undefined where nothing is to be concluded. */
function standing({ object, principal }: Observed): TokenStatus | undefined {
  if (object.metadata.deletionTimestamp !== undefined || object.spec.revoked === true) return undefined;
  if (!speaks(principal)) return undefined;
  return principal.suspended ? 'SUSPENDED' : 'VALID';
}

function differs(listed: Listed | undefined, wanted: TokenStatus): boolean {
  switch (listed) {
    case undefined:
    case 'retired':
    case 'INVALID':
      return false;
    case 'missing':
      return true;
    case 'unreadable':
      return wanted !== 'VALID';
    case 'VALID':
    case 'SUSPENDED':
      return listed !== wanted;
  }
}

/** The indexes that the objects still carry after a step. */
function keptBy({ object, secret }: Observed, all: readonly Carried[], step: Step): ReadonlySet<number> {
  if (step.do === 'remove-finalizer' || (step.do === 'delete-secret' && step.cause === 'revoked')) return new Set();
  if (step.do === 'issue') return indexesOf(carriedBy({ object, secret: { state: 'absent', confirmed: false } }));
  if (step.do !== 'write-status') return indexesOf(all);
  return indexesOf(carriedBy({ object: { ...object, status: patched(object.status, step.patch) }, secret }));
}

function indexesOf(carried: readonly Carried[]): ReadonlySet<number> {
  return new Set(carried.map(({ index }) => index));
}

/** The step without what it would let go of although the list does not say yet that it has ended. */
function keepingEnded({ object }: Observed, step: Step, due: readonly ListChange[]): Step {
  if (step.do !== 'write-status') return step;
  const unlisted = new Set(due.map(({ index }) => index));
  const after = patched(object.status, step.patch) as Status;
  const held = new Set(after.previous?.map(({ tokenID }) => tokenID));
  const ended = (object.status?.previous ?? []).filter(
    ({ tokenID, statusListIndex: index }) => index !== undefined && unlisted.has(index) && !held.has(tokenID),
  );
  if (ended.length === 0) return step;
  return { ...step, patch: { ...step.patch, previous: [...ended, ...(after.previous ?? [])] } };
}

function restOf(step: Step): Date | undefined {
  return step.do === 'rest' ? step.until : undefined;
}
