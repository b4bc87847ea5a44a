import { mostPrevious } from '../api/credentialed.ts';
import { parseDuration } from '../api/durations.ts';
import { rotateAnnotation } from '../api/names.ts';
import { type Recorded, revisionOf } from './credential-record.ts';
import { type Found, type IssueCause, type Step, secretNameOf } from './credential-seen.ts';
import { hasFinalizer, livePrevious } from './credential-status.ts';
import { isInForce, isListedInvalid, report, stalled, verdictOf } from './credential-verdict.ts';

/** What was lost or edited is issued anew, unless its owner wants to see to it. Who asks for a new credential gets one. */
export function reissue(seen: Found, record: Recorded, cause: 'lost' | 'edited', now: Date): Step {
  const { object, principal } = seen;
  const asked = principal.grant.allowed && seen.kind.changeOf(record.inputs, principal.grant.value) !== 'none';
  if (object.spec.secret.onLost !== 'Stall' || !principal.grant.allowed || asked)
    return issue(seen, record, cause, now);
  const what = cause === 'lost' ? 'was deleted, or holds an older credential' : 'was edited';
  const remedy = `restore it, set spec.secret.onLost: Reissue, or ask for a new credential with the annotation ${rotateAnnotation}`;
  const message = `Secret ${secretNameOf(object)} ${what}, and spec.secret.onLost is Stall: ${remedy}`;
  return report(seen, stalled(cause === 'lost' ? 'SecretLost' : 'SecretEdited', message), now);
}

/** Signs and writes a credential, if one may be issued; else says why not. */
export function issue(seen: Found, record: Recorded | undefined, cause: IssueCause, now: Date): Step {
  const { object, secret, principal } = seen;
  const { grant } = principal;
  if (!grant.allowed) {
    return report(seen, isInForce(seen, record, now) ? verdictOf(seen, record, grant, now) : grant.blocked, now);
  }
  const change = record === undefined ? 'none' : seen.kind.changeOf(record.inputs, grant.value);
  const replaces = change === 'narrowed' || change === 'replaced';
  const overlapSeconds = replaces ? 0 : overlapSecondsOf(seen, record, cause);
  if (overlapSeconds !== 0 && livePrevious(object, now).length >= mostPrevious) {
    const message = `${mostPrevious} superseded credentials are alive: the next issue waits until the first of them ends`;
    const state = isInForce(seen, record, now) ? 'ready' : 'reconciling';
    return report(seen, { state, reason: 'TooManyPrevious', message }, now);
  }
  if (!hasFinalizer(object)) return { do: 'add-finalizer' };
  const over = secret.state === 'ours' ? secret : undefined;
  const revision = revisionOf(object) + 1;
  return { do: 'issue', cause, revision, wish: grant.value, overlapSeconds, replaces, over };
}

/** What `rotation.overlap` says, and else the usual one. A first credential has nothing beside it, and what is INVALID already none that could work. */
export function overlapSecondsOf(seen: Found, record: Recorded | undefined, cause: IssueCause): number | undefined {
  const chosen = seen.object.spec.rotation?.overlap;
  if (record !== undefined && isListedInvalid(seen, record.inputs)) return 0;
  if (cause === 'first' || chosen === undefined) return seen.kind.overlaps[cause];
  return Number(parseDuration(chosen));
}
