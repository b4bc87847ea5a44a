import type { Clock } from '../base/clock.ts';
import { BotmintError, type Retry, retryOf, unreachable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { aborted } from './aborted.ts';
import type { ControllerMetrics } from './controller-metrics.ts';
import type { Key } from './objects.ts';
import { type Moment, type Priority, Schedule } from './schedule.ts';

/** How a reconcile ends when nothing failed: it waits for a change of what is watched, or for a date at the latest. */
export type Outcome = { next: 'on-change' } | { next: 'at'; time: Date };

export interface ControllerOptions {
  name: string;
  /** How many keys are reconciled at the same time; one key never twice. */
  concurrency: number;
  /** Must end soon after its signal aborts: its key and its worker are taken until it has ended. */
  reconcile: (key: Key, signal: AbortSignal) => Promise<Outcome>;
  /** Asked again just before each run. A key that is not ours is forgotten; who gains it adds it again. */
  owns: (key: Key) => boolean;
  log: Log;
  clock: Clock;
  /** One for all controllers of the process. */
  metrics: ControllerMetrics;
  /** One reconcile may take so long (default 60 s), then its signal aborts and the attempt counts as failed. */
  timeoutSeconds?: number;
  /** A number in [0, 1) that spreads the back-offs. */
  jitter?: () => number;
}

/**
 * Reconciles the keys that are due, several at a time: the I/O shell around a Schedule. What a failure says about its
 * retry is done; a failure that says nothing is tried again with back-off.
 */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #schedule: Schedule;
  readonly #running = new Map<Key, Run>();
  #timer: NodeJS.Timeout | undefined;
  #state: 'new' | 'running' | 'ending' = 'new';
  #turn: NodeJS.Immediate | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const share = (part: number) => Math.max(1, Math.floor(options.concurrency * part));
    const mostNormal = { alone: share(normalShare.alone), besideFirst: share(normalShare.besideFirst) };
    this.#schedule = new Schedule(options.jitter ?? Math.random, mostNormal);
    options.metrics.add(options.name, () => this.#schedule.due(this.#now()));
  }

  /** Wishes that a key is reconciled, now or after a while. It may be called before `run`. */
  add(key: Key, options: { priority?: Priority; afterMilliseconds?: number } = {}): void {
    const at = this.#options.clock.monotonic() + (options.afterMilliseconds ?? 0);
    this.#schedule.add(key, at, options.priority);
    this.#wake();
  }

  /** Aborts the running reconciles of these keys: they are no longer ours. That is no failure and brings no retry. */
  abort(isLost: (key: Key) => boolean): void {
    for (const [key, { abort }] of this.#running) {
      if (isLost(key)) abort.abort(new Interrupted('the key is lost, or the process ends'));
    }
  }

  /**
   * Works until the signal aborts. Then nothing new is begun; what runs may end within 8 s, or else has its signal
   * aborted. Resolves when nothing runs any more.
   */
  async run(signal: AbortSignal): Promise<void> {
    this.#state = 'running';
    this.#wake();
    await aborted(signal);
    this.#state = 'ending';
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    const patience = setTimeout(() => this.abort(() => true), graceMilliseconds);
    await Promise.all([...this.#running.values()].map(run => run.ended));
    clearTimeout(patience);
  }

  /** One turn of the event loop later, so that any number of due keys leaves room for I/O between the turns. */
  #wake = (): void => {
    if (this.#state !== 'running') return;
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      this.#begin();
      this.#setTimer();
    });
  };

  #begin(): void {
    const now = this.#now();
    for (let looked = 0; looked < keysPerTurn && this.#isFree(); looked++) {
      const key = this.#schedule.take(now);
      if (key === undefined) return;
      if (this.#options.owns(key)) this.#start(key);
      else this.#schedule.done(key);
    }
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    if (!this.#isFree()) return; // whoever ends wakes
    const wait = this.#schedule.wait(this.#now());
    if (wait === 0) this.#wake();
    else if (wait < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(this.#wake, Math.min(Math.ceil(wait), recheckMilliseconds));
    }
  }

  #isFree(): boolean {
    return this.#running.size < this.#options.concurrency;
  }

  #start(key: Key): void {
    const abort = new AbortController();
    this.#running.set(key, { abort, ended: this.#reconcile(key, abort) });
  }

  async #reconcile(key: Key, abort: AbortController): Promise<void> {
    const { clock, timeoutSeconds = 60 } = this.#options;
    const begun = clock.monotonic();
    const expire = () => abort.abort(new ReconcileTimeout(`the reconcile took longer than ${timeoutSeconds} s`));
    const deadline = setTimeout(expire, timeoutSeconds * 1000);
    const end = await this.#attempt(key, abort.signal);
    clearTimeout(deadline);
    this.#running.delete(key);
    this.#settle(key, end);
    this.#options.metrics.ran(this.#options.name, end.as, (clock.monotonic() - begun) / 1000);
    this.#wake();
  }

  async #attempt(key: Key, signal: AbortSignal): Promise<End> {
    try {
      const outcome = await this.#options.reconcile(key, signal);
      if (outcome.next === 'at' && Number.isNaN(outcome.time.getTime())) throw new TypeError('not a time');
      return { as: 'success', outcome };
    } catch (thrown) {
      const error: unknown = signal.aborted ? signal.reason : thrown; // whatever the abort made of it on its way up
      return error instanceof Interrupted ? { as: 'aborted' } : { as: 'error', error };
    }
  }

  #settle(key: Key, end: End): void {
    if (end.as === 'success' && end.outcome.next === 'at') this.#schedule.addDated(key, end.outcome.time.getTime());
    if (end.as === 'error') this.#failed(key, end.error);
    else this.#schedule.done(key);
  }

  #failed(key: Key, error: unknown): void {
    const { name: controller, log, metrics } = this.#options;
    const reason = error instanceof BotmintError ? error.reason : 'Unexpected';
    const retry = retryOf(error);
    const retryInSeconds = this.#retry(key, retry);
    metrics.failed(controller, reason);
    if (error instanceof BotmintError) {
      log.warn({ controller, key, reason, error: error.message, retryInSeconds }, 'reconcile failed');
    } else log.error({ controller, key, reason, err: error, retryInSeconds }, 'reconcile failed');
  }

  #retry(key: Key, retry: Retry): number | undefined {
    const now = this.#options.clock.monotonic();
    switch (retry.kind) {
      case 'backoff':
        return this.#schedule.failed(key, now) / 1000;
      case 'after':
        this.#schedule.postponed(key, now + retry.seconds * 1000);
        return retry.seconds;
      case 'on-change':
        this.#schedule.done(key);
        return undefined;
      default:
        return unreachable(retry);
    }
  }

  #now(): Moment {
    const { clock } = this.#options;
    return { monotonic: clock.monotonic(), date: clock.now().getTime() };
  }
}

/** Of the workers, for whatever is no first key: some are always free for one, and few work beside it, because all share one API server. */
const normalShare = { alone: 0.5, besideFirst: 0.2 };

/** Shorter than the 10 s within which the process has to end. */
const graceMilliseconds = 8_000;

/** Dates are looked at again this often, because the wall clock may jump; it also keeps setTimeout below its 24 days. */
const recheckMilliseconds = 60_000;

/** Keys that are not ours cost a look each; so many fit in one turn of the event loop without being felt. */
const keysPerTurn = 500;

interface Run {
  abort: AbortController;
  ended: Promise<void>;
}

type End = { as: 'success'; outcome: Outcome } | { as: 'error'; error: unknown } | { as: 'aborted' };

/** One reconcile did not end in time. */
class ReconcileTimeout extends BotmintError {
  readonly reason = 'ReconcileTimeout';
  readonly retry: Retry = { kind: 'backoff' };
}

/** The reason of an abort that is nobody's failure. */
class Interrupted extends Error {}
