import { delay } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { aborted } from '../kube/aborted.ts';

/** Between attempts that fail: from here on doubled, up to the most. */
const firstDelayMilliseconds = 500;
const mostDelayMilliseconds = 30_000;

/** What was seen to move is loaded again, one after another, and tried until that has worked. */
export class Reloads<T> {
  readonly #load: (what: T, signal: AbortSignal) => Promise<void>;
  readonly #name: string;
  readonly #log: Log;
  readonly #due = new Set<T>();
  #woken = Promise.withResolvers<void>();

  constructor(o: { load: (what: T, signal: AbortSignal) => Promise<void>; name: string; log: Log }) {
    this.#load = o.load;
    this.#name = o.name;
    this.#log = o.log;
  }

  add(what: T): void {
    this.#due.add(what);
    this.#woken.resolve();
  }

  /** Works until the signal aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = aborted(signal);
    for (let failures = 0; !signal.aborted; ) {
      this.#woken = Promise.withResolvers<void>();
      failures = (await this.loadAll(signal)) ? 0 : failures + 1;
      if (failures > 0) await delay(Math.min(mostDelayMilliseconds, firstDelayMilliseconds * 2 ** failures), signal);
      else if (this.#due.size === 0) await Promise.race([this.#woken.promise, stopped]);
    }
  }

  /** One attempt for each; true when all have worked. */
  async loadAll(signal: AbortSignal): Promise<boolean> {
    let worked = true;
    for (const what of Array.from(this.#due)) worked = (await this.#attempt(what, signal)) && worked;
    return worked;
  }

  async #attempt(what: T, signal: AbortSignal): Promise<boolean> {
    this.#due.delete(what); // what moves while it is loaded is due again
    try {
      await this.#load(what, signal);
      return true;
    } catch (err) {
      this.#due.add(what);
      if (!signal.aborted) this.#log.warn({ what: this.#name, err }, 'could not load what has changed');
      return false;
    }
  }
}
