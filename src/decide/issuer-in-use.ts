import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { conditionsOf, type Verdict } from '../api/conditions.ts';
import { inUseFinalizer } from '../api/names.ts';

// What is the same for every type of issuer: it stays, by its finalizer, while credentials depend on it.

export interface UseSeen {
  /** Objects with a credential of this issuer (this UID), by the cache. */
  credentials: number;
  /** Objects of which nobody can tell, because they or their records cannot be read: they count until somebody can. */
  unknownCredentials: number;
  /** The same by a live read of this pass; undefined while there was none. */
  confirmedCredentials: number | undefined;
}

/** The step for an issuer that has no finalizer: nothing is made for one that could go at any time. */
export function withoutFinalizer({
  metadata,
}: ClusterTokenIssuer): { do: 'add-finalizer' } | { do: 'rest'; until: undefined } | undefined {
  if (metadata.finalizers?.includes(inUseFinalizer) === true) return undefined;
  return metadata.deletionTimestamp === undefined ? { do: 'add-finalizer' } : { do: 'rest', until: undefined };
}

/** The next step of an issuer that is being deleted: the cache alone never takes the finalizer off. */
export function inUse(
  { credentials: known, unknownCredentials: unknown, confirmedCredentials: confirmed }: UseSeen,
  remedy: 'delete or revoke their BotTokens' | 'delete their RobotAccounts',
): { do: 'confirm-credentials' } | { do: 'remove-finalizer' } | { do: 'say'; verdict: Verdict } {
  const credentials = known + unknown;
  if (credentials === 0 && confirmed === undefined) return { do: 'confirm-credentials' };
  if (credentials === 0 && confirmed === 0) return { do: 'remove-finalizer' };
  const kind = remedy.slice(remedy.lastIndexOf(' ') + 1);
  const counted = unknown === 0 ? '' : ` (${unknown} ${kind} that cannot be read are counted)`;
  const message = `${confirmed ?? credentials} credentials depend on it${counted}: ${remedy}`;
  return { do: 'say', verdict: { state: 'reconciling', reason: 'InUse', message } };
}

/** The fields of the status that say a verdict. */
export function saying({ metadata, status }: ClusterTokenIssuer, verdict: Verdict, now: Date): object {
  const { generation = 0 } = metadata;
  return { observedGeneration: generation, conditions: conditionsOf(verdict, status?.conditions, generation, now) };
}
