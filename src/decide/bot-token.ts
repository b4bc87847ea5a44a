import { isDeepStrictEqual } from 'node:util';
import type { BotToken } from '../api/bot-token.ts';
import type { Reason, Verdict } from '../api/conditions.ts';
import type { Inputs } from '../api/inputs.ts';
import { revokeFinalizer } from '../api/names.ts';
import {
  dateOf,
  issuedStatus,
  livePrevious,
  nextTime,
  type Operation,
  type Recorded,
  recordOf,
  renewTimeOf,
  retryAfter,
  retryTime,
  revokedStatus,
  type Status,
  type StatusWrite,
  statusWrite,
} from './bot-token-status.ts';
import { changeOf, ownChangeOf } from './change.ts';
import { differ } from './digest.ts';
import type { Grant, Wish } from './grant.ts';
import {
  isLabelled,
  type Marks,
  marksOf,
  renderingOf,
  type SecretMetadata,
  sameCredential,
} from './secret-metadata.ts';
import { earliest, overlapAfterChangeSeconds } from './times.ts';

/** What was seen of the Secret that the token's spec names. */
export type SecretSeen =
  /** `confirmed` by a live read, not only by the watch. */
  | { state: 'absent'; confirmed: boolean }
  /** Without any mark of botmint. */
  | { state: 'foreign' }
  /** Marked as another object's: `owner` is `<Kind>/<name>`. */
  | { state: 'held'; owner: string; uid: string; resourceVersion: string }
  | OwnSecret;

export interface OwnSecret {
  state: 'ours';
  uid: string;
  resourceVersion: string;
  metadata: SecretMetadata;
  /** The digest of the data at this resourceVersion; undefined while nobody has read it. */
  digest: string | undefined;
  /** Read, and no entry holds the credential any more. */
  unreadable: boolean;
}

/** The BotUser that the token refers to; `grant` is what may be issued for it now. */
export type BotUserSeen =
  | { state: 'absent' }
  | { state: 'deleted' }
  /** It is there, in a form that this version does not know. */
  | { state: 'unreadable' }
  | { state: 'found'; uid: string; grant: Grant<Wish> };

/** Everything that a decision about one BotToken rests on. */
export interface Observed {
  token: BotToken;
  botUser: BotUserSeen;
  secret: SecretSeen;
  /** What live reads of this pass have confirmed: a cache alone never leads to a destructive step. */
  confirmed: { botUser: boolean; issuer: boolean };
  /** The BotToken that names the same Secret and was there first, as `<Kind>/<name>`. */
  earlierClaim: string | undefined;
  /** A write of the Secret that the API server refused in this pass. */
  refused: Refused | undefined;
}

/** `Delete`: the end of a credential was refused; all else is `Write`. */
export interface Refused {
  operation: Operation;
  reason: Reason;
  message: string;
}

export type IssueCause = 'first' | 'renewal' | 'widened' | 'narrowed' | 'lost' | 'edited';

/** One next step: one write, or one live read. After it everything is looked at anew. */
export type Step =
  | { do: 'add-finalizer' }
  | { do: 'remove-finalizer' }
  | { do: 'confirm'; what: 'bot-user' | 'issuer' | 'secret' }
  /** Sign a credential and write it: into a new Secret, or over this one. */
  | {
      do: 'issue';
      cause: IssueCause;
      revision: number;
      wish: Wish;
      overlapSeconds: number | undefined;
      over: OwnSecret | undefined;
    }
  /** Write the same credential with the entries and the metadata that the spec has now. */
  | { do: 'render'; over: OwnSecret; record: Recorded }
  /** Put only the metadata right. */
  | { do: 'label'; over: OwnSecret; record: Recorded }
  /** `predecessor`: what an object of the same name and a dead UID left behind. */
  | { do: 'delete-secret'; uid: string; resourceVersion: string; cause: 'revoked' | 'predecessor' }
  | StatusWrite
  | { do: 'rest'; until: Date | undefined };

