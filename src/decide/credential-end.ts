import type { Reason, Verdict } from '../api/conditions.ts';
import { replaceAnnotation, rotateAnnotation } from '../api/names.ts';
import type { Recorded } from './credential-record.ts';
import { retryTime } from './credential-retry.ts';
import type { Observed, OwnSecret, PrincipalSeen, Step } from './credential-seen.ts';
import { hasFinalizer, livePrevious, revokedStatus, statusWrite } from './credential-status.ts';
import { refusal } from './credential-verdict.ts';

// The end of a credential: the spec alone has already made it dead (section 3 of the design); the Secret is taken away.

/** An object that is being deleted: its finalizer goes when nothing of it is left. */
export function deletion(seen: Observed, now: Date): Step {
  const { object, secret } = seen;
  if (!hasFinalizer(object)) return { do: 'rest', until: undefined };
  if (secret.state === 'ours') return removal(seen, secret, now);
  if (secret.state === 'absent' && !secret.confirmed) return { do: 'confirm', what: 'secret' };
  return { do: 'remove-finalizer' };
}

/** The credential has ended by the wish of its owner: its Secret goes, then its record. */
export function revocation(seen: Observed, verdict: Verdict, now: Date): Step {
  const { object, secret } = seen;
  if (secret.state === 'ours') return removal(seen, secret, now);
  const recorded = object.status?.issued !== undefined;
  if (recorded && secret.state === 'absent' && !secret.confirmed) return { do: 'confirm', what: 'secret' };
  const because = recorded ? 'revoked' : 'state';
  return statusWrite(object, revokedStatus(object, now), verdict, now, because) ?? { do: 'rest', until: undefined };
}

/** Until the Secret is gone the record stays, and with it the finalizer: a refused revocation is put off, never dropped. */
function removal(seen: Observed, { uid, resourceVersion }: OwnSecret, now: Date): Step {
  const waiting = retryTime(seen.object, now, 'Delete');
  if (waiting !== undefined && waiting > now) return { do: 'rest', until: waiting };
  if (seen.refused.Delete !== undefined) return refusal(seen, undefined, seen.refused.Delete, now);
  return { do: 'delete-secret', uid, resourceVersion, cause: 'revoked' };
}

/** Whom the credential speaks for is gone, or going. */
export function withoutBotUser(
  seen: Observed,
  record: Recorded | undefined,
  principal: PrincipalSeen & { state: 'absent' | 'deleted' },
  now: Date,
): Step {
  const { object, secret, confirmed } = seen;
  const held = record !== undefined || secret.state === 'ours' || livePrevious(object, now).length > 0;
  // A cache that lags shows the BotUser before the one that the credential is for.
  if (held && !confirmed.principal) return { do: 'confirm', what: 'principal' };
  const [reason, says]: [Reason, string] =
    principal.state === 'deleted'
      ? ['BotUserDeleted', 'is being deleted']
      : ['BotUserNotFound', 'does not exist: create it, or correct spec.botUserRef'];
  return revocation(seen, { state: 'reconciling', reason, message: `${principal.name} ${says}` }, now);
}

/** What is said of an object that was revoked for good. */
export function revokedVerdict({ kind, object: { metadata } }: Observed): Verdict {
  const asked = [rotateAnnotation, replaceAnnotation].find(name => metadata.annotations?.[name]);
  const inVain = asked === undefined ? '' : `; ${asked} has no effect any more: make a new ${kind.name}`;
  return { state: 'ready', reason: 'Revoked', message: `revoked: true has been carried out${inVain}` };
}
