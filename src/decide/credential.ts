import { isDeepStrictEqual } from 'node:util';
import type { BotToken } from '../api/bot-token.ts';
import type { Reason, Verdict } from '../api/conditions.ts';
import type { Inputs } from '../api/inputs.ts';
import { changeOf, ownChangeOf } from './change.ts';
import { botUserNameOf, deletion, revocation, revokedVerdict, withoutBotUser } from './credential-end.ts';
import { isListedInvalid, issue, mostPrevious, overlapSecondsOf, reissue } from './credential-issue.ts';
import { rolloutStep } from './credential-rollout.ts';
import { type Found, type Observed, type OwnSecret, type Step, secretNameOf } from './credential-seen.ts';
import {
  hasFinalizer,
  isPaused,
  issuedStatus,
  livePrevious,
  lostStatus,
  nextTime,
  pausedWrite,
  type Recorded,
  recordOf,
  renewTimeOf,
  retryTime,
  revisionOf,
  statusWrite,
} from './credential-status.ts';
import { heldBack, isOver, issued, refusal, report, secretInUse, stalled, verdictOf } from './credential-verdict.ts';
import { differ } from './digest.ts';
import { afterListing } from './listing.ts';
import { isLabelled, type Marks, marksOf, renderingOf, sameCredential } from './secret-metadata.ts';

/** How often a Secret that is not ours is looked at again: no watch covers it. */
const foreignSecretPollSeconds = 15;

/** Pure and total: the same world at the same time gives the same step. Consumers come when all else is done. */
export function decide(seen: Observed, now: Date): Step {
  const step = ownStep(seen, now);
  const isIdle = step.do === 'rest' || (step.do === 'write-status' && step.because === 'state');
  return afterListing(seen, (isIdle ? rolloutStep(seen, now) : undefined) ?? step, now);
}

function ownStep(seen: Observed, now: Date): Step {
  const { token, secret, botUser } = seen;
  if (token.metadata.deletionTimestamp !== undefined) return deletion(seen, now);
  if (token.spec.revoked === true) return revocation(seen, revokedVerdict(token), now);
  const record = recordOf(token);
  const marks = secret.state === 'ours' ? marksOf(secret.metadata) : undefined;
  if (record === 'unknown' || marks?.inputs === 'unknown') {
    const where = record === 'unknown' ? 'status.issued' : `Secret ${secretNameOf(token)}`;
    return report(
      seen,
      stalled('UnknownFormat', `${where} is in a form that this version does not know: it is left alone`),
      now,
    );
  }
  if (botUser.state === 'unreadable') {
    const message = `${botUserNameOf(token)} is in a form that this version does not know: nothing is concluded from it`;
    return report(seen, { state: 'reconciling', reason: 'UnknownFormat', message }, now);
  }
  if (botUser.state !== 'found') return withoutBotUser(seen, record, botUser.state, now);
  if (isPaused(token)) return pausedWrite(token, now) ?? { do: 'rest', until: nextTime(token, now) };
  // Noted already in this pass, or nothing else could be said of the token.
  const noted = botUser.grant.allowed || seen.refused.Write !== undefined;
  const waiting = noted ? retryTime(token, now) : undefined;
  if (waiting !== undefined && waiting > now) return heldBack(seen, record, waiting, now);
  if (seen.refused.Write !== undefined) return refusal(seen, record, seen.refused.Write, now);
  return withBotUser({ ...seen, botUser }, record, now);
}

// The Secret against the record.

