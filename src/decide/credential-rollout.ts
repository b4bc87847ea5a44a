import { knownRecord } from './credential-record.ts';
import { type Observed, type Step, speaks } from './credential-seen.ts';
import { isPaused, statusWrite } from './credential-status.ts';
import { isInForce, troubleOf, verdictOf, withTrouble } from './credential-verdict.ts';
import { nextOfRollout, openRollout } from './rollout.ts';

/**
 * What is next for the consumers of a rotated credential; undefined when there is nothing to be done now. Pods are rolled only
 * into a Secret that holds the credential, and only while that serves: not for one that is revoked, disabled, paused or going.
 */
export function rolloutStep(seen: Observed, now: Date): Step | undefined {
  const { object, principal, targets } = seen;
  const rollout = openRollout(object);
  const record = knownRecord(object);
  if (rollout === undefined || record === undefined || !speaks(principal)) return undefined;
  // What is disabled is Ready, and does not serve.
  if (principal.suspended) return undefined;
  if (object.metadata.deletionTimestamp !== undefined || object.spec.revoked === true || isPaused(object))
    return undefined;
  const verdict = verdictOf(seen, record, principal.grant, now);
  if (verdict.state !== 'ready' || !isInForce(seen, record, now)) return undefined;
  const next = nextOfRollout(seen, rollout, targets, now);
  if (next.do === 'wait') return undefined;
  if (next.do !== 'record') return next;
  const fields = { ...object.status, rollout: next.rollout, previous: next.previous };
  return statusWrite(object, fields, withTrouble(verdict, troubleOf(seen, next.trouble, now)), now, 'state');
}
