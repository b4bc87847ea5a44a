import type { BotUser } from '../api/bot-user.ts';
import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { conditionsOf, type Verdict } from '../api/conditions.ts';
import { revokeFinalizer } from '../api/names.ts';
import { mergePatch } from '../base/merge-patch.ts';
import { usernameOf } from './bot-token-grant.ts';
import type { Grant } from './grant.ts';

export interface Observed {
  botUser: BotUser;
  grant: Grant<ClusterTokenIssuer>;
  /** BotTokens with a credential that was issued for this BotUser (this UID), by the cache. */
  activeTokens: number;
  /** The same by a live read of this pass; undefined while there was none. */
  confirmedTokens: number | undefined;
}

export type Step =
  | { do: 'add-finalizer' }
  | { do: 'remove-finalizer' }
  /** Count its credentials live: the cache alone never takes the finalizer off. */
  | { do: 'confirm-tokens' }
  | { do: 'write-status'; patch: object; verdict: Verdict }
  | { do: 'rest' };

/**
 * Pure and total. A BotUser that is being deleted stays until each of its credentials has been revoked and recorded by
 * the BotTokens' own controller; whether they work ended for relying parties with the deletion itself.
 */
export function decide(seen: Observed, now: Date): Step {
  const { botUser } = seen;
  const finalized = botUser.metadata.finalizers?.includes(revokeFinalizer) === true;
  if (botUser.metadata.deletionTimestamp !== undefined) {
    if (!finalized) return { do: 'rest' };
    if (seen.activeTokens === 0 && seen.confirmedTokens === undefined) return { do: 'confirm-tokens' };
    if (seen.activeTokens === 0 && seen.confirmedTokens === 0) return { do: 'remove-finalizer' };
    const message = 'its tokens are being revoked; then it goes';
    return statusWrite(seen, { state: 'reconciling', reason: 'BotUserDeleted', message }, now);
  }
  if (!finalized) return { do: 'add-finalizer' };
  return statusWrite(seen, verdictOf(seen), now);
}

function verdictOf({ botUser, grant }: Observed): Verdict {
  if (!grant.allowed) return grant.blocked;
  const username = usernameOf(botUser);
  if (botUser.spec.disabled !== true)
    return { state: 'ready', reason: 'Available', message: `the username is ${username}` };
  return { state: 'ready', reason: 'Disabled', message: `no token of ${username} works, as spec.disabled asks` };
}

function statusWrite({ botUser, activeTokens }: Observed, verdict: Verdict, now: Date): Step {
  const { generation = 0 } = botUser.metadata;
  const status = {
    ...botUser.status,
    username: usernameOf(botUser),
    activeTokens,
    observedGeneration: generation,
    conditions: conditionsOf(verdict, botUser.status?.conditions, generation, now),
  };
  const patch = mergePatch(botUser.status, status);
  return patch === undefined ? { do: 'rest' } : { do: 'write-status', patch, verdict };
}
