import { type Clock, delay } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { isMetadataOnly, type Selection } from './calls.ts';
import type { Client } from './client.ts';
import { isGone } from './errors.ts';
import { Lines } from './lines.ts';
import type { KubeObject, Resource } from './objects.ts';
import { ReflectorState, type Refused } from './reflector-state.ts';
import type { Store } from './store.ts';

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  client: Pick<Client, 'page' | 'watch'>;
  resource: Resource<T>;
  store: Store<T>;
  log: Log;
  clock: Clock;
  metadataOnly?: boolean;
  /** How long one watch runs before the server ends it, which bounds `age()`. Default 10. */
  watchSeconds?: number;
  pageSize?: number;
  refused?: Refused;
  /** Between 0 and 1, for the jitter of pauses. */
  random?: () => number;
}

/** No byte for so long after a watch should have ended: the connection is dead without having been closed. */
const graceSeconds = 10;

/**
 * Keeps a store like the API server's objects: one paged list, then watch after watch. A watch that ends goes on from
 * where it was; only when the server has forgotten that point is the list made again.
 */
export class Reflector<T extends KubeObject> {
  readonly #of: ReflectorOptions<T>;
  readonly #state: ReflectorState<T>;
  readonly #watchSeconds: number;
  readonly #ready = Promise.withResolvers<void>();
  #synced = false;
  #listStartedAt = 0;
  #provenAt = -Infinity;

  constructor(options: ReflectorOptions<T>) {
    const { group, plural } = options.resource;
    if (group === '' && plural === 'secrets' && !isMetadataOnly(options.resource, options)) {
      throw new TypeError('a cache of Secrets must be metadata only');
    }
    this.#of = options;
    this.#watchSeconds = options.watchSeconds ?? 10;
    this.#state = new ReflectorState(options.resource, options.store, (object, error) => this.#refuse(object, error));
  }

  /** The store has been complete at least once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Resolves when the store is complete for the first time; rejects with the signal's reason. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    await Promise.race([this.#ready.promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
  }

  /**
   * Milliseconds since the store was last known to be as the API server's own cache: a list that began then, an event, a
   * bookmark or the orderly end of a watch that came then. Infinity before the first list. While all is well it stays
   * under watchSeconds plus a second.
   */
  age(): number {
    return this.#of.clock.monotonic() - this.#provenAt;
  }

  /** Resolves, never rejects, once the signal has aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { error, pause } = await this.#step(signal);
      if (signal.aborted) return;
      if (error !== undefined) this.#report(error, pause);
      if (pause > 0) await delay(pause, signal);
    }
  }

  /** One page or one watch: the error that ended it, and how long to wait then. */
  async #step(signal: AbortSignal): Promise<{ error: unknown; pause: number }> {
    const step = this.#state.next();
    const random = (this.#of.random ?? Math.random)();
    if (step.do === 'list') {
      const error = await errorOf(this.#list(step.continue, signal));
      return { error, pause: this.#state.listEnded(error, random) };
    }
    return this.#watchOnce(step.resourceVersion, random, signal);
  }

  async #list(from: string | undefined, signal: AbortSignal): Promise<void> {
    const { client, resource, pageSize = 200 } = this.#of;
    if (from === undefined) this.#listStartedAt = this.#of.clock.monotonic();
    // Without a resourceVersion: what is shown is not older than this request, so nothing that was seen is lost again.
    const place = from === undefined ? {} : { continue: from };
    const page = await client.page(resource, { ...this.#selection(), ...place, limit: pageSize, signal });
    const proofs = this.#state.proofs;
    this.#state.page(page);
    if (this.#state.proofs === proofs) return;
    this.#provenAt = this.#listStartedAt;
    this.#synced = true;
    this.#ready.resolve();
  }

  async #watchOnce(resourceVersion: string, random: number, signal: AbortSignal) {
    const before = this.#state.proofs;
    const started = this.#of.clock.monotonic();
    const error = await errorOf(this.#watch(resourceVersion, signal));
    const share = (this.#of.clock.monotonic() - started) / 1000 / this.#watchSeconds;
    const pause = this.#proving(() =>
      this.#state.watchEnded({ error, proofs: this.#state.proofs - before, share }, random),
    );
    return { error, pause };
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const lines = new Lines();
    await this.#of.client.watch(this.#of.resource, {
      ...this.#selection(),
      resourceVersion,
      timeoutSeconds: this.#watchSeconds,
      silenceMilliseconds: (this.#watchSeconds + graceSeconds) * 1000,
      signal,
      onChunk: chunk => {
        for (const line of lines.push(chunk)) this.#proving(() => this.#state.line(line));
      },
    });
  }

  #proving<R>(step: () => R): R {
    const before = this.#state.proofs;
    const result = step();
    if (this.#state.proofs > before) this.#provenAt = this.#of.clock.monotonic();
    return result;
  }

  #selection(): Selection & { metadataOnly?: boolean } {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = this.#of;
    return { namespace, labelSelector, fieldSelector, ...(metadataOnly !== undefined && { metadataOnly }) };
  }

  #refuse(object: KubeObject, error: unknown): void {
    const { namespace, name } = object.metadata;
    this.#of.log.warn({ kind: this.#of.resource.kind, namespace, name, err: error }, 'could not read an object');
    this.#of.refused?.(object, error);
  }

  #report(error: unknown, pause: number): void {
    const values = { resource: this.#of.resource.plural, err: error, pauseMilliseconds: Math.round(pause) };
    if (isGone(error)) this.#of.log.info(values, 'lost the place in the history, listed anew');
    else this.#of.log.warn(values, 'could not follow a resource');
  }
}

async function errorOf(work: Promise<void>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error ?? new Error('failed without an error');
  }
}
