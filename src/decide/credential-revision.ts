import { isDeepStrictEqual } from 'node:util';
import type { Credentialed } from '../api/credentialed.ts';
import type { Inputs } from '../api/inputs.ts';
import { timeOf } from './change.ts';
import { issue, reissue } from './credential-issue.ts';
import type { Recorded } from './credential-record.ts';
import { type Found, type Step, verifierKeysOf } from './credential-seen.ts';
import { hasEndedForGood, isExpired } from './credential-verdict.ts';
import { differ } from './digest.ts';
import { withinOf } from './grant.ts';
import { sameCredential } from './secret-metadata.ts';

// What is wished for and comes without a new credential, but with its Secret written anew.

/** The step that brings the recorded credential to what is wished for; undefined where nothing is to be done about it. */
export function revise(seen: Found, record: Recorded, now: Date): Step | undefined {
  const { kind, object, secret } = seen;
  const inputs = revisedOf(seen, record.inputs);
  if (awaitsRenewal(object, inputs, now)) return issue(seen, record, 'renewal', now);
  if (isDeepStrictEqual(inputs, record.inputs)) return undefined;
  const over = secret.state === 'ours' && !secret.unreadable ? secret : undefined;
  // An ended credential is not looked after: what stands there may be another one. And where the key of the digests was lost
  // nobody can say whose secret it is that would be let in from now on.
  const isEdited = over?.digest === undefined || differ(over.digest, record.inputs.digest);
  const isOurs = over?.digest === record.inputs.digest || !(isEdited || kind.needsCredential(inputs));
  if (over !== undefined && isOurs) return { do: 'render', over, record, inputs };
  if (over !== undefined) return reissue(seen, record, 'edited', now);
  // What has ended all the same gets no new life.
  return hasEndedForGood(object, { inputs }, now) ? undefined : reissue(seen, record, 'lost', now);
}

/** Whether the end of these has come though there is to be another credential first: until then what works goes on working. */
export function awaitsRenewal(object: Credentialed, inputs: Inputs, now: Date): boolean {
  return isExpired(inputs, now) && !hasEndedForGood(object, { inputs }, now);
}

/** The same credential, written anew: no longer than it is recorded or wished for, whatever somebody wrote into the annotation. */
export function isRendered(seen: Found, made: Inputs, recorded: Inputs): boolean {
  if (!sameCredential(made, recorded, seen.kind) || isDeepStrictEqual(made, recorded)) return false;
  const revised = revisedOf(seen, recorded);
  if (!seen.kind.isRevision(made, recorded, revised, verifierKeysOf(seen))) return false;
  return timeOf(made.expiresAt) <= Math.max(timeOf(recorded.expiresAt), timeOf(revised.expiresAt));
}

function revisedOf(seen: Found, recorded: Inputs): Inputs {
  return seen.kind.revised(seen.object, recorded, withinOf(seen.principal.grant), verifierKeysOf(seen));
}
