import { type ClusterTokenIssuer, isOfType, mostWithdrawnKeys } from '../api/cluster-token-issuer.ts';
import { timestamp } from '../api/conditions.ts';
import { retireKeyAnnotation } from '../api/names.ts';
import { keysOf, type Observed, type PublishedKey, type WithdrawnKey, withdrawnKeysOf } from './issuer-seen.ts';
import { usableKeys } from './key-times.ts';

/** The keys of an issuer after those that may have leaked were taken out. */
export interface Withdrawal {
  kids: readonly string[];
  keys: readonly PublishedKey[];
  withdrawnKeys: readonly WithdrawnKey[];
  /** The key that signs from now on. */
  signing: string | undefined;
}

/**
 * Whether a key is stopped for good. The annotation counts before it is recorded, so that a key which comes back some other
 * way (its Secret out of a backup, say) is not published; the record counts when the annotation is gone.
 */
export function isStopped(kid: string, issuer: ClusterTokenIssuer): boolean {
  return namedKeys(issuer).includes(kid) || withdrawnKeysOf(issuer).some(key => key.kid === kid);
}

/** The key ids in the annotation that are none of this issuer's. */
export function unknownKeys(issuer: ClusterTokenIssuer): readonly string[] {
  const known = new Set([...keysOf(issuer), ...withdrawnKeysOf(issuer)].map(({ kid }) => kid));
  return namedKeys(issuer).filter(kid => !known.has(kid));
}

/**
 * What is left without the keys that are stopped; undefined when none is. Where the one that signed is among them the next
 * one signs at once: it was published ahead for this.
 */
export function withdrawalOf(seen: Observed, now: Date): Withdrawal | undefined {
  const { issuer, made } = seen;
  const recorded = withdrawnKeysOf(issuer);
  const published = keysOf(issuer).filter(({ kid }) => isStopped(kid, issuer));
  const unrecorded = [...published, ...made.filter(({ kid }) => isStopped(kid, issuer))].filter(
    ({ kid }) => !recorded.some(key => key.kid === kid),
  );
  if (published.length === 0 && unrecorded.length === 0) return undefined;
  const stay = keysOf(issuer).filter(key => !published.includes(key));
  const signing = usableKeys(seen).find(({ kid }) => !isStopped(kid, issuer))?.kid;
  const since = timestamp(now);
  const stopped = unrecorded.map(({ kid, secretName }) => ({ kid, since, secretName }));
  return {
    kids: [...published, ...unrecorded.filter(key => !published.some(({ kid }) => kid === key.kid))].map(
      ({ kid }) => kid,
    ),
    keys: stay.map(key => (key.kid === signing && key.state !== 'Active' ? { ...key, state: 'Active', since } : key)),
    withdrawnKeys: remembered([...recorded, ...stopped], issuer),
    signing,
  };
}

/** As many as are remembered: the oldest go first, and never one that the annotation still names. */
export function remembered(keys: readonly WithdrawnKey[], issuer: ClusterTokenIssuer): readonly WithdrawnKey[] {
  const named = namedKeys(issuer);
  const excess = Math.max(0, keys.length - mostWithdrawnKeys);
  const forgotten = keys.filter(({ kid }) => !named.includes(kid)).slice(0, excess);
  return keys.filter(key => !forgotten.includes(key)).slice(-mostWithdrawnKeys);
}

/** Separated by commas or spaces, as people write lists; the fingerprint of a registry's CA in any form that tools print. */
export function namedKeys(issuer: ClusterTokenIssuer): readonly string[] {
  const text = issuer.metadata.annotations?.[retireKeyAnnotation] ?? '';
  const names = text.split(/[\s,]+/).filter(kid => kid !== '');
  return isOfType(issuer, 'registry') ? names.map(name => name.replaceAll(':', '').toLowerCase()) : names;
}
