import type { Observed, Step } from './credential-seen.ts';
import { isPaused, recordOf, type Status, statusWrite } from './credential-status.ts';
import { isInForce, verdictOf, withTrouble } from './credential-verdict.ts';
import { nextOfRollout, openRollout } from './rollout.ts';

/**
 * What is next for the consumers of a rotated token; undefined when there is nothing to be done now. Pods are rolled only
 * into a Secret that holds the token, and only while the token serves: not for one that is revoked, disabled, paused or going.
 */
export function rolloutStep(seen: Observed, now: Date): Step | undefined {
  const { token, botUser, targets } = seen;
  const rollout = openRollout(token);
  const record = recordOf(token);
  if (rollout === undefined || record === undefined || record === 'unknown' || botUser.state !== 'found')
    return undefined;
  if (token.metadata.deletionTimestamp !== undefined || token.spec.revoked === true || isPaused(token))
    return undefined;
  const verdict = verdictOf(token, record, botUser.grant, now);
  if (verdict.state !== 'ready' || !isInForce(seen, record, now)) return undefined;
  const next = nextOfRollout(token, rollout, targets, now);
  if (next.do === 'wait') return undefined;
  if (next.do !== 'record') return next;
  const fields = { ...token.status, rollout: next.rollout, previous: next.previous } as Status;
  return statusWrite(token, fields, withTrouble(verdict, next.trouble), now, 'state');
}
