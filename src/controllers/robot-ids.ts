import { managedRobotIDs } from '../api/names.ts';
import type { Client } from '../kube/client.ts';
import { type ConfigMap, configMaps } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { issuerOwned } from './issuer-owned.ts';
import { Unsettled } from './world.ts';

/**
 * So many numbers a process reserves at first; what is left of them when it ends are gaps. Each further range is twice as large,
 * up to a bound: many robots that are made at once wait for few reservations, and the gap is never larger than what was given.
 */
const firstSize = 10;
const largestSize = 80;
/**
 * Where the counter was lost, so many numbers are left out: others may hold ranges of which no robot shows anything yet, and the
 * caches may lag behind.
 */
const leftOutAfterLoss = 10_000;
/** Ranges that others reserve at the same moment are no reason to go on for ever. */
const mostAttempts = 20;
/** For the calls of one reservation. Whoever waits for it goes on waiting when one of them is aborted. */
const reserveMilliseconds = 30_000;

const counterKey = 'next';

/** A range that this process holds: the number to give next, and the first one behind the range. */
interface Range {
  next: number;
  end: number;
  size: number;
}

interface Issuer {
  name: string;
  uid: string;
}

/**
 * Gives each robot of an issuer a number that no other one ever had or will have, in ascending order but for gaps. A range is
 * reserved in the API server, by a counter that only ever goes up, before the first number of it is given; each is given once in
 * this process. So neither another operator nor a restart can give it again.
 */
export class RobotIDs {
  readonly #client: Pick<Client, 'get' | 'create' | 'patch'>;
  readonly #namespace: string;
  /** By the issuer's UID. One that is used up stays: nothing is reserved below it. */
  readonly #ranges = new Map<string, Range>();
  readonly #reserving = new Map<string, Promise<boolean>>();

  constructor(o: { client: Pick<Client, 'get' | 'create' | 'patch'>; namespace: string }) {
    this.#client = o.client;
    this.#namespace = o.namespace;
  }

  /** A number for a new robot. Writes only where the range is used up. `used`: the numbers that robots of this issuer are known to have. */
  async take(issuer: Issuer, used: () => Iterable<number>, signal: AbortSignal): Promise<number> {
    const { name, uid } = issuer;
    for (let failures = 0; failures < mostAttempts; ) {
      signal.throwIfAborted();
      const range = this.#ranges.get(uid);
      if (range !== undefined && range.next < range.end) return range.next++;
      // Whoever comes while a range is being reserved waits for the same one.
      const reserving =
        this.#reserving.get(uid) ?? this.#reserve(issuer, used).finally(() => this.#reserving.delete(uid));
      this.#reserving.set(uid, reserving);
      if (!(await reserving)) failures++;
    }
    throw new Unsettled(`ClusterTokenIssuer ${name}: no range of robot numbers could be reserved`);
  }

  /** One attempt. False when somebody else was faster: the range stays used up. */
  async #reserve(issuer: Issuer, used: () => Iterable<number>): Promise<boolean> {
    const signal = AbortSignal.timeout(reserveMilliseconds);
    const counter = await this.#client.get(configMaps, this.#refOf(issuer), { signal });
    const start = this.#startOf(issuer, counter, used);
    const before = this.#ranges.get(issuer.uid);
    const size = before === undefined ? firstSize : Math.min(2 * before.size, largestSize);
    const end = start + size;
    const data = { [counterKey]: String(end) };
    try {
      if (counter === undefined) await this.#client.create(configMaps, this.#counterOf(issuer, data), { signal });
      else {
        const { resourceVersion } = counter.metadata;
        await this.#client.patch(configMaps, counter.metadata, { data }, { signal, resourceVersion });
      }
      this.#ranges.set(issuer.uid, { next: start, end, size });
      return true;
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error) && !(counter !== undefined && isNotFound(error))) throw error;
      return false;
    }
  }

  /** Above everything that is known, whatever somebody did to the counter. */
  #startOf({ uid }: Issuer, counter: ConfigMap | undefined, used: () => Iterable<number>): number {
    let highest = (this.#ranges.get(uid)?.end ?? 1) - 1;
    for (const number of used()) highest = Math.max(highest, number);
    const counted = counter === undefined ? undefined : countedBy(counter);
    // A first robot finds neither a counter nor any number. Beyond that, only a hand brings a counter below what was given.
    if (counter === undefined && highest === 0) return 1;
    return counted === undefined || counted <= highest ? highest + 1 + leftOutAfterLoss : counted;
  }

  #refOf({ uid }: Issuer) {
    return { name: `botmint-robot-ids-${uid}`, namespace: this.#namespace };
  }

  #counterOf(issuer: Issuer, data: { [key: string]: string }) {
    const metadata = { ...this.#refOf(issuer), ...issuerOwned(issuer, managedRobotIDs) };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
  }
}

/** Undefined where somebody edited it into something that is no number. */
function countedBy({ data }: ConfigMap): number | undefined {
  const text = data[counterKey] ?? '';
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
