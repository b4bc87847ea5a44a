import type { Attempt } from '../decide/copies-seen.ts';

/** What became of one. `moved`: it met a change of somebody else's, or an answer got lost: that is nobody's refusal. */
export type End =
  | { as: 'done' }
  | { as: 'moved'; trouble: string }
  /** `mostSeconds`: however often it failed, it is not put off for longer. */
  | { as: 'failed'; trouble: string; mostSeconds?: number };

interface Noted extends Attempt {
  /** In a row, to the same end. */
  count: number;
}

const firstSeconds = 5;
const longestSeconds = 600;
/** So often nothing waits: where others were faster or a connection broke, and where people try what happens. */
const freeTries = 3;

/**
 * When each place may be worked on again. In memory: a restart tries everything once, and what it then finds in its way is
 * what it found before. What was done is noted as well: whoever puts a copy or a list of a ServiceAccount back each time, as
 * a GitOps tool may, must not get one write for each of his.
 */
export class CopyAttempts {
  /** By the UID of the object and the place. */
  readonly #noted = new Map<string, Map<string, Noted>>();

  get(uid: string, place: string): Attempt | undefined {
    return this.#noted.get(uid)?.get(place);
  }

  note(uid: string, { place, wanted }: { place: string; wanted: string }, end: End, now: Date): void {
    const before = this.#noted.get(uid)?.get(place);
    const count = continues(before, wanted, end, now) ? before.count + 1 : 1;
    const at = new Date(now.getTime() + pauseSeconds(end, count) * 1000);
    const trouble = end.as === 'done' ? undefined : end.trouble;
    const places = this.#noted.get(uid) ?? new Map<string, Noted>();
    this.#noted.set(uid, places.set(place, { wanted, at, trouble, count }));
  }

  /** Something has changed at a place: what failed there may work now. What was done and undone again still has to wait. */
  retry(isAbout: (place: string, uid: string) => boolean): void {
    for (const [uid, places] of this.#noted)
      for (const [place, { trouble }] of places) if (trouble !== undefined && isAbout(place, uid)) places.delete(place);
  }

  /** The places are gone. */
  forgetPlaces(isAbout: (place: string) => boolean): void {
    for (const places of this.#noted.values())
      for (const place of places.keys()) if (isAbout(place)) places.delete(place);
  }

  forget(uid: string): void {
    this.#noted.delete(uid);
  }
}

/** What held for longer than any pause, or was done after it had failed, begins anew. */
function continues(before: Noted | undefined, wanted: string, end: End, now: Date): before is Noted {
  if (before === undefined || before.wanted !== wanted) return false;
  if (end.as === 'done' && before.trouble !== undefined) return false;
  return now.getTime() - before.at.getTime() < longestSeconds * 1000;
}

function pauseSeconds(end: End, count: number): number {
  const free = end.as === 'failed' ? 0 : freeTries;
  if (count <= free) return 0;
  const most = end.as === 'failed' ? (end.mostSeconds ?? longestSeconds) : longestSeconds;
  return Math.min(firstSeconds * 2 ** (count - free - 1), most);
}