/** Superseded credentials that may be alive at once: as many as status.previous holds. */
export const mostPrevious = 8;
/** How often a Secret that is not ours is looked at again: no watch covers it. */
const foreignSecretPollSeconds = 15;

/** How long the credential before lives on, in seconds; undefined: to its own end. */
const overlaps: { [cause in IssueCause]: number | undefined } = {
  first: 0,
  renewal: undefined,
  widened: overlapAfterChangeSeconds,
  narrowed: 0,
  lost: overlapAfterChangeSeconds,
  edited: overlapAfterChangeSeconds,
};

/** Pure and total: the same world at the same time gives the same step. */
export function decide(seen: Observed, now: Date): Step {
  const { token, secret, botUser } = seen;
  if (token.metadata.deletionTimestamp !== undefined) return deletion(seen, now);
  if (token.spec.revoked === true) {
    return revocation(seen, { state: 'ready', reason: 'Revoked', message: 'revoked: true has been carried out' }, now);
  }
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
    const name = `BotUser ${token.spec.botUserRef.name} in namespace ${token.metadata.namespace}`;
    const message = `${name} is in a form that this version does not know: nothing is concluded from it`;
    return report(seen, { state: 'reconciling', reason: 'UnknownFormat', message }, now);
  }
  if (botUser.state !== 'found') return withoutBotUser(seen, record, botUser.state, now);
  const waiting = retryTime(token, now);
  if (waiting !== undefined && waiting > now) return { do: 'rest', until: waiting };
  if (seen.refused?.operation === 'Write') return refusal(seen, record, seen.refused, now);
  return withBotUser({ ...seen, botUser }, record, now);
}

/** The effective name of the Secret: `spec.secret.name`, else the object's. */
export function secretNameOf(token: BotToken): string {
  return token.spec.secret.name ?? token.metadata.name;
}

// The end of a credential: the spec alone has already made it dead (section 3 of the design); the Secret is taken away.

function deletion(seen: Observed, now: Date): Step {
  const { token, secret } = seen;
  if (!hasFinalizer(token)) return { do: 'rest', until: undefined };
  if (secret.state === 'ours') return removal(seen, secret, now);
  if (secret.state === 'absent' && !secret.confirmed) return { do: 'confirm', what: 'secret' };
  return { do: 'remove-finalizer' };
}

function revocation(seen: Observed, verdict: Verdict, now: Date): Step {
  const { token, secret } = seen;
  if (secret.state === 'ours') return removal(seen, secret, now);
  const recorded = token.status?.issued !== undefined;
  if (recorded && secret.state === 'absent' && !secret.confirmed) return { do: 'confirm', what: 'secret' };
  const because = recorded ? 'revoked' : 'state';
  return statusWrite(token, revokedStatus(token, now), verdict, now, because) ?? { do: 'rest', until: undefined };
}

/** Until the Secret is gone the record stays, and with it the finalizer: a refused revocation is put off, never dropped. */
function removal(seen: Observed, { uid, resourceVersion }: OwnSecret, now: Date): Step {
  const waiting = retryTime(seen.token, now, 'Delete');
  if (waiting !== undefined && waiting > now) return { do: 'rest', until: waiting };
  if (seen.refused?.operation === 'Delete') return refusal(seen, undefined, seen.refused, now);
  return { do: 'delete-secret', uid, resourceVersion, cause: 'revoked' };
}

function withoutBotUser(seen: Observed, record: Recorded | undefined, state: 'absent' | 'deleted', now: Date): Step {
  const { token, secret, confirmed } = seen;
  const held = record !== undefined || secret.state === 'ours';
  // A cache that lags shows the BotUser before the one that the credential is for.
  if (held && !confirmed.botUser) return { do: 'confirm', what: 'bot-user' };
  const name = `BotUser ${token.spec.botUserRef.name} in namespace ${token.metadata.namespace}`;
  const [reason, says]: [Reason, string] =
    state === 'deleted'
      ? ['BotUserDeleted', 'is being deleted']
      : ['BotUserNotFound', 'does not exist: create it, or correct spec.botUserRef'];
  return revocation(seen, { state: 'reconciling', reason, message: `${name} ${says}` }, now);
}

