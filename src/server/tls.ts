import { delay } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics, Sample } from '../base/metrics.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Secret } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict } from '../kube/errors.ts';
import { CertificateObjects, type Step, type Surroundings } from './certificate-objects.ts';
import {
  isOver,
  planCertificates,
  readPair,
  type ServingNames,
  servingNames,
  servingSecretName,
  type Usable,
} from './certificate-plan.ts';

/** A certificate with its chain (PEM) and its private key (PEM): what a TLS server is given. */
export interface ServingCertificate {
  readonly certificate: string;
  readonly key: SecretValue;
}

/** The certificate of the moment, for a server that reloads it. */
export interface CertificateSource {
  readonly current: ServingCertificate | undefined;
  /** Told after each change. */
  onChange(listener: (certificate: ServingCertificate) => void): void;
}

export interface ServingCertificatesOptions extends Surroundings {
  log: Log;
  metrics: Metrics;
  /** From 0 up to 1; spreads the replicas. */
  random?: () => number;
}

/** How often a replaced certificate is looked for. The user's Secret lacks our label, so the watch does not show it. */
const pollMilliseconds = 60_000;
/** More than any chain of steps that follow from each other; beyond it somebody keeps undoing what we do. */
const maxSteps = 10;

/**
 * Keeps a certificate at hand for the TLS endpoints: the one in the Secret botmint-tls, whoever made it. Where there is
 * none it makes a CA and a certificate, publishes the CA, and renews both in time. Any number of replicas may do so at
 * once: every write is a POST or carries the resourceVersion that was read, and the loser takes the winner's.
 */
export class ServingCertificates implements CertificateSource {
  readonly #options: ServingCertificatesOptions;
  readonly #objects: CertificateObjects;
  readonly #names: ServingNames;
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  #current: Usable | undefined;
  #lastSeen: string | undefined;
  #lastTrouble: string | undefined;

  constructor(options: ServingCertificatesOptions) {
    this.#options = options;
    this.#names = servingNames(options.namespace);
    this.#objects = new CertificateObjects(options);
    options.metrics.gauge(
      'botmint_tls_certificate_expiry_timestamp_seconds',
      'Unix time at which the certificate of the TLS endpoints ends.',
      ['secret'],
      () => this.#samples(),
    );
  }

  /** Undefined until there is one that can be used. */
  get current(): ServingCertificate | undefined {
    return this.#current;
  }

  onChange(listener: (certificate: ServingCertificate) => void): void {
    this.#listeners.add(listener);
  }

  /** Checks now, and then once a minute, sooner after a failure, until the signal aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { random = Math.random } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      failures = (await this.#attempt(signal)) ? 0 : failures + 1;
      const base = failures === 0 ? pollMilliseconds : Math.min(pollMilliseconds, 500 * 2 ** Math.min(failures, 8));
      await delay(base * (0.9 + 0.2 * random()), signal);
    }
  }

  /** Brings the three objects in order, and takes over the certificate. Throws what the API server refuses. */
  async check(signal: AbortSignal): Promise<void> {
    for (let step = 0; step < maxSteps; step++) {
      const seen = await this.#objects.observe(signal);
      if (seen.serving !== undefined) this.#take(seen.serving);
      const plan = planCertificates(seen, this.#names, this.#options.clock.now());
      if (plan.do === 'nothing') return;
      if (plan.do === 'give-up') throw new Error(plan.because);
      await this.#tryTo(plan, signal);
    }
    throw new Error('the certificates of the operator are changed by somebody again and again');
  }

  *#samples(): Generator<Sample<'secret'>> {
    const end = this.#current?.leaf.validToDate.getTime();
    if (end !== undefined) yield { labels: { secret: servingSecretName }, value: end / 1000 };
  }

  async #attempt(signal: AbortSignal): Promise<boolean> {
    try {
      await this.check(signal);
      this.#lastTrouble = undefined;
      return true;
    } catch (error) {
      if (!signal.aborted) this.#report(error);
      return false;
    }
  }

  /** The same trouble is told once, not every minute. */
  #report(err: unknown): void {
    const trouble = err instanceof Error ? err.message : 'unknown';
    if (trouble !== this.#lastTrouble) this.#options.log.warn({ err }, 'tls certificate not checked');
    this.#lastTrouble = trouble;
  }

  /** A broken certificate never replaces one that works, nor does an expired one. */
  #take(secret: Secret): void {
    const { resourceVersion } = secret.metadata;
    if (resourceVersion === this.#lastSeen) return;
    this.#lastSeen = resourceVersion;
    const { log, clock } = this.#options;
    const pair = readPair(secret);
    if (pair.state === 'unusable') {
      log.error({ secret: servingSecretName, because: pair.because }, 'tls certificate unusable');
      return;
    }
    const expiresAt = pair.leaf.validToDate.toISOString();
    if (isOver(pair.leaf, clock.now())) log.error({ secret: servingSecretName, expiresAt }, 'tls certificate expired');
    if (this.#current !== undefined && isOver(pair.leaf, clock.now())) return;
    this.#current = pair;
    log.info({ secret: servingSecretName, issuer: pair.leaf.issuer, expiresAt }, 'tls certificate loaded');
    for (const listener of this.#listeners) listener(pair);
  }

  /** Whoever was faster has done the same: the next look finds it. */
  async #tryTo(plan: Step, signal: AbortSignal): Promise<void> {
    try {
      await this.#objects.act(plan, signal);
      this.#options.log.info({ step: plan.do }, 'tls certificate step done');
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
    }
  }
}
