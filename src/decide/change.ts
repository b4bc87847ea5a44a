import { parseDuration } from '../api/durations.ts';
import type { Inputs } from '../api/inputs.ts';
import type { CommonWish } from './grant.ts';

/** From the mildest to the strictest: where several fields have changed, the strictest counts. */
const changes = ['none', 'rotated', 'widened', 'narrowed', 'replaced'] as const;

/**
 * What a wish that no longer equals the recorded inputs asks for. `rotated` (asked for by annotation) and `widened`: a new
 * credential, the old one lives on for a while. `narrowed`: the old one may do what is no longer wanted, `replaced`: it has
 * leaked; so it dies as soon as the new one is in the Secret.
 */
export type Change = (typeof changes)[number];

/**
 * Compares field by field, lists as sets. Nothing else decides: no hash, no default of the running version, and a field
 * that an older record lacks never triggers an issue. Label, Secret entries and rotation settings are not looked at. The
 * table in docs/lifecycle.md says the same for users, and a test holds the two together. This is what all kinds have; what
 * each has beside is with the kind.
 */
export function commonChange(recorded: Inputs, wish: CommonWish): Change {
  return strictest(
    // Another issuer under the old name: what the old one stood for is gone.
    recorded.issuer.uid === wish.issuer.uid ? 'none' : 'narrowed',
    recorded.username === wish.username ? 'none' : 'narrowed',
  );
}

/** What the annotations ask for: a value that is gone asks for nothing, and one that was served asks for nothing more. */
export function askedChange(recorded: Inputs, wish: Pick<CommonWish, 'rotate' | 'replace'>): Change {
  return strictest(
    isAsked(wish.rotate, recorded.handled?.rotate) ? 'rotated' : 'none',
    isAsked(wish.replace, recorded.handled?.replace) ? 'replaced' : 'none',
  );
}

/** Of several fields that have changed. */
export function strictest(...found: readonly Change[]): Change {
  return changes.findLast(change => found.includes(change)) ?? 'none';
}

function isAsked(value: string | undefined, handled: string | undefined): boolean {
  return value !== undefined && value !== handled;
}

/** The absolute end: a credential that outlives it is too long, and one that was cut short by an earlier one may be longer now. */
export function endChange(recorded: Inputs, wish: CommonWish): Change {
  const end = timeOf(recorded.expiresAt);
  const wanted = timeOf(wish.notAfter);
  if (wanted < end) return 'narrowed';
  return isCutShort(recorded) && wanted > end ? 'widened' : 'none';
}

/** Whether a credential ends at an absolute end, and not by its own life. */
export function isCutShort({ expiresAt, notAfter }: Pick<Inputs, 'expiresAt' | 'notAfter'>): boolean {
  return notAfter !== undefined && timeOf(notAfter) === timeOf(expiresAt);
}

/** When it ends; what never does, after all else. */
export function timeOf(text: string | undefined): number {
  return text === undefined ? Number.POSITIVE_INFINITY : Date.parse(text);
}

/** A longer life, or a shorter one, in whatever unit. */
export function lifeChange(recorded: string, wish: string): Change {
  const [old, wanted] = [secondsOf(recorded), secondsOf(wish)];
  if (old === wanted) return 'none';
  return wanted < old ? 'narrowed' : 'widened';
}

function secondsOf(text: string): number {
  const seconds = parseDuration(text);
  return seconds === 'never' ? Number.POSITIVE_INFINITY : seconds;
}

/** More of what was allowed, or less. */
export function setChange(recorded: readonly string[], wish: readonly string[]): Change {
  const [old, wanted] = [new Set(recorded), new Set(wish)];
  if (!old.isSubsetOf(wanted)) return 'narrowed';
  return old.size === wanted.size ? 'none' : 'widened';
}
