import { managedLabel, managedOperator } from '../api/names.ts';
import { type Clock, delay } from '../base/clock.ts';
import { unreachable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Client } from '../kube/client.ts';
import { configMaps, type Secret, secrets } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict } from '../kube/errors.ts';
import {
  type Authority,
  authoritySecretName,
  bundleConfigMapName,
  bundleKey,
  crossKey,
  isOver,
  type Plan,
  planCertificates,
  previousKey,
  readPair,
  type Seen,
  type ServingNames,
  servingNames,
  servingSecretName,
  type Usable,
} from './certificate-plan.ts';
import type { Pair } from './certificates.ts';

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

export interface ServingCertificatesOptions {
  client: Pick<Client, 'get' | 'create' | 'patch' | 'apply'>;
  /** The operator's own. */
  namespace: string;
  clock: Clock;
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
  readonly #names: ServingNames;
  readonly #listeners = new Set<(certificate: ServingCertificate) => void>();
  #current: Usable | undefined;
  #lastSeen: string | undefined;
  #lastTrouble: string | undefined;

  constructor(options: ServingCertificatesOptions) {
    this.#options = options;
    this.#names = servingNames(options.namespace);
    options.metrics.gauge(
      'botmint_tls_certificate_expiry_seconds',
      'Unix time at which the certificate of the TLS endpoints ends.',
      [],
      () => (this.#current ? [{ labels: {}, value: this.#current.leaf.validToDate.getTime() / 1000 }] : []),
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
      const seen = await this.#observe(signal);
      if (seen.serving !== undefined) this.#take(seen.serving);
      const plan = planCertificates(seen, this.#names, this.#options.clock.now());
      if (plan.do === 'nothing') return;
      if (plan.do === 'give-up') throw new Error(plan.because);
      await this.#tryTo(plan, signal);
    }
    throw new Error('the certificates of the operator are changed by somebody again and again');
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

  async #observe(signal: AbortSignal): Promise<Seen> {
    const { client, namespace } = this.#options;
    const [serving, authority, bundle] = await Promise.all([
      client.get(secrets, { namespace, name: servingSecretName }, { signal }),
      client.get(secrets, { namespace, name: authoritySecretName }, { signal }),
      client.get(configMaps, { namespace, name: bundleConfigMapName }, { signal }),
    ]);
    return { serving, authority, bundle };
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
  async #tryTo(plan: Exclude<Plan, { do: 'nothing' | 'give-up' }>, signal: AbortSignal): Promise<void> {
    try {
      await this.#act(plan, signal);
      this.#options.log.info({ step: plan.do }, 'tls certificate step done');
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
    }
  }

  async #act(plan: Exclude<Plan, { do: 'nothing' | 'give-up' }>, signal: AbortSignal): Promise<void> {
    switch (plan.do) {
      case 'make-authority':
        return this.#create(authoritySecretName, await this.#makeAuthority(undefined), signal);
      case 'renew-authority':
        return this.#replace(plan.secret, await this.#makeAuthority(plan.predecessor), signal);
      case 'publish':
        return this.#publish(plan.bundle, signal);
      case 'make-serving':
        return this.#create(servingSecretName, await this.#makeServing(plan.authority), signal);
      case 'renew-serving':
        return this.#replace(plan.secret, await this.#makeServing(plan.authority), signal);
      default:
        return unreachable(plan);
    }
  }

  async #makeAuthority(predecessor: Authority | undefined): Promise<SecretData> {
    const { makeAuthority } = await loadMaker();
    const made = await makeAuthority(this.#options.clock.now(), predecessor);
    return { ...pairData(made), [previousKey]: encode(predecessor?.certificate), [crossKey]: encode(made.cross) };
  }

  async #makeServing(authority: Authority): Promise<SecretData> {
    const { makeServing } = await loadMaker();
    return pairData(await makeServing(authority, this.#names, this.#options.clock.now()));
  }

  async #create(name: string, given: SecretData, signal: AbortSignal): Promise<void> {
    const data = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
    const metadata = { namespace: this.#options.namespace, name, labels: { [managedLabel]: managedOperator } };
    const type = 'kubernetes.io/tls';
    await this.#options.client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, type, data }, { signal });
  }

  async #replace(secret: Secret, data: SecretData, signal: AbortSignal): Promise<void> {
    const { namespace, name, resourceVersion } = secret.metadata;
    await this.#options.client.patch(secrets, { namespace, name }, { data }, { signal, resourceVersion });
  }

  /** Applied, not created: whoever edits the bundle or takes it away gets it back as it was. */
  async #publish(bundle: string, signal: AbortSignal): Promise<void> {
    const { client, namespace } = this.#options;
    const metadata = { namespace, name: bundleConfigMapName, labels: { [managedLabel]: managedOperator } };
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [bundleKey]: bundle } };
    await client.apply(configMaps, object, { signal, force: true });
  }
}

/** Base64 by key. In a merge patch null takes a key away; a new object is made without it. */
type SecretData = Record<string, string | null>;

/** Loaded when it is needed, because the library is heavy and a running installation hardly ever needs it. */
function loadMaker() {
  return import('./certificates.ts');
}

function pairData(pair: Pair): SecretData {
  return { 'tls.crt': base64(pair.certificate), 'tls.key': base64(pair.key.reveal()) };
}

function encode(text: string | undefined): string | null {
  return text === undefined ? null : base64(text);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
