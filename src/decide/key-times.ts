import { parseDuration } from '../api/durations.ts';
import { keysOf, type Observed, type PublishedKey, type Step, withdrawnKeysOf } from './issuer-seen.ts';
import { earliest } from './times.ts';

/**
 * The private half of a retired key goes after so long: a replica whose caches lag (15 s at most, then it knows) signs with
 * it until then, and finds no Secret missing.
 */
const lastSigningSeconds = 20;
/** A retired key stays published for so long at least: what was signed in its last moments may not be recorded yet. */
const recordingSeconds = 600;
/** How often it is asked whether a credential still needs a retired key: no watch says it. */
const needPollSeconds = 600;

/** The keys that can sign, the active one first: not lost, and of the issuer's algorithm. */
export function usableKeys(seen: Observed): readonly PublishedKey[] {
  const whole = keysOf(seen.issuer).filter(key => !isLost(key, seen));
  return [...whole.filter(({ state }) => state === 'Active'), ...whole.filter(({ state }) => state === 'Next')];
}

/** Gone, or of an algorithm that the issuer does not sign with any more. */
export function isLost(key: PublishedKey, { issuer, keySecrets }: Observed): boolean {
  const secret = keySecrets.get(key.kid);
  const missing = secret?.state === 'missing' && secret.confirmed;
  return missing || key.publicJWK.alg !== issuer.spec.jwt.algorithm;
}

/**
 * When the next key takes over: the active one has signed for `keyRotation`, and the next one is known for
 * `keyActivationDelay`, so that no relying party meets it for the first time. Undefined where there are not two.
 */
export function rotationTime(seen: Observed): Date | undefined {
  const { keyRotation, keyActivationDelay } = seen.issuer.spec.jwt;
  const [active, next] = usableKeys(seen);
  if (active?.state !== 'Active' || next === undefined) return undefined;
  const times = [after(active.since, secondsOf(keyRotation)), after(next.since, secondsOf(keyActivationDelay))];
  return new Date(Math.max(...times.map(time => time.getTime())));
}

/**
 * A key with a time that can be: one further ahead than a whole rotation was written by a clock that has been put right
 * since. It begins anew; else nothing would be due before that time had come.
 */
export function inTime(key: PublishedKey, seen: Observed, now: Date): boolean {
  return after(key.since, -secondsOf(seen.issuer.spec.jwt.keyRotation)) <= now;
}

/** Whether a key verifies nothing that is alive any more. */
export function isDispensable(key: PublishedKey, { isNeeded }: Observed, now: Date): boolean {
  return key.state === 'Retired' && after(key.since, recordingSeconds) <= now && !isNeeded(key);
}

/** At rest: deletes the Secret of a key that signs no more, and else says when time alone asks for something. */
export function rest(seen: Observed, now: Date): Step {
  const leftovers = [
    ...withdrawnKeysOf(seen.issuer).map(key => ({ key, at: now })),
    ...retired(seen).map(key => ({ key, at: after(key.since, lastSigningSeconds) })),
  ].filter(({ key }) => hasSecret(key.kid, seen));
  const due = leftovers.find(({ at }) => at <= now);
  if (due !== undefined) return { do: 'delete-key', key: due.key };
  const polls = retired(seen).map(({ since }) =>
    later(after(since, recordingSeconds), after(now, needPollSeconds), now),
  );
  const times = [rotationTime(seen), ...leftovers.map(({ at }) => at), ...polls];
  return { do: 'rest', until: earliest(...times.filter(time => time !== undefined && time > now)) };
}

function retired({ issuer }: Observed): readonly PublishedKey[] {
  return keysOf(issuer).filter(({ state }) => state === 'Retired');
}

function hasSecret(kid: string, { keySecrets }: Observed): boolean {
  const secret = keySecrets.get(kid);
  return secret !== undefined && secret.state !== 'missing';
}

/** The first time while it is still to come, and else the second. */
function later(first: Date, second: Date, now: Date): Date {
  return first > now ? first : second;
}

function after(time: string | Date, seconds: number): Date {
  return new Date(new Date(time).getTime() + seconds * 1000);
}

function secondsOf(text: string): number {
  return Number(parseDuration(text));
}
