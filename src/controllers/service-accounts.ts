import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../kube/client.ts';
import { type ServiceAccount, serviceAccounts } from '../kube/core-kinds.ts';
import { Reflector } from '../kube/reflector.ts';
import { Store } from '../kube/store.ts';

const patienceMilliseconds = 15_000;

/**
 * The ServiceAccounts of the cluster, from the moment on at which an object first names one: a cluster may have ten
 * thousands of them, and most have no use for this. Whether they are known says nothing about the other caches.
 */
export class ServiceAccounts {
  readonly store = new Store<ServiceAccount>({});
  readonly #reflector: Reflector<ServiceAccount>;
  readonly #clock: Clock;
  #neededAt: number | undefined;
  readonly #needed = Promise.withResolvers<void>();

  constructor(o: { client: Pick<Client, 'page' | 'watch'>; log: Log; clock: Clock }) {
    this.#clock = o.clock;
    this.#reflector = new Reflector({ ...o, resource: serviceAccounts, store: this.store });
  }

  /** They are followed from now on. */
  need(): void {
    this.#neededAt ??= this.#clock.monotonic();
    this.#needed.resolve();
  }

  /** They should have been seen for long: most likely nobody may list them. */
  get overdue(): boolean {
    return !this.synced && this.#clock.monotonic() - (this.#neededAt ?? Infinity) > patienceMilliseconds;
  }

  /** All of them have been seen. */
  get synced(): boolean {
    return this.#reflector.synced;
  }

  /** Resolves, never rejects, once the signal has aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.need(), { once: true });
    await this.#needed.promise;
    await this.#reflector.run(signal);
  }
}
