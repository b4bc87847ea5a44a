import { type ClusterTokenIssuer, mostKeys } from '../api/cluster-token-issuer.ts';
import { conditionsOf, timestamp, type Verdict } from '../api/conditions.ts';
import { inUseFinalizer } from '../api/names.ts';
import { mergePatch } from '../base/merge-patch.ts';

export type PublishedKey = NonNullable<NonNullable<ClusterTokenIssuer['status']>['keys']>[number];

/** What is known of the Secret behind a published key. */
export type KeySecretSeen =
  | { state: 'intact' }
  /** Not in the cache; `confirmed` by a live read. */
  | { state: 'missing'; confirmed: boolean }
  /** It has not been looked at since it changed. */
  | { state: 'unread' }
  /** It holds another key, or none. */
  | { state: 'invalid'; message: string };

/** A key whose private half is in a Secret and whose public half may be published. */
export interface NewKey {
  kid: string;
  publicJWK: PublishedKey['publicJWK'];
  secretName: string;
}

export interface Observed {
  issuer: ClusterTokenIssuer;
  /** The older issuer with the same issuerURL. */
  olderWithURL: string | undefined;
  /** By key id, for the keys that sign or will sign. */
  keySecrets: ReadonlyMap<string, KeySecretSeen>;
  /** Keys that this pass has put into Secrets, not published yet. */
  made: readonly NewKey[];
  /** Why this pass could not make one more: what stands in the Secret of that name, which is never overwritten. */
  inTheWay: string | undefined;
  /**
   * Whether a credential that is alive may have been signed with a retired key, by the records in the cache. A cache that
   * lags says yes too often, not too rarely: nothing is signed with a retired key any more.
   */
  isNeeded: (key: PublishedKey) => boolean;
  /** BotTokens with a credential of this issuer (this UID), by the cache. */
  credentials: number;
  /** BotTokens of which nobody can tell, because they or their records cannot be read: they count until somebody can. */
  unknownCredentials: number;
  /** The same by a live read of this pass; undefined while there was none. */
  confirmedCredentials: number | undefined;
}

export type Step =
  | { do: 'add-finalizer' }
  | { do: 'remove-finalizer' }
  /** Count its credentials live: the cache alone never takes the finalizer off. */
  | { do: 'confirm-credentials' }
  | { do: 'read-key'; key: PublishedKey }
  /** Put a new key into the Secret of this number; where there is one already, it is the key. */
  | { do: 'make-key'; number: number }
  | { do: 'write-status'; patch: object; verdict: Verdict }
  | { do: 'rest' };

/**
 * Pure and total. An issuer has one key that signs and one that is published ahead, so that a lost key has a successor
 * that relying parties know already. Nothing is signed with a key that is not in the status: published means recorded.
 * Keys that signed once stay published: a token that was copied out of the cluster must not die of housekeeping. Only
 * when there is no room for a new key does the oldest one go that no recorded credential needs.
 */
export function decide(seen: Observed, now: Date): Step {
  const { issuer } = seen;
  const finalized = issuer.metadata.finalizers?.includes(inUseFinalizer) === true;
  if (issuer.metadata.deletionTimestamp !== undefined) return deletion(seen, finalized, now);
  if (!finalized) return { do: 'add-finalizer' };
  if (seen.olderWithURL !== undefined) {
    const message = `the older ClusterTokenIssuer ${seen.olderWithURL} has this issuerURL: delete one of the two`;
    return statusWrite(seen, keysOf(issuer), { state: 'stalled', reason: 'IssuerURLTaken', message }, now);
  }
  const doubt = firstDoubt(seen);
  if (doubt !== undefined) return doubt;
  const broken = keysOf(issuer).find(
    key => key.state !== 'Retired' && seen.keySecrets.get(key.kid)?.state === 'invalid',
  );
  if (broken !== undefined) return statusWrite(seen, keysOf(issuer), brokenVerdict(broken, seen), now);
  return keyStep(seen, now);
}

function deletion(seen: Observed, finalized: boolean, now: Date): Step {
  if (!finalized) return { do: 'rest' };
  const { unknownCredentials: unknown, confirmedCredentials: confirmed } = seen;
  const credentials = seen.credentials + unknown;
  if (credentials === 0 && confirmed === undefined) return { do: 'confirm-credentials' };
  if (credentials === 0 && confirmed === 0) return { do: 'remove-finalizer' };
  const counted = unknown === 0 ? '' : ` (${unknown} BotTokens that cannot be read are counted)`;
  const message = `${confirmed ?? credentials} credentials depend on it${counted}: delete or revoke their BotTokens, or point them elsewhere`;
  return statusWrite(seen, keysOf(seen.issuer), { state: 'reconciling', reason: 'InUse', message }, now);
}

/** A key Secret that has to be looked at before anything is concluded from it. */
function firstDoubt({ issuer, keySecrets }: Observed): Step | undefined {
  for (const key of keysOf(issuer)) {
    const secret = keySecrets.get(key.kid);
    if (key.state === 'Retired' || secret === undefined) continue;
    if (secret.state === 'unread' || (secret.state === 'missing' && !secret.confirmed)) return { do: 'read-key', key };
  }
  return undefined;
}

