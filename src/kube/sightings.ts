import { compareVersions } from './objects.ts';

/** What an election reads of a Lease. */
export interface LeaseView {
  name: string;
  uid: string;
  resourceVersion: string;
  /** Empty when nobody holds it. */
  holder: string;
  /** The duration that its holder has promised to others. */
  leaseSeconds: number;
}

/**
 * The newest known state of each Lease, and since when it has been seen unchanged, by this process's monotonic clock.
 * Answers and lists may come in any order: what is older than the known never replaces it.
 */
export class Sightings {
  readonly #leases = new Map<string, LeaseView>();
  readonly #since = new Map<string, number>();
  readonly #leaseSeconds: number;

  constructor(leaseSeconds: number) {
    this.#leaseSeconds = leaseSeconds;
  }

  get(name: string): LeaseView | undefined {
    return this.#leases.get(name);
  }

  values(): readonly LeaseView[] {
    return [...this.#leases.values()];
  }

  see(lease: LeaseView, now: number): void {
    const known = this.#leases.get(lease.name);
    if (known !== undefined && compareVersions(lease.resourceVersion, known.resourceVersion) <= 0) return;
    this.#leases.set(lease.name, lease);
    this.#since.set(lease.name, now);
  }

  /** A consistent list: what is older than it and not in it is gone. */
  list(leases: readonly LeaseView[], resourceVersion: string, now: number): void {
    const names = new Set(leases.map(lease => lease.name));
    for (const lease of leases) this.see(lease, now);
    for (const known of this.values()) {
      if (!names.has(known.name) && compareVersions(known.resourceVersion, resourceVersion) <= 0) {
        this.vanished(known.name, now);
      }
    }
    this.#forget(now);
  }

  vanished(name: string, now: number): void {
    if (this.#leases.delete(name)) this.#since.set(name, now);
  }

  /**
   * Whether it has been seen unchanged, or absent, for so many times its duration. For what was never seen and never asked
   * about, the time begins now. A replica of another version may have promised more than our own duration.
   */
  isSilent(name: string, now: number, times = 1): boolean {
    const since = this.#since.get(name) ?? now;
    this.#since.set(name, since);
    const seconds = Math.max(this.#leaseSeconds, this.#leases.get(name)?.leaseSeconds ?? 0);
    return now - since >= times * seconds * 1000;
  }

  /** Whether it was ever seen, or asked about, within the last hour. */
  isKnown(name: string): boolean {
    return this.#since.has(name);
  }

  #forget(now: number): void {
    for (const [name, since] of this.#since) {
      if (!this.#leases.has(name) && now - since > forgetMilliseconds) this.#since.delete(name);
    }
  }
}

/** What was absent for so long is of no interest; replicas come and go under ever new names. */
const forgetMilliseconds = 3_600_000;
