import { managedLabel, managedOperator } from '../api/names.ts';
import type { Pair } from '../base/certificates.ts';
import type { Clock } from '../base/clock.ts';
import { unreachable } from '../base/errors.ts';
import type { Client } from '../kube/client.ts';
import { configMaps, type Secret, secrets } from '../kube/core-kinds.ts';
import {
  type Authority,
  authoritySecretName,
  bundleConfigMapName,
  bundleKey,
  crossKey,
  type Plan,
  previousKey,
  type Seen,
  servingNames,
  servingSecretName,
} from './certificate-plan.ts';

/** A plan that asks for a write. */
export type Step = Exclude<Plan, { do: 'nothing' | 'give-up' }>;

/** Where the objects are. */
export interface Surroundings {
  client: Pick<Client, 'get' | 'create' | 'patch' | 'apply'>;
  /** The operator's own. */
  namespace: string;
  clock: Clock;
}

/** Reads and writes the objects that hold the operator's certificates; decides nothing. */
export class CertificateObjects {
  readonly #on: Surroundings;

  constructor(on: Surroundings) {
    this.#on = on;
  }

  async observe(signal: AbortSignal): Promise<Seen> {
    const { client, namespace } = this.#on;
    const [serving, authority, bundle] = await Promise.all([
      client.get(secrets, { namespace, name: servingSecretName }, { signal }),
      client.get(secrets, { namespace, name: authoritySecretName }, { signal }),
      client.get(configMaps, { namespace, name: bundleConfigMapName }, { signal }),
    ]);
    return { serving, authority, bundle };
  }

  /** Carries the step out, once. Throws what the API server refuses. */
  async act(plan: Step, signal: AbortSignal): Promise<void> {
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
    const made = await makeAuthority(this.#on.clock.now(), predecessor);
    return { ...pairData(made), [previousKey]: encode(predecessor?.certificate), [crossKey]: encode(made.cross) };
  }

  async #makeServing(authority: Authority): Promise<SecretData> {
    const { makeServing } = await loadMaker();
    return pairData(await makeServing(authority, servingNames(this.#on.namespace), this.#on.clock.now()));
  }

  async #create(name: string, given: SecretData, signal: AbortSignal): Promise<void> {
    const data = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
    const metadata = { namespace: this.#on.namespace, name, labels: { [managedLabel]: managedOperator } };
    const type = 'kubernetes.io/tls';
    await this.#on.client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, type, data }, { signal });
  }

  async #replace(secret: Secret, data: SecretData, signal: AbortSignal): Promise<void> {
    const { namespace, name, resourceVersion } = secret.metadata;
    await this.#on.client.patch(secrets, { namespace, name }, { data }, { signal, resourceVersion });
  }

  /** Applied, not created: whoever edits the bundle or takes it away gets it back as it was. */
  async #publish(bundle: string, signal: AbortSignal): Promise<void> {
    const { client, namespace } = this.#on;
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
