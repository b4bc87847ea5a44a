import { type ClusterTokenIssuer, mostKeys } from '../api/cluster-token-issuer.ts';
import { timestamp, type Verdict } from '../api/conditions.ts';
import { retireKeyAnnotation } from '../api/names.ts';
import { mergePatch } from '../base/merge-patch.ts';
import { inUse, saying, withoutFinalizer } from './issuer-in-use.ts';
import { keysOf, type Observed, type PublishedKey, type Step, withdrawnKeysOf } from './issuer-seen.ts';
import { inTime, isDispensable, isLost, rest, rotationTime, usableKeys } from './key-times.ts';
import { isStopped, unknownKeys, withdrawalOf } from './withdrawn-keys.ts';

/**
 * Pure and total. An issuer has one key that signs and one that is published ahead, so that a lost, stopped or aged key has
 * a successor that relying parties know already. Nothing is signed with a key that is not in the status: published means
 * recorded. Keys that signed once stay published while a credential may need them: a token that was copied out of the
 * cluster must not die of housekeeping.
 */
export function decide(seen: Observed, now: Date): Step {
  const { metadata } = seen.issuer;
  const free = withoutFinalizer(seen.issuer);
  if (free !== undefined) return free;
  // Before everything else, whatever state the issuer is in: a key that has leaked signs and verifies nothing more.
  const step =
    withdrawal(seen, now) ?? (metadata.deletionTimestamp === undefined ? service(seen, now) : deletion(seen, now));
  return step ?? rest(seen, now);
}

/** The state of an issuer that stays; undefined when nothing is to be written. */
function service(seen: Observed, now: Date): Step | undefined {
  const { issuer } = seen;
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

function deletion(seen: Observed, now: Date): Step | undefined {
  const next = inUse(seen, 'delete or revoke their BotTokens');
  return next.do === 'say' ? statusWrite(seen, keysOf(seen.issuer), next.verdict, now) : next;
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

/** One write that takes the stopped keys out. The new successor comes after it: nothing may hold this up. */
function withdrawal(seen: Observed, now: Date): Step | undefined {
  const stopped = withdrawalOf(seen, now);
  if (stopped === undefined) return undefined;
  const { kids, keys, withdrawnKeys, signing } = stopped;
  const signs = signing === undefined ? 'the next key is being made' : `${signing} signs`;
  const message = `stopped for good, as ${retireKeyAnnotation} asks: ${kids.join(', ')}; ${signs}`;
  const verdict: Verdict = { state: signing === undefined ? 'reconciling' : 'ready', reason: 'KeyWithdrawn', message };
  const { issuer } = seen;
  const isReady = issuer.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
  // What stalls it, or holds up its deletion, goes on being said.
  const patch = patchOf(issuer, keys, { withdrawnKeys, ...(isReady ? saying(issuer, verdict, now) : {}) });
  return patch && { do: 'write-status', patch, because: 'withdrawn', verdict };
}

/** Keys that are whole, a signing one and a next one: makes what is missing or due, and publishes it. */
function keyStep(seen: Observed, now: Date): Step | undefined {
  const { issuer, made, inTheWay } = seen;
  const all = keysOf(issuer);
  const usable = usableKeys(seen);
  const needed = all.filter(key => !isDispensable(key, seen, now));
  // One that was lost before it signed anything has verified nothing and never will.
  const kept = needed.filter(key => key.state !== 'Next' || !isLost(key, seen));
  const free = mostKeys - kept.length;
  const isDue = (rotationTime(seen) ?? new Date(Infinity)) <= now;
  // A key hands over by the clock only together with a new successor.
  const standing = isDue && free > 0 && inTheWay === undefined ? usable.slice(1) : usable;
  const wanted = Math.min(2 - standing.length, free);
  const unpublished = made.filter(({ kid }) => !all.some(key => key.kid === kid) && !isStopped(kid, issuer));
  if (unpublished.length < wanted && inTheWay === undefined)
    return { do: 'make-key', number: highestNumber([...all, ...withdrawnKeysOf(issuer), ...made]) + 1 };
  const since = timestamp(now);
  const added = unpublished.slice(0, wanted).map(key => ({ ...key, state: 'Next' as const, since }));
  const signing = [...standing, ...added][0]?.kid;
  // Without a new key a lost one stays: the number of the next one is derived from the highest there is.
  const old = (added.length === 0 ? needed : kept).map(key => (inTime(key, seen, now) ? key : { ...key, since }));
  const keys = [...old, ...added].map((key): PublishedKey => {
    if (key.kid === signing) return key.state === 'Active' ? key : { ...key, state: 'Active', since };
    return key.state === 'Active' ? { ...key, state: 'Retired', since } : key;
  });
  const full = 2 - standing.length > free || (isDue && free === 0);
  return statusWrite(seen, keys, keysVerdict(signing, full, seen), now);
}

/** The names of key Secrets are numbered, and none is given twice: on the one before, a relying party may still rely. */
function highestNumber(keys: readonly { secretName: string }[]): number {
  const names = new Set(keys.map(({ secretName }) => secretName));
  return Math.max(names.size, ...[...names].map(name => Number(/-(\d{1,9})$/.exec(name)?.[1] ?? 0)));
}

/** An issuer that has a key signs, also when its successor cannot be made. */
function keysVerdict(signing: string | undefined, full: boolean, seen: Observed): Verdict {
  const { issuer, inTheWay, brokenLists = [] } = seen;
  const state = signing === undefined ? 'stalled' : 'ready';
  if (inTheWay !== undefined) {
    return { state, reason: 'SigningKeyInvalid', message: `${inTheWay}: delete it, and a key is made in its place` };
  }
  if (full) {
    const message = `${mostKeys} keys are published and credentials need each retired one: renew or delete the oldest BotTokens, and a key is made`;
    return { state, reason: 'TooManyKeys', message };
  }
  const unknown = unknownKeys(issuer);
  if (unknown.length === 0 && brokenLists.length > 0) {
    const message = `ConfigMap ${brokenLists.join(', ')} is not as botmint wrote it: restore it, or delete it and it is made anew; ${signing} signs`;
    return { state: 'ready', reason: 'StatusListInvalid', message };
  }
  if (unknown.length === 0) return { state: 'ready', reason: 'KeysPublished', message: `${signing} signs` };
  const message = `${retireKeyAnnotation} names ${unknown.join(', ')}, which is no key of this issuer: correct it by status.keys, or take it off; ${signing} signs`;
  return { state: 'ready', reason: 'KeyNotFound', message };
}

function statusWrite(
  { issuer }: Observed,
  keys: readonly PublishedKey[],
  verdict: Verdict,
  now: Date,
): Step | undefined {
  const patch = patchOf(issuer, keys, saying(issuer, verdict, now));
  return patch && { do: 'write-status', patch, because: 'state', verdict };
}

function patchOf({ status }: ClusterTokenIssuer, keys: readonly PublishedKey[], fields: object): object | undefined {
  return mergePatch(status, { ...status, ...fields, keys: keys.length === 0 ? undefined : keys });
}