function withBotUser(seen: Found, record: Recorded | undefined, now: Date): Step {
  const { token, secret } = seen;
  if ((record !== undefined || secret.state === 'ours') && !hasFinalizer(token)) return { do: 'add-finalizer' };
  switch (secret.state) {
    case 'ours':
      return ownSecret(seen, secret, record, now);
    case 'absent':
      return noSecret(seen, secret, record, now);
    case 'foreign': {
      const message = `Secret ${secretNameOf(token)} exists and is not from botmint: remove it, or make a new BotToken with another spec.secret.name`;
      return taken(seen, secret, record, stalled('SecretNotOwned', message), now);
    }
    case 'held': {
      const { owner, uid, resourceVersion } = secret;
      const predecessor = owner === `BotToken/${token.metadata.name}`;
      if (predecessor) return { do: 'delete-secret', uid, resourceVersion, cause: 'predecessor' };
      return taken(seen, secret, record, secretInUse(token, owner), now);
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
  const { token } = seen;
  const hasRoom = livePrevious(token, now).length < mostPrevious;
  if (record === undefined || isOver(token, record, now) || token.spec.secret.onLost === 'Stall' || !hasRoom)
    return report(seen, verdict, now, foreignSecretPollSeconds);
  if (!secret.confirmed) return { do: 'confirm', what: 'secret' };
  const fields = lostStatus(token, overlapSecondsOf(seen, record, 'lost'), now);
  return statusWrite(token, fields, verdict, now, 'state') ?? { do: 'rest', until: undefined };
}

function noSecret(seen: Found, secret: { confirmed: boolean }, record: Recorded | undefined, now: Date): Step {
  const { token, earlierClaim } = seen;
  // The end of a credential without rotation is its end: losing its Secret gives it no new life.
  if (record !== undefined && isOver(token, record, now)) return service(seen, record, now);
  // Before "lost" is believed, and before a name is tried again that was somebody else's the last time.
  const doubtful = record !== undefined || hasReason(token, 'SecretNotOwned') || hasReason(token, 'SecretInUse');
  if (doubtful && !secret.confirmed) return { do: 'confirm', what: 'secret' };
  if (earlierClaim !== undefined) return report(seen, secretInUse(token, earlierClaim), now, foreignSecretPollSeconds);
  return record === undefined ? issue(seen, record, 'first', now) : reissue(seen, record, 'lost', now);
}

function ownSecret(seen: Found, secret: OwnSecret, record: Recorded | undefined, now: Date): Step {
  const { token } = seen;
  const { digest } = secret;
  if (digest === undefined) return { do: 'confirm', what: 'secret' };
  const marks = knownMarks(token, secret);
  if (marks !== undefined && marks.revision > revisionOf(token)) return takeOver(seen, secret, marks, now);
  if (record === undefined) return issue(seen, record, 'edited', now); // ours, and nothing that it says is still true
  if (isOver(token, record, now)) return service(seen, record, now);
  const older = marks !== undefined && (marks.revision !== record.revision || marks.tokenID !== record.tokenID);
  if (older) return reissue(seen, record, 'lost', now);
  const rendered =
    marks !== undefined &&
    sameCredential(marks.inputs, record.inputs) &&
    !isDeepStrictEqual(marks.inputs, record.inputs) &&
    !differ(digest, marks.inputs.digest);
  if (rendered) return takeOver(seen, secret, marks, now);
  if (differ(digest, record.inputs.digest)) return reissue(seen, record, 'edited', now);
  return service(seen, record, now);
}

/** What the Secret says of a credential of this token; an id of another token or revision was put there by somebody else. */
function knownMarks({ metadata }: BotToken, secret: OwnSecret): (Marks & { inputs: Inputs }) | undefined {
  const marks = marksOf(secret.metadata);
  if (marks === undefined || marks.inputs === 'unknown') return undefined;
  if (!marks.tokenID.startsWith(`${metadata.uid}.${marks.revision}.`)) return undefined;
  return { ...marks, inputs: marks.inputs };
}

/** Copies what the Secret says into the record: the spec of the moment may be another one by now. */
function takeOver({ token }: Found, secret: OwnSecret, marks: Marks & { inputs: Inputs }, now: Date): Step {
  const intact = secret.digest !== undefined && !differ(secret.digest, marks.inputs.digest);
  // Without its resourceVersion where the data is not what was written: the next look then finds the edit.
  const resourceVersion = intact ? secret.resourceVersion : undefined;
  const status = issuedStatus(token, { name: secretNameOf(token), uid: secret.uid, resourceVersion }, marks, now);
  const because = token.status?.tokenID === marks.tokenID ? 'state' : 'issued';
  const write = statusWrite(token, status, issued(token, marks.inputs), now, because);
  return write ?? { do: 'rest', until: nextTime(token, now) };
}

/** The Secret is as recorded, or past caring for: changes, renewal, entries, metadata, and else rest. */
function service(seen: Found, record: Recorded, now: Date): Step {
  const { token, secret, botUser, confirmed } = seen;
  const { grant } = botUser;
  if (record.inputs.botUser.uid !== botUser.uid) {
    if (!confirmed.botUser) return { do: 'confirm', what: 'bot-user' };
    if (!grant.allowed) return revocation(seen, grant.blocked, now); // what it was issued for is gone
  }
  if (grant.allowed && record.inputs.issuer.uid !== grant.value.issuer.uid && !confirmed.issuer)
    return { do: 'confirm', what: 'issuer' };
  // What has ended for good gets a new life from its own spec only, not from an edit of its bot or issuer.
  const compare = isOver(token, record, now) ? ownChangeOf : changeOf;
  const change = grant.allowed ? compare(record.inputs, grant.value) : 'none';
  if (change !== 'none') return issue(seen, record, change, now);
  if (grant.allowed && !isOver(token, record, now) && isListedInvalid(seen, record))
    return issue(seen, record, 'lost', now);
  const renewAt = renewTimeOf(token, record.inputs);
  if (renewAt !== undefined && renewAt <= now) return issue(seen, record, 'renewal', now);
  if (secret.state === 'ours' && !isOver(token, record, now)) {
    if (secret.unreadable) return reissue(seen, record, 'edited', now);
    if (!isDeepStrictEqual(record.inputs.secret.data, renderingOf(token).data))
      return { do: 'render', over: secret, record };
    if (!isLabelled(secret.metadata, token, record)) return { do: 'label', over: secret, record };
  }
  return report(seen, verdictOf(token, record, grant, now), now);
}

function hasReason(token: BotToken, reason: Reason): boolean {
  return (
    token.status?.conditions?.some(condition => condition.type === 'Ready' && condition.reason === reason) === true
  );
}
