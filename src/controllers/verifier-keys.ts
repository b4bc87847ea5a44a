import { parseInputs } from '../api/inputs.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import { type Clock, delay } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics, Sample } from '../base/metrics.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { Verifiers } from '../issuers/registry/verifiers.ts';
import type { Client } from '../kube/client.ts';
import { type Metadata, secrets } from '../kube/core-kinds.ts';
import { keyOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { operatorSecretName } from './installation.ts';
import { Reloads } from './reloads.ts';
import { verifierKeysIn } from './verifier-keys-in.ts';

/**
 * So long a new key is only known before verifiers are made with it: a replica whose caches are older than 15 s answers nobody,
 * and each other one has heard of the key by then.
 */
export const knownAheadMilliseconds = 20_000;

export interface VerifierKeysOptions {
  client: Pick<Client, 'get'>;
  /** The operator's own. */
  namespace: string;
  secrets: Store<Metadata>;
  /** As they were when the process started. */
  keys: ReadonlyMap<number, SecretValue>;
  clock: Clock;
  log: Log;
  knownAheadMilliseconds?: number;
}

/**
 * The keys that verifiers are made with, as the operator's Secret has them: `verifier-<n>.key`. Who adds one with a higher number
 * rotates: every replica gets to know it, then the verifiers of all robots are made anew with it, and no secret changes.
 */
export class VerifierKeys {
  /** One object for as long as the process lives. */
  readonly verifiers: Verifiers;
  readonly #of: VerifierKeysOptions;
  readonly #reloads: Reloads<'keys'>;
  readonly #listeners: (() => void)[] = [];
  #keys: ReadonlyMap<number, SecretValue>;
  /** When each came to this process's knowledge, by the clock that never jumps. */
  readonly #knownSince = new Map<number, number>();

  constructor(of: VerifierKeysOptions) {
    this.#of = of;
    this.#keys = of.keys;
    this.verifiers = new Verifiers(of.keys);
    for (const number of of.keys.keys()) this.#knownSince.set(number, Number.NEGATIVE_INFINITY);
    this.#reloads = new Reloads({ load: (_, signal) => this.#load(signal), name: 'verifier keys', log: of.log });
    const key = keyOf({ namespace: of.namespace, name: operatorSecretName });
    of.secrets.onChange(({ before, after }) => {
      const secret = after ?? before;
      if (secret !== undefined && keyOf(secret) === key) this.#reloads.add('keys');
    });
  }

  /** Told after another key makes verifiers: those of all robots are to be looked at. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Keeps up with the operator's Secret until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reloads.run(signal);
  }

  async #load(signal: AbortSignal): Promise<void> {
    const { client, namespace, log, clock } = this.#of;
    const secret = await client.get(secrets, { namespace, name: operatorSecretName }, { signal });
    const { keys, broken } = secret === undefined ? { keys: new Map(), broken: [] } : verifierKeysIn(secret);
    if (broken.length > 0) log.error({ keys: broken }, 'left aside verifier keys that are too short');
    if (keys.size === 0) {
      // What is known goes on being used: robots must not be turned away because of a slip.
      log.error({ secret: operatorSecretName }, 'kept the verifier keys, because the Secret has none');
      return;
    }
    const added = [...keys.keys()].filter(number => !this.#keys.has(number));
    for (const number of added) this.#knownSince.set(number, clock.monotonic());
    this.#keys = keys;
    this.#choose();
    if (added.length > 0) void this.#chooseLater(signal);
  }

  async #chooseLater(signal: AbortSignal): Promise<void> {
    await delay(this.#ahead + 50, signal); // timers may be early by the clock that decides
    if (!signal.aborted) this.#choose();
  }

  get #ahead(): number {
    return this.#of.knownAheadMilliseconds ?? knownAheadMilliseconds;
  }

  /** The highest that has been known for long enough; where none has, the one of before, or what there is. */
  #choose(): void {
    const before = this.verifiers.current;
    const due = this.#of.clock.monotonic() - this.#ahead;
    const numbers = [...this.#keys.keys()];
    const usable = numbers.filter(number => (this.#knownSince.get(number) ?? due) <= due);
    this.verifiers.replaceKeys(this.#keys, Math.max(...(usable.length === 0 ? numbers : usable)));
    const { number, id } = this.verifiers.current;
    if (number === before.number && id === before.id) return;
    this.#of.log.info({ key: number }, 'makes verifiers with another key');
    for (const listener of this.#listeners) listener();
  }
}

/** How many verifiers were made with which key: an old key may go when none names it any more. */
export function addVerifierGauge(
  metrics: Metrics,
  { robots, verifiers }: { robots: Pick<Store<RobotAccount>, 'values'>; verifiers: Verifiers },
): void {
  const help = 'Verifiers of secrets of RobotAccounts by the number of the key that they were made with.';
  metrics.gauge('botmint_verifiers', help, ['key'], () => countedBy(robots.values(), verifiers));
}

function* countedBy(robots: Iterable<RobotAccount>, verifiers: Verifiers): Iterable<Sample<'key'>> {
  const counts = new Map([[String(verifiers.current.number), 0]]);
  for (const { status } of robots) {
    const all = [verifierIn(status?.issued?.inputs), ...(status?.previous ?? []).map(({ verifier }) => verifier)];
    for (const verifier of all.filter(each => each !== undefined)) {
      const key = String(verifiers.numberOf(verifier) ?? 'unknown');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  for (const [key, value] of counts) yield { labels: { key }, value };
}

function verifierIn(inputs: unknown): string | undefined {
  return parseInputs(inputs)?.robot?.verifier;
}
