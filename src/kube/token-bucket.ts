/** Lets a burst through and then so many a second. Reads no clock: times are monotonic milliseconds. */
export class TokenBucket {
  readonly #perMillisecond: number;
  readonly #burst: number;
  #tokens: number;
  #at = Number.NEGATIVE_INFINITY;

  constructor(of: { perSecond: number; burst: number }) {
    this.#perMillisecond = of.perSecond / 1000;
    this.#burst = of.burst;
    this.#tokens = of.burst;
  }

  /** Takes a token, also one that is not there yet: ask `wait` before. */
  take(now: number): void {
    this.#fill(now);
    this.#tokens--;
  }

  /** Milliseconds until a token is there; 0 for now. */
  wait(now: number): number {
    this.#fill(now);
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMillisecond;
  }

  #fill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMillisecond);
    this.#at = now;
  }
}
