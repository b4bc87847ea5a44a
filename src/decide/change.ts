import { parseDuration } from '../api/durations.ts';
import type { Inputs } from '../api/inputs.ts';
import type { Wish } from './grant.ts';

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
 * table in docs/lifecycle.md says the same for users, and a test holds the two together.
 */
export function changeOf(recorded: Inputs, wish: Wish): Change {
  return together(
    // Another issuer or BotUser under the old name: what the old one stood for is gone.
    recorded.issuer.uid === wish.issuer.uid ? 'none' : 'narrowed',
    recorded.botUser.uid === wish.botUser.uid ? 'none' : 'narrowed',
    recorded.username === wish.username ? 'none' : 'narrowed',
    setChange(recorded.identities.map(identityText), wish.identities.map(identityText)),
    endChange(recorded, wish),
    // The key may have leaked and is published no more: what it signed is dead already.
    wish.withdrawnKeys.includes(recorded.keyID) ? 'replaced' : 'none',
    ownChangeOf(recorded, wish),
  );
}

/** The same for the token's own spec and annotations. */
export function ownChangeOf(recorded: Inputs, wish: Wish): Change {
  const defaulted = recorded.audiencesDefaulted === true && wish.audiencesDefaulted;
  return together(
    lifeChange(recorded.expiresIn, wish.expiresIn),
    defaulted ? 'none' : setChange(recorded.audiences, wish.audiences),
    setChange(recorded.scopes, wish.scopes),
    // A value that is gone asks for nothing, and one that was served asks for nothing more.
    isAsked(wish.rotate, recorded.handled?.rotate) ? 'rotated' : 'none',
    isAsked(wish.replace, recorded.handled?.replace) ? 'replaced' : 'none',
  );
}

function together(...found: readonly Change[]): Change {
  return changes.findLast(change => found.includes(change)) ?? 'none';
}

function isAsked(value: string | undefined, handled: string | undefined): boolean {
  return value !== undefined && value !== handled;
}

/** The BotUser's end: a credential that outlives it is too long, and one that was cut short by an earlier one may be longer now. */
function endChange(recorded: Inputs, wish: Wish): Change {
  const end = timeOf(recorded.expiresAt);
  const wanted = timeOf(wish.notAfter);
  if (wanted < end) return 'narrowed';
  return isCutShort(recorded) && wanted > end ? 'widened' : 'none';
}

/** Whether a credential ends with its BotUser, and not by its own life. */
export function isCutShort({ expiresAt, notAfter }: Pick<Inputs, 'expiresAt' | 'notAfter'>): boolean {
  return notAfter !== undefined && timeOf(notAfter) === timeOf(expiresAt);
}

function timeOf(text: string | undefined): number {
  return text === undefined ? Number.POSITIVE_INFINITY : Date.parse(text);
}

function lifeChange(recorded: string, wish: string): Change {
  const [old, wanted] = [secondsOf(recorded), secondsOf(wish)];
  if (old === wanted) return 'none';
  return wanted < old ? 'narrowed' : 'widened';
}

function secondsOf(text: string): number {
  const seconds = parseDuration(text);
  return seconds === 'never' ? Number.POSITIVE_INFINITY : seconds;
}

function setChange(recorded: readonly string[], wish: readonly string[]): Change {
  const [old, wanted] = [new Set(recorded), new Set(wish)];
  if (!old.isSubsetOf(wanted)) return 'narrowed';
  return old.size === wanted.size ? 'none' : 'widened';
}

function identityText({ service, id }: { service: string; id: string }): string {
  return `${service}/${id}`;
}
