import { parseDuration } from '../api/durations.ts';
import type { Inputs } from '../api/inputs.ts';
import type { Wish } from './grant.ts';

/**
 * What a spec that no longer equals the recorded inputs asks for. `widened`: a new credential, the old one lives on for
 * a while. `narrowed`: the old one may do what is no longer wanted, so it dies as soon as the new one is in the Secret.
 */
export type Change = 'none' | 'widened' | 'narrowed';

/**
 * Compares field by field, lists as sets. Nothing else decides: no hash, no default of the running version, and a field
 * that an older record lacks never triggers an issue. Label, Secret entries and rotation settings are not looked at.
 */
export function changeOf(recorded: Inputs, wish: Wish): Change {
  return together(
    // Another issuer or BotUser under the old name: what the old one stood for is gone.
    recorded.issuer.uid === wish.issuer.uid ? 'none' : 'narrowed',
    recorded.botUser.uid === wish.botUser.uid ? 'none' : 'narrowed',
    recorded.username === wish.username ? 'none' : 'narrowed',
    setChange(recorded.identities.map(identityText), wish.identities.map(identityText)),
    ownChangeOf(recorded, wish),
  );
}

/** The same for the fields of the token's own spec. */
export function ownChangeOf(recorded: Inputs, wish: Wish): Change {
  const defaulted = recorded.audiencesDefaulted === true && wish.audiencesDefaulted;
  return together(
    lifeChange(recorded.expiresIn, wish.expiresIn),
    defaulted ? 'none' : setChange(recorded.audiences, wish.audiences),
    setChange(recorded.scopes, wish.scopes),
  );
}

/** Where one field narrows, the whole does. */
function together(...changes: readonly Change[]): Change {
  if (changes.includes('narrowed')) return 'narrowed';
  return changes.includes('widened') ? 'widened' : 'none';
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