function brokenVerdict(key: PublishedKey, seen: Observed): Verdict {
  const secret = seen.keySecrets.get(key.kid);
  const why = secret?.state === 'invalid' ? secret.message : '';
  const remedy = 'restore it from a backup, or delete it: the key that is published ahead then takes over';
  return { state: 'stalled', reason: 'SigningKeyInvalid', message: `Secret ${key.secretName} ${why}: ${remedy}` };
}

/** Keys that are whole, a signing one and a next one: makes what is missing, and publishes it. */
function keyStep(seen: Observed, now: Date): Step {
  const { issuer, made, inTheWay } = seen;
  const all = keysOf(issuer);
  const lost = all.filter(key => key.state !== 'Retired' && isLost(key, seen)).map(({ kid }) => kid);
  const usable = [
    ...all.filter(({ state }) => state === 'Active'),
    ...all.filter(({ state }) => state === 'Next'),
  ].filter(({ kid }) => !lost.includes(kid));
  // One that was lost before it signed anything has verified nothing and never will.
  const kept = all.filter(({ kid, state }) => state !== 'Next' || !lost.includes(kid));
  const unpublished = made.filter(({ kid }) => !all.some(key => key.kid === kid));
  const wanted = roomFor(2 - usable.length, kept, seen);
  if (unpublished.length < wanted && inTheWay === undefined)
    return { do: 'make-key', number: highestNumber([...all, ...unpublished]) + 1 };
  const added = unpublished.map(key => ({ ...key, state: 'Next' as const, since: timestamp(now) }));
  const signing = [...usable, ...added][0]?.kid;
  // Without a new key they stay as they are: the number of the next one is derived from the highest there is.
  const old = added.length === 0 ? all : withRoomFor(added.length, kept, seen);
  const keys = [...old, ...added].map((key): PublishedKey => {
    if (key.kid === signing) return key.state === 'Active' ? key : { ...key, state: 'Active', since: timestamp(now) };
    return key.state === 'Active' ? { ...key, state: 'Retired', since: timestamp(now) } : key;
  });
  const full = usable.length + added.length < 2;
  return statusWrite(seen, keys, keysVerdict(signing, { inTheWay, full }), now);
}

/** Gone, or of an algorithm that the issuer does not sign with any more. */
function isLost(key: PublishedKey, { issuer, keySecrets }: Observed): boolean {
  return keySecrets.get(key.kid)?.state === 'missing' || key.publicJWK.alg !== issuer.spec.jwt.algorithm;
}

/** The names of key Secrets are numbered, and none is given twice: on the one before, a relying party may still rely. */
function highestNumber(keys: readonly { secretName: string }[]): number {
  const numbers = keys.map(({ secretName }) => Number(/-(\d{1,9})$/.exec(secretName)?.[1] ?? 0));
  return Math.max(keys.length, ...numbers);
}

/** The retired keys that may go, the oldest first. */
function dispensable(keys: readonly PublishedKey[], { isNeeded }: Observed): readonly PublishedKey[] {
  const retired = keys.filter(key => key.state === 'Retired' && !isNeeded(key));
  return retired.sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
}

/** How many of the wanted keys can be added to these. */
function roomFor(wanted: number, keys: readonly PublishedKey[], seen: Observed): number {
  const free = mostKeys - keys.length;
  return wanted <= free ? wanted : Math.min(wanted, free + dispensable(keys, seen).length);
}

/** These keys without as many of the dispensable ones as must go for new ones to have room. */
function withRoomFor(added: number, keys: readonly PublishedKey[], seen: Observed): readonly PublishedKey[] {
  const excess = Math.max(0, keys.length + added - mostKeys);
  const going = dispensable(keys, seen).slice(0, excess);
  return keys.filter(key => !going.includes(key));
}

/** An issuer that has a key signs, also when its successor cannot be made. */
function keysVerdict(
  signing: string | undefined,
  { inTheWay, full }: { inTheWay: string | undefined; full: boolean },
): Verdict {
  const state = signing === undefined ? 'stalled' : 'ready';
  if (inTheWay !== undefined) {
    return { state, reason: 'SigningKeyInvalid', message: `${inTheWay}: delete it, and a key is made in its place` };
  }
  if (!full) return { state: 'ready', reason: 'KeysPublished', message: `${signing} signs` };
  const message = `${mostKeys} keys are published and credentials need each retired one: renew or delete the oldest BotTokens, and a key is made`;
  return { state, reason: 'TooManyKeys', message };
}

function keysOf(issuer: ClusterTokenIssuer): readonly PublishedKey[] {
  return issuer.status?.keys ?? [];
}

function statusWrite({ issuer }: Observed, keys: readonly PublishedKey[], verdict: Verdict, now: Date): Step {
  const { generation = 0 } = issuer.metadata;
  const status = {
    ...issuer.status,
    ...(keys.length === 0 ? {} : { keys }),
    observedGeneration: generation,
    conditions: conditionsOf(verdict, issuer.status?.conditions, generation, now),
  };
  const patch = mergePatch(issuer.status, status);
  return patch === undefined ? { do: 'rest' } : { do: 'write-status', patch, verdict };
}
