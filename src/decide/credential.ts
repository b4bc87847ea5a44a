import type { Verdict } from '../api/conditions.ts';
import { type Credentialed, mostPrevious } from '../api/credentialed.ts';
import type { Inputs } from '../api/inputs.ts';
import { afterCopies, heldByCopies } from './copies.ts';
import { deletion, revocation, revokedVerdict, withoutBotUser } from './credential-end.ts';
import { issue, overlapSecondsOf, reissue } from './credential-issue.ts';
import { paused } from './credential-pause.ts';
import { type Recorded, recordOf, revisionOf } from './credential-record.ts';
import { retryTime } from './credential-retry.ts';
import { awaitsRenewal, isRendered } from './credential-revision.ts';
import { rolloutStep } from './credential-rollout.ts';
import {
  type Found,
  lacksKey,
  type Observed,
  type OwnSecret,
  type Step,
  secretNameOf,
  speaks,
} from './credential-seen.ts';
import {
  hasFinalizer,
  hasReason,
  isPaused,
  issuedStatus,
  livePrevious,
  lostStatus,
  nextTime,
  statusWrite,
} from './credential-status.ts';
import { upkeep } from './credential-upkeep.ts';
import { hasEndedForGood, heldBack, issuedWith, refusal, report, secretInUse, stalled } from './credential-verdict.ts';
import { differ } from './digest.ts';
import { withinOf } from './grant.ts';
import { afterListing } from './listing.ts';
import { type Marks, marksOf } from './secret-metadata.ts';

/** How often a Secret that is not ours is looked at again: no watch covers it. */
const foreignSecretPollSeconds = 15;

/** Pure and total: the same world at the same time gives the same step. Consumers come when all else is done. */
export function decide(seen: Observed, now: Date): Step {
  const step = ownStep(seen, now);
  const isIdle = step.do === 'rest' || (step.do === 'write-status' && step.because === 'state');
  const next = (isIdle ? rolloutStep(seen, now) : undefined) ?? step;
  return heldByCopies(seen, afterListing(seen, afterCopies(seen, next, now), now), now);
}

function ownStep(seen: Observed, now: Date): Step {
  const { kind, object, secret, principal } = seen;
  if (object.metadata.deletionTimestamp !== undefined) return deletion(seen, now);
  if (object.spec.revoked === true) return revocation(seen, revokedVerdict(seen), now);
  const record = recordOf(object);
  const marks = secret.state === 'ours' ? marksOf(secret.metadata) : undefined;
  const unknownRecord = record === 'unknown' || (record !== undefined && !kind.knows(record.inputs));
  const unknownMarks = marks?.inputs === 'unknown' || (marks !== undefined && !kind.knows(marks.inputs));
  if (unknownRecord || unknownMarks) {
    const where = unknownRecord ? 'status.issued' : `Secret ${secretNameOf(object)}`;
    return report(
      seen,
      stalled('UnknownFormat', `${where} is in a form that this version does not know: it is left alone`),
      now,
    );
  }
  if (principal.state === 'unreadable') {
    const message = `${principal.name} is in a form that this version does not know: nothing is concluded from it`;
    return report(seen, { state: 'reconciling', reason: 'UnknownFormat', message }, now);
  }
  if (!speaks(principal)) return withoutBotUser(seen, record, principal, now);
  if (record !== undefined && lacksKey(seen, record.inputs) && !seen.confirmed.principal)
    return { do: 'confirm', what: 'principal' };
  if (isPaused(object)) return paused({ ...seen, principal }, record, now);
  // Noted already in this pass, or nothing else could be said of the object.
  const noted = principal.grant.allowed || seen.refused.Write !== undefined;
  const waiting = noted ? retryTime(object, now) : undefined;
  if (waiting !== undefined && waiting > now) return heldBack(seen, record, waiting, now);
  if (seen.refused.Write !== undefined) return refusal(seen, record, seen.refused.Write, now);
  return withPrincipal({ ...seen, principal }, record, now);
}

// The Secret against the record.

function withPrincipal(seen: Found, record: Recorded | undefined, now: Date): Step {
  const { object, secret } = seen;
  if ((record !== undefined || secret.state === 'ours') && !hasFinalizer(object)) return { do: 'add-finalizer' };
  switch (secret.state) {
    case 'ours':
      return ownSecret(seen, secret, record, now);
    case 'absent':
      return noSecret(seen, secret, record, now);
    case 'foreign': {
      const message = `Secret ${secretNameOf(object)} exists and is not from botmint: remove it, or make a new ${seen.kind.name} with another spec.secret.name`;
      return taken(seen, secret, record, stalled('SecretNotOwned', message), now);
    }
    case 'held': {
      const { owner, uid, resourceVersion } = secret;
      const predecessor = owner === `${seen.kind.name}/${object.metadata.name}`;
      if (predecessor) return { do: 'delete-secret', uid, resourceVersion, cause: 'predecessor' };
      return taken(seen, secret, record, secretInUse(seen, owner), now);
    }
  }
}

