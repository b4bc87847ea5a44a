import { createHash } from 'node:crypto';
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
/**
 * So many accounts and so many addresses are remembered, the ones that were quiet for longest go first. Whoever wants one of
 * them forgotten has to make as many attempts as would have been let through in that time anyway.
 */
const mostRemembered = 8192;

/**
 * Counts attempts to log in per account and per address. An account that does not exist is counted as if it did. Reads no
 * clock: times are monotonic milliseconds.
 */
export class Attempts {
  readonly #accounts = new Buckets(ofAccount);
  readonly #addresses = new Buckets(ofAddress);

  /** `account` is the name that was shown, within the issuer. */
  limit(account: string, address: string, now: number): AttemptLimit {
    return {
      take: () => this.#take(keyOf(account), networkOf(address), now),
      giveBack: () => {
        this.#accounts.giveBack(keyOf(account));
        this.#addresses.giveBack(networkOf(address));
      },
    };
  }

  #take(account: string, network: string, now: number): number | undefined {
    const wait = Math.max(this.#accounts.wait(account, now), this.#addresses.wait(network, now));
    if (wait > 0) return Math.ceil(wait / 1000);
    this.#accounts.take(account, now);
    this.#addresses.take(network, now);
    return undefined;
  }

  /** For tests of the bound on memory. */
  get remembered(): number {
    return this.#accounts.size + this.#addresses.size;
  }
}

class Buckets {
  readonly #allowance: Allowance;
  /** In the order in which they were last asked for, also in vain. What is not in it is full. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Milliseconds until an attempt is allowed; 0 for now. */
  wait(key: string, now: number): number {
    const tokens = this.#tokens(key, now);
    return tokens >= 1 ? 0 : ((1 - tokens) / this.#allowance.perSecond) * 1000;
  }

  take(key: string, now: number): void {
    const tokens = this.#tokens(key, now) - 1;
    this.#buckets.set(key, { tokens, at: now });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= mostRemembered) return;
      this.#buckets.delete(oldest);
    }
  }

  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#allowance.burst, bucket.tokens + 1);
  }

  #tokens(key: string, now: number): number {
    const { burst, perSecond } = this.#allowance;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return burst;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket); // to the end of the order
    return Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
  }
}

/** A digest: a name may be as long as a header, and a part of a string keeps the whole of it in memory, the secret included. */
function keyOf(account: string): string {
  return createHash('sha256').update(account).digest('base64url');
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
