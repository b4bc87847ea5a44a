import { parseInputs } from '../api/inputs.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import type { Clock } from '../base/clock.ts';
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
  #known: ReadonlyMap<number, Known>;
  #lastRead: Promise<void> = Promise.resolve();

  constructor(of: VerifierKeysOptions) {
    this.#of = of;
    this.#known = new Map([...of.keys].map(([number, key]) => [number, { key, since: Number.NEGATIVE_INFINITY }]));
    this.verifiers = new Verifiers(of.keys);
    this.#reloads = new Reloads({ load: (_, signal) => this.refresh(signal), name: 'verifier keys', log: of.log });
    const key = keyOf({ namespace: of.namespace, name: operatorSecretName });
    of.secrets.onChange(({ before, after }) => {
      const secret = after ?? before;
      if (secret !== undefined && keyOf(secret) === key) this.#reloads.add('keys');
    });
  }

  /** Told after keys have come or gone, or another one makes verifiers: those of all robots are to be looked at. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Keeps up with the operator's Secret until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reloads.run(signal);
  }

  /**
   * Reads the keys live. A key is in the Secret before anything is made with it: what was made with none of these was made with
   * one that is gone. One read after another, so that what is older never has the last word.
   */
  refresh(signal: AbortSignal): Promise<void> {
    const read = this.#lastRead.then(() => this.#read(signal));
    this.#lastRead = read.catch(() => {});
    return read;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { client, namespace, log, clock } = this.#of;
    const secret = await client.get(secrets, { namespace, name: operatorSecretName }, { signal });
    const { keys, broken } = secret === undefined ? { keys: new Map(), broken: [] } : verifierKeysIn(secret);
    if (broken.length > 0) log.error({ keys: broken }, 'left aside verifier keys that are too short');
    if (keys.size === 0) {
      // What is known goes on being used: robots must not be turned away because of a slip.
      log.error({ secret: operatorSecretName }, 'kept the verifier keys, because the Secret has none');
      return;
    }
    const before = this.#known;
    const now = clock.monotonic();
    const known = [...keys].map(
      ([number, key]) => [number, sameKey(before.get(number), key) ?? { key, since: now }] as const,
    );
    if (known.length === before.size && known.every(([number, each]) => before.get(number) === each)) return;
    this.#known = new Map(known);
    this.#choose();
    this.#tell();
    if (!known.some(([, { since }]) => since === now)) return;
    // Timers may be early by the clock that decides.
    setTimeout(() => this.#choose() && this.#tell(), this.#ahead + 50).unref();
  }

  get #ahead(): number {
    return this.#of.knownAheadMilliseconds ?? knownAheadMilliseconds;
  }

  /** The highest that has been known for long enough makes verifiers; where none has, the highest. True where it is another one. */
  #choose(): boolean {
    const before = this.verifiers.current;
    const due = this.#of.clock.monotonic() - this.#ahead;
    const all = [...this.#known];
    const usable = all.filter(([, { since }]) => since <= due);
    const numbers = (usable.length === 0 ? all : usable).map(([number]) => number);
    this.verifiers.replaceKeys(new Map(all.map(([number, { key }]) => [number, key])), Math.max(...numbers));
    const { number, id } = this.verifiers.current;
    if (id === before.id) return false;
    this.#of.log.info({ key: number }, 'makes verifiers with another key');
    return true;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** A key, and when it came to this process's knowledge, by the clock that never jumps. */
interface Known {
  key: SecretValue;
  since: number;
}

function sameKey(known: Known | undefined, key: SecretValue): Known | undefined {
  return known?.key.reveal() === key.reveal() ? known : undefined;
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
