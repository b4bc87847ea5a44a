import { isDeepStrictEqual } from 'node:util';
import type { Change } from './change.ts';
import { revocation } from './credential-end.ts';
import { issue, reissue } from './credential-issue.ts';
import type { Recorded } from './credential-record.ts';
import { revise } from './credential-revision.ts';
import { type Found, isOfIssuer, type Step } from './credential-seen.ts';
import { renewTimeOf } from './credential-status.ts';
import { hasEndedForGood, isListedInvalid, report, verdictOf } from './credential-verdict.ts';
import type { Wish } from './grant.ts';
import { isLabelled, renderingOf } from './secret-metadata.ts';

/** The Secret is as recorded, or the credential has ended: what else is due, the most urgent first, and else what is to be said. */
export function upkeep(seen: Found, record: Recorded, now: Date): Step {
  return (
    ownership(seen, record, now) ??
    replacement(seen, record, now) ??
    revise(seen, record, now) ??
    renewal(seen, record, now) ??
    rewriting(seen, record, now) ??
    report(seen, verdictOf(seen, record, seen.principal.grant, now), now)
  );
}

/** Another principal or issuer under the old name: believed after a live read only. */
function ownership(seen: Found, { inputs }: Recorded, now: Date): Step | undefined {
  const { principal, confirmed } = seen;
  const { grant } = principal;
  if (principal.state === 'found' && inputs.botUser?.uid !== principal.uid) {
    if (!confirmed.principal) return { do: 'confirm', what: 'principal' };
    if (!grant.allowed) return revocation(seen, grant.blocked, now); // what it was issued for is gone
  }
  const isAnew = principal.issuerUID !== undefined && !isOfIssuer(seen, inputs);
  return isAnew && !confirmed.issuer ? { do: 'confirm', what: 'issuer' } : undefined;
}

/** What is wished for cannot be had with this credential, or the status list has it as revoked. */
function replacement(seen: Found, record: Recorded, now: Date): Step | undefined {
  const { grant } = seen.principal;
  if (!grant.allowed) return undefined;
  const change = changeOf(seen, record, grant.value, now);
  if (change !== 'none') return issue(seen, record, change, now);
  const isInvalid = !hasEndedForGood(seen.object, record, now) && isListedInvalid(seen, record.inputs);
  return isInvalid ? issue(seen, record, 'lost', now) : undefined;
}

/** What has ended for good gets a new life from its own spec only, not from an edit of its bot or issuer. */
function changeOf({ kind, object }: Found, record: Recorded, wish: Wish, now: Date): Change {
  return hasEndedForGood(object, record, now)
    ? kind.ownChangeOf(record.inputs, wish)
    : kind.changeOf(record.inputs, wish);
}

function renewal(seen: Found, record: Recorded, now: Date): Step | undefined {
  const renewAt = renewTimeOf(seen.object, record.inputs);
  return renewAt !== undefined && renewAt <= now ? issue(seen, record, 'renewal', now) : undefined;
}

/** Entries and metadata as the spec has them now. */
function rewriting(seen: Found, record: Recorded, now: Date): Step | undefined {
  const { object, secret } = seen;
  if (secret.state !== 'ours' || hasEndedForGood(object, record, now)) return undefined;
  if (secret.unreadable) return reissue(seen, record, 'edited', now);
  if (!isDeepStrictEqual(record.inputs.secret.data, renderingOf(object).data))
    return { do: 'render', over: secret, record, inputs: record.inputs };
  return isLabelled(secret.metadata, seen, record) ? undefined : { do: 'label', over: secret, record };
}