/** Another Secret has the name: what was recorded is lost, and nothing can be issued in its place. */
function taken(
  seen: Found,
  secret: { confirmed: boolean },
  record: Recorded | undefined,
  verdict: Verdict,
  now: Date,
): Step {
  const { object } = seen;
  const hasRoom = livePrevious(object, now).length < mostPrevious;
  if (record === undefined || hasEndedForGood(object, record, now) || object.spec.secret.onLost === 'Stall' || !hasRoom)
    return report(seen, verdict, now, foreignSecretPollSeconds);
  if (!secret.confirmed) return { do: 'confirm', what: 'secret' };
  const lasting = Object.entries(object.status ?? {}).filter(([field]) => seen.kind.lasting.includes(field));
  const lost = lostStatus(object, overlapSecondsOf(seen, record, 'lost'), now);
  const fields = { ...Object.fromEntries(lasting), ...lost };
  return statusWrite(object, fields, verdict, now, 'state') ?? { do: 'rest', until: undefined };
}

function noSecret(seen: Found, secret: { confirmed: boolean }, record: Recorded | undefined, now: Date): Step {
  const { object, earlierClaim } = seen;
  // The end of a credential without rotation is its end: losing its Secret gives it no new life.
  if (record !== undefined && hasEndedForGood(object, record, now)) return upkeep(seen, record, now);
  // Before "lost" is believed, and before a name is tried again that was somebody else's the last time.
  const doubtful = record !== undefined || hasReason(object, 'SecretNotOwned') || hasReason(object, 'SecretInUse');
  if (doubtful && !secret.confirmed) return { do: 'confirm', what: 'secret' };
  if (earlierClaim !== undefined) return report(seen, secretInUse(seen, earlierClaim), now, foreignSecretPollSeconds);
  return record === undefined ? issue(seen, record, 'first', now) : reissue(seen, record, 'lost', now);
}

function ownSecret(seen: Found, secret: OwnSecret, record: Recorded | undefined, now: Date): Step {
  const { object } = seen;
  const { digest } = secret;
  if (digest === undefined) return { do: 'confirm', what: 'secret' };
  const marks = knownMarks(object, secret);
  if (marks !== undefined && marks.revision > revisionOf(object)) return takeOver(seen, secret, marks, now);
  if (record === undefined) return issue(seen, record, 'edited', now); // ours, and nothing that it says is still true
  const rendered =
    marks !== undefined && isRendered(seen, marks.inputs, record.inputs) && !differ(digest, marks.inputs.digest);
  const ended = hasEndedForGood(object, record, now);
  if (ended && !(rendered && marks.inputs.expiresAt !== record.inputs.expiresAt)) return upkeep(seen, record, now);
  const older = marks !== undefined && (marks.revision !== record.revision || marks.tokenID !== record.tokenID);
  if (older) return reissue(seen, record, 'lost', now);
  if (rendered && !awaitsRenewal(object, marks.inputs, now)) return takeOver(seen, secret, marks, now);
  if (rendered) return upkeep(seen, record, now);
  if (differ(digest, record.inputs.digest)) return reissue(seen, record, 'edited', now);
  return upkeep(seen, record, now);
}

/** What the Secret says of a credential of this object; an id of another object or revision was put there by somebody else. */
function knownMarks({ metadata }: Credentialed, secret: OwnSecret): (Marks & { inputs: Inputs }) | undefined {
  const marks = marksOf(secret.metadata);
  if (marks === undefined || marks.inputs === 'unknown') return undefined;
  if (!marks.tokenID.startsWith(`${metadata.uid}.${marks.revision}.`)) return undefined;
  return { ...marks, inputs: marks.inputs };
}

/** Copies what the Secret says into the record: the spec of the moment may be another one by now. */
function takeOver(seen: Found, secret: OwnSecret, marks: Marks & { inputs: Inputs }, now: Date): Step {
  const { kind, object, principal } = seen;
  const intact = secret.digest !== undefined && !differ(secret.digest, marks.inputs.digest);
  // Without its resourceVersion where the data is not what was written: the next look then finds the edit.
  const resourceVersion = intact ? secret.resourceVersion : undefined;
  const status = {
    ...issuedStatus(object, { name: secretNameOf(object), uid: secret.uid, resourceVersion }, marks, now),
    ...kind.served(object, marks.inputs, withinOf(principal.grant)),
  };
  const because = object.status?.tokenID === marks.tokenID ? 'state' : 'issued';
  const write = statusWrite(object, status, issuedWith(seen, marks.inputs, now), now, because);
  return write ?? { do: 'rest', until: nextTime(object, now) };
}
