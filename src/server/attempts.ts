import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { AttemptLimit } from '../issuers/registry/log-ins.ts';

/** How many failures are let through at once, and how many a second from then on. */
interface Allowance {
  burst: number;
  perSecond: number;
}

/** One account, from wherever: 86,400 guesses a day at a secret with at least 8 characters of three kinds are none. */
export const ofAccount: Allowance = { burst: 60, perSecond: 1 };
/** One address, whatever the account: behind one address may stand a whole cluster, one of whose pods has an old secret. */
export const ofAddress: Allowance = { burst: 120, perSecond: 4 };
/** So many slots has a table: half a MiB. */
const slots = 65_536;

/**
 * Counts attempts to log in per account and per address. An account that does not exist is counted as if it did. Reads no clock:
 * times are monotonic milliseconds.
 *
 * Nothing is kept by its name, so nothing has to be forgotten for want of room: a name has the slot of a table that a MAC under a key of this process
 * gives it. Two names may have the same, one pair in 65,536, and then share an allowance; nobody can find out for which, or choose it.
 */
export class Attempts {
  readonly #accounts = new Allowances(ofAccount);
  readonly #networks = new Allowances(ofAddress);

  /** `account` is the name that was shown, within the issuer. Costs nothing until it is asked. */
  limit(account: string, address: string, now: number): AttemptLimit {
    return {
      take: () => this.#take(this.#accounts.slotOf(account), this.#networks.slotOf(networkOf(address)), now),
      giveBack: () => {
        this.#accounts.giveBack(this.#accounts.slotOf(account));
        this.#networks.giveBack(this.#networks.slotOf(networkOf(address)));
      },
    };
  }

  #take(account: number, network: number, now: number): number | undefined {
    const wait = Math.max(this.#accounts.wait(account, now), this.#networks.wait(network, now));
    if (wait > 0) return Math.ceil(wait / 1000);
    this.#accounts.take(account, now);
    this.#networks.take(network, now);
    return undefined;
  }
}

class Allowances {
  readonly #key = createSecretKey(randomBytes(32));
  /** When each slot will have its whole allowance again; in the past for one that has it. */
  readonly #wholeAt = new Float64Array(slots);
  readonly #burst: number;
  /** Milliseconds until one more is allowed. */
  readonly #each: number;

  constructor({ burst, perSecond }: Allowance) {
    this.#burst = burst;
    this.#each = 1000 / perSecond;
  }

  slotOf(name: string): number {
    return createHmac('sha256', this.#key).update(name).digest().readUInt32BE() % slots;
  }

  /** Milliseconds until an attempt is allowed; none or less for now. */
  wait(slot: number, now: number): number {
    return this.#at(slot) - now - (this.#burst - 1) * this.#each;
  }

  take(slot: number, now: number): void {
    this.#wholeAt[slot] = Math.max(now, this.#at(slot)) + this.#each;
  }

  giveBack(slot: number): void {
    this.#wholeAt[slot] = this.#at(slot) - this.#each;
  }

  #at(slot: number): number {
    return this.#wholeAt[slot] ?? 0;
  }
}

/** A customer of an IPv6 provider has a /64 at least, and could show another address each time. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [left = '', right] = address.split('%')[0]?.split('::') ?? [];
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