// The Secret against the record.

type Found = Observed & { botUser: BotUserSeen & { state: 'found' } };

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
      return report(seen, stalled('SecretNotOwned', message), now, foreignSecretPollSeconds);
    }
    case 'held': {
      const { owner, uid, resourceVersion } = secret;
      const predecessor = owner === `BotToken/${token.metadata.name}`;
      if (predecessor) return { do: 'delete-secret', uid, resourceVersion, cause: 'predecessor' };
      return report(seen, secretInUse(token, owner), now, foreignSecretPollSeconds);
    }
  }
}

function noSecret(seen: Found, secret: { confirmed: boolean }, record: Recorded | undefined, now: Date): Step {
  const { token, earlierClaim } = seen;
  // The end of a credential without rotation is its end: losing its Secret gives it no new life.
  if (record !== undefined && isOver(token, record, now)) return service(seen, record, now);
  // Before "lost" is believed, and before a name is tried again that was somebody else's the last time.
  const doubtful = record !== undefined || hasReason(token, 'SecretNotOwned') || hasReason(token, 'SecretInUse');
  if (doubtful && !secret.confirmed) return { do: 'confirm', what: 'secret' };
  if (earlierClaim !== undefined) return report(seen, secretInUse(token, earlierClaim), now, foreignSecretPollSeconds);
  return issue(seen, record, record === undefined ? 'first' : 'lost', now);
}

function ownSecret(seen: Found, secret: OwnSecret, record: Recorded | undefined, now: Date): Step {
  const { token } = seen;
  const { digest } = secret;
  if (digest === undefined) return { do: 'confirm', what: 'secret' };
  const marks = knownMarks(token, secret);
  if (marks !== undefined && marks.revision > (token.status?.revision ?? 0)) return takeOver(seen, secret, marks, now);
  if (record === undefined) return issue(seen, record, 'edited', now); // ours, and nothing that it says is still true
  if (isOver(token, record, now)) return service(seen, record, now);
  const older = marks !== undefined && (marks.revision !== record.revision || marks.tokenID !== record.tokenID);
  if (older) return issue(seen, record, 'lost', now);
  const rendered =
    marks !== undefined &&
    sameCredential(marks.inputs, record.inputs) &&
    !isDeepStrictEqual(marks.inputs, record.inputs) &&
    !differ(digest, marks.inputs.digest);
  if (rendered) return takeOver(seen, secret, marks, now);
  if (differ(digest, record.inputs.digest)) return issue(seen, record, 'edited', now);
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
  const renewAt = renewTimeOf(token, record.inputs);
  if (renewAt !== undefined && renewAt <= now) return issue(seen, record, 'renewal', now);
  if (secret.state === 'ours' && !isOver(token, record, now)) {
    if (secret.unreadable) return issue(seen, record, 'edited', now);
    if (!isDeepStrictEqual(record.inputs.secret.data, renderingOf(token).data))
      return { do: 'render', over: secret, record };
    if (!isLabelled(secret.metadata, token, record)) return { do: 'label', over: secret, record };
  }
  return report(seen, verdictOf(token, record, grant, now), now);
}

// Issuing.

function issue(seen: Found, record: Recorded | undefined, cause: IssueCause, now: Date): Step {
  const { token, secret, botUser } = seen;
  const { grant } = botUser;
  if (!grant.allowed) {
    return report(seen, isInForce(seen, record, now) ? verdictOf(token, record, grant, now) : grant.blocked, now);
  }
  const narrowed = record !== undefined && changeOf(record.inputs, grant.value) === 'narrowed';
  const overlapSeconds = narrowed ? 0 : overlaps[cause];
  if (overlapSeconds !== 0 && livePrevious(token, now).length >= mostPrevious) {
    const message = `${mostPrevious} superseded credentials are alive: the next issue waits until the first of them ends`;
    const state = isInForce(seen, record, now) ? 'ready' : 'reconciling';
    return report(seen, { state, reason: 'TooManyPrevious', message }, now);
  }
  if (!hasFinalizer(token)) return { do: 'add-finalizer' };
  const over = secret.state === 'ours' ? secret : undefined;
  const revision = (token.status?.revision ?? 0) + 1;
  return { do: 'issue', cause, revision, wish: grant.value, overlapSeconds, over };
}

