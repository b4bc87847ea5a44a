import { isPure, type Rules } from './rules.ts';
import { allOf, bit, has, type ObjectSeen, revisionOf, type World } from './world.ts';

/** Recorded, or superseded and not revoked yet: never deleted as garbage. */
export function kept(o: ObjectSeen): number {
  return bit(o.recorded) | o.previous | o.due;
}

/** The credentials that work now. */
export function live(w: World, rules: Rules): number {
  if (!isPure(rules)) return w.backend & ~w.expired;
  if (w.uid === 0 || w.deleting === 1 || w.revoked === 1 || w.bot !== 0 || w.issuer === 2) return 0;
  const recorded = (bit(w.recorded) | w.previous) & ~w.expired;
  if (rules.derivedIDs) return liveByNumber(w, recorded);
  if (rules.verifierInStatus) return recorded;
  const inSecret = w.state === 2 && w.owner === w.uid && w.secretRevision > w.revision;
  return recorded | (inSecret ? bit(w.holds) & ~w.expired : 0);
}

/** A relying party can tell only UID and revision: whoever has the number of a live one is live. */
function liveByNumber(w: World, recorded: number): number {
  let set = 0;
  for (let cred = 1; cred <= 32; cred++) {
    if (!has(w.backend & allOf(w.uid), cred)) continue;
    const pair = bit(cred) | bit(((cred - 1) ^ 1) + 1);
    if ((recorded & pair) !== 0 || revisionOf(cred) > w.revision) set |= bit(cred);
  }
  return set;
}

/** How many credentials are in a set. */
export function count(set: number): number {
  let n = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) n++;
  return n;
}
