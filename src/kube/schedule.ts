import { Heap, type Place } from './heap.ts';
import type { Key } from './objects.ts';

/** `first` goes before `normal` among the keys that are due. */
export type Priority = 'first' | 'normal';

/** How many `normal` keys run at most: while no `first` key runs, and beside one. */
export interface MostNormal {
  alone: number;
  besideFirst: number;
}

/** One moment on both clocks: `monotonic` in milliseconds, `date` in milliseconds since the epoch. */
export interface Moment {
  monotonic: number;
  date: number;
}

/**
 * Decides which key runs next. Holds no timer and reads no clock, so a test can step through it.
 *
 * A key is in it once: of several wishes the earliest counts, so an edit is not held back by a slow retry, and the
 * higher priority counts until the key has run. A key that runs is never handed out a second time; what is wished in
 * the meantime waits until it is done. A key without a wish takes no memory.
 *
 * Delays stand on the monotonic clock, dates on the wall clock: a clock that is put right moves the dates (renewals,
 * ends) and leaves the back-offs as they are.
 */
export class Schedule {
  readonly #jitter: () => number;
  readonly #entries = new Map<Key, Entry>();
  readonly #first = new Heap<Entry>();
  readonly #normal = new Heap<Entry>();
  readonly #dated = new Heap<Entry>();

  readonly #mostNormal: MostNormal;
  /** How many run, by the priority that they were taken with. */
  readonly #running: Record<Priority, number> = { first: 0, normal: 0 };

  /**
   * @param jitter a number in [0, 1), asked for at each back-off
   * @param mostNormal no further `normal` key is handed out while so many run: all share the API server, and who waits for a
   * first key must not wait for a wave of others
   */
  constructor(jitter: () => number, mostNormal: MostNormal = { alone: never, besideFirst: never }) {
    this.#jitter = jitter;
    this.#mostNormal = mostNormal;
  }

  /** How many keys it remembers: those that wait and those that run. */
  get size(): number {
    return this.#entries.size;
  }

  /** Wishes that the key runs at a monotonic time; at once when that has passed. */
  add(key: Key, at: number, priority: Priority = 'normal'): void {
    this.#wish(key, priority, at, never);
  }

  /** Wishes that the key runs at a date (milliseconds since the epoch). */
  addDated(key: Key, date: number, priority: Priority = 'normal'): void {
    this.#wish(key, priority, never, date);
  }

  /** The next key that is due. It then runs, until `done`, `failed` or `postponed` is called for it. */
  take(now: Moment): Key | undefined {
    this.#ripen(now);
    for (const { top } of this.#open) {
      if (top !== undefined && top.time <= now.monotonic) return this.#start(top.item);
    }
    return undefined;
  }

  /** It ran; its failures are forgotten. It runs again when something was wished meanwhile. */
  done(key: Key): void {
    const entry = this.#ended(key);
    entry.failures = 0;
    if (isWished(entry)) this.#enqueue(entry);
    else this.#entries.delete(key);
  }

  /** It ran and failed: it runs again after a back-off (returned, in milliseconds), or earlier when that is wished. */
  failed(key: Key, now: number): number {
    const entry = this.#ended(key);
    const wait = backOff(entry.failures, this.#jitter());
    entry.failures++;
    this.add(key, now + wait, entry.ran);
    return wait;
  }

  /** It ran and is to come back at a monotonic time; its failures are neither counted nor forgotten. */
  postponed(key: Key, at: number): void {
    this.add(key, at, this.#ended(key).ran);
  }

  /** Milliseconds until a key can be taken: 0 for now, Infinity when nothing waits. The end of a running key may change it. */
  wait(now: Moment): number {
    const at = Math.min(...this.#open.map(({ top }) => top?.time ?? never));
    const date = this.#dated.top?.time ?? never;
    return Math.max(0, Math.min(at - now.monotonic, date - now.date));
  }

  /** How many keys are due and wait for a worker. Looks at all keys: for a scrape, not for a loop. */
  due(now: Moment): number {
    let count = 0;
    for (const { running, at, date } of this.#entries.values()) {
      if (!running && (at <= now.monotonic || date <= now.date)) count++;
    }
    return count;
  }

  /** What keys are handed out from, the first before the others. */
  get #open(): readonly Heap<Entry>[] {
    const { first, normal } = this.#running;
    const { alone, besideFirst } = this.#mostNormal;
    return normal >= (first > 0 ? besideFirst : alone) ? [this.#first] : [this.#first, this.#normal];
  }

  #wish(key: Key, priority: Priority, at: number, date: number): void {
    const entry = this.#entries.get(key) ?? newEntry(key);
    this.#entries.set(key, entry);
    const isHigher = priority === 'first' && entry.priority === 'normal';
    if (at < entry.at || date < entry.date || isHigher) {
      this.#dequeue(entry);
      entry.at = Math.min(entry.at, at);
      entry.date = Math.min(entry.date, date);
      if (isHigher) entry.priority = priority;
    }
    if (!entry.running) this.#enqueue(entry);
  }

  /** A date that has come is a wish for now. */
  #ripen(now: Moment): void {
    for (let { top } = this.#dated; top !== undefined && top.time <= now.date; top = this.#dated.top) {
      const entry = top.item;
      this.#dequeue(entry);
      entry.at = Math.min(entry.at, now.monotonic);
      entry.date = never;
      this.#enqueue(entry);
    }
  }

  #start(entry: Entry): Key {
    this.#dequeue(entry);
    entry.running = true;
    entry.ran = entry.priority;
    this.#running[entry.ran]++;
    entry.priority = 'normal';
    entry.at = never;
    entry.date = never;
    return entry.key;
  }

  #ended(key: Key): Entry {
    const entry = this.#entries.get(key);
    if (entry?.running !== true) throw new Error(`${key} does not run`);
    entry.running = false;
    this.#running[entry.ran]--;
    return entry;
  }

  #enqueue(entry: Entry): void {
    const due = entry.priority === 'first' ? this.#first : this.#normal;
    if (entry.at < never) entry.due ??= { heap: due, place: due.push(entry, entry.at) };
    if (entry.date < never) entry.dated ??= this.#dated.push(entry, entry.date);
  }

  #dequeue(entry: Entry): void {
    entry.due?.heap.remove(entry.due.place);
    if (entry.dated !== undefined) this.#dated.remove(entry.dated);
    entry.due = undefined;
    entry.dated = undefined;
  }
}

const never = Number.POSITIVE_INFINITY;

interface Entry {
  readonly key: Key;
  /** The wish that waits: a delay, a date or both; `never` for none. */
  at: number;
  date: number;
  priority: Priority;
  running: boolean;
  /** The priority of the present or last run: a retry keeps it. */
  ran: Priority;
  failures: number;
  /** Where it stands in the heaps; nowhere while it runs. */
  due: { heap: Heap<Entry>; place: Place<Entry> } | undefined;
  dated: Place<Entry> | undefined;
}

function newEntry(key: Key): Entry {
  const nowhere = { due: undefined, dated: undefined };
  return { key, at: never, date: never, priority: 'normal', running: false, ran: 'normal', failures: 0, ...nowhere };
}

function isWished({ at, date }: Entry): boolean {
  return at < never || date < never;
}

/** In milliseconds: quick after a conflict, gentle on a backend that is down for hours. */
const shortestBackOff = 50;
const longestBackOff = 5 * 60_000;

/** Up to a quarter is taken off, so that what failed together does not come back together. */
function backOff(failuresBefore: number, jitter: number): number {
  return Math.min(longestBackOff, shortestBackOff * 2 ** failuresBefore) * (1 - jitter / 4);
}