// Saying so.

function verdictOf(token: BotToken, record: Recorded, grant: Grant<Wish>, now: Date): Verdict {
  if (isExpired(record, now)) {
    if (!grant.allowed && token.spec.rotation !== undefined) return grant.blocked;
    return stalled(
      'Expired',
      `the credential ended at ${record.inputs.expiresAt}: set spec.rotation, or make a new BotToken`,
    );
  }
  if (grant.allowed) return issued(token, record.inputs);
  const unserved: Reason[] = ['IssuerNotFound', 'UnknownFormat'];
  if (unserved.includes(grant.blocked.reason)) return grant.blocked; // nobody can verify what it signed
  if (grant.blocked.state === 'reconciling') return issued(token, record.inputs);
  // A ceiling that came later refuses the next issue and takes nothing away; a spec that asks for more is not served.
  if (grant.wish !== undefined && changeOf(record.inputs, grant.wish) !== 'none') return grant.blocked;
  return { state: 'ready', reason: grant.blocked.reason, message: `nothing more is issued: ${grant.blocked.message}` };
}

function issued(token: BotToken, { expiresAt }: Inputs): Verdict {
  const end = expiresAt === undefined ? 'it has no end' : `it ends at ${expiresAt}`;
  return { state: 'ready', reason: 'Issued', message: `the credential is in Secret ${secretNameOf(token)}; ${end}` };
}

function secretInUse(token: BotToken, owner: string): Verdict {
  return stalled(
    'SecretInUse',
    `${owner} writes to Secret ${secretNameOf(token)}: delete ${owner}, or make a new BotToken with another spec.secret.name`,
  );
}

function stalled(reason: Reason, message: string): Verdict {
  return { state: 'stalled', reason, message };
}

/** Writes a status that says so, or rests until time alone changes something. */
function report(seen: Observed, verdict: Verdict, now: Date, pollSeconds?: number): Step {
  const { token } = seen;
  const { retry: _, ...fields } = token.status ?? {};
  const write = statusWrite(token, fields, verdict, now, 'state');
  if (write !== undefined) return write;
  const poll = pollSeconds === undefined ? undefined : new Date(now.getTime() + pollSeconds * 1000);
  return { do: 'rest', until: earliest(poll, nextTime(token, now)) };
}

/** The API server's own words, and the time of the next attempt. A credential that is in force keeps the token Ready. */
function refusal(
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

// Questions.

function isExpired({ inputs }: Recorded, now: Date): boolean {
  return inputs.expiresAt !== undefined && Date.parse(inputs.expiresAt) <= now.getTime();
}

/** Whether the recorded credential has not ended and is where pods find it. */
function isInForce({ secret }: Observed, record: Recorded | undefined, now: Date): record is Recorded {
  if (record === undefined || isExpired(record, now) || secret.state !== 'ours') return false;
  return secret.digest !== undefined && !differ(secret.digest, record.inputs.digest);
}

/** Ended for good: nothing renews it. */
function isOver(token: BotToken, record: Recorded, now: Date): boolean {
  return isExpired(record, now) && token.spec.rotation === undefined;
}

function hasFinalizer(token: BotToken): boolean {
  return token.metadata.finalizers?.includes(revokeFinalizer) === true;
}

function hasReason(token: BotToken, reason: Reason): boolean {
  return (
    token.status?.conditions?.some(condition => condition.type === 'Ready' && condition.reason === reason) === true
  );
}
