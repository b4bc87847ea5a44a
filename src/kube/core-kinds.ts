import { SecretValue } from '../base/secret-value.ts';
import { isRecord, type KubeObject, MalformedObject, parseKubeObject, type Resource } from './objects.ts';

/** A Secret that was read whole. Its values are base64 as the API has them, and hidden from everything that prints. */
export interface Secret extends KubeObject {
  type: string;
  data: Readonly<Record<string, SecretValue>>;
}

/** What a metadata-only call answers. */
export type Metadata = KubeObject;

export interface ConfigMap extends KubeObject {
  data: Readonly<Record<string, string>>;
}

/** What botmint reads of a ServiceAccount: the Secrets that its pods pull images with, by name and in order. */
export interface ServiceAccount extends KubeObject {
  imagePullSecrets: readonly string[];
}

export interface Lease extends KubeObject {
  spec: LeaseSpec;
}

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

/** Secrets with their values: for single objects that a spec names, never for a list or a watch. */
export const secrets: Resource<Secret> = { ...core('secrets', 'Secret', true), parse: parseSecret };

/** The same Secrets of which only the metadata is ever asked for. */
export const secretMetadata: Resource<Metadata> = {
  ...core('secrets', 'Secret', true),
  metadataOnly: true,
  parse: parseKubeObject,
};

export const configMaps: Resource<ConfigMap> = { ...core('configmaps', 'ConfigMap', true), parse: parseConfigMap };

export const serviceAccounts: Resource<ServiceAccount> = {
  ...core('serviceaccounts', 'ServiceAccount', true),
  parse: parseServiceAccount,
};

export const namespaces: Resource = { ...core('namespaces', 'Namespace', false), parse: parseKubeObject };

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
  parse: parseLease,
};

export const events: Resource = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
  parse: parseKubeObject,
};

function core(plural: string, kind: string, namespaced: boolean) {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

/** The text under a key of a Secret, or undefined when there is no such key. */
export function secretText(secret: Secret, key: string): SecretValue | undefined {
  const value = Object.hasOwn(secret.data, key) ? secret.data[key] : undefined;
  return value && new SecretValue(Buffer.from(value.reveal(), 'base64').toString('utf8'));
}

function parseSecret(value: unknown): Secret {
  const object = parseKubeObject(value);
  const data: Record<string, SecretValue> = Object.create(null);
  for (const [key, text] of Object.entries(strings(object.data))) data[key] = new SecretValue(text);
  return { ...head(object), type: typeof object.type === 'string' ? object.type : 'Opaque', data };
}

function parseConfigMap(value: unknown): ConfigMap {
  const object = parseKubeObject(value);
  return { ...head(object), data: strings(object.data) };
}

/** Of its metadata only what tells it from others: there is one in every namespace, and a cache may hold them all. */
function parseServiceAccount(value: unknown): ServiceAccount {
  const object = parseKubeObject(value);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const listed = Array.isArray(object.imagePullSecrets) ? object.imagePullSecrets : [];
  return {
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    // One entry for each, so that the places in the list stay what they are.
    imagePullSecrets: listed.map(each => (isRecord(each) && typeof each.name === 'string' ? each.name : '')),
  };
}

function parseLease(value: unknown): Lease {
  const object = parseKubeObject(value);
  const spec = isRecord(object.spec) ? object.spec : {};
  return {
    ...head(object),
    spec: {
      ...text('holderIdentity', spec.holderIdentity),
      ...text('acquireTime', spec.acquireTime),
      ...text('renewTime', spec.renewTime),
      ...number('leaseDurationSeconds', spec.leaseDurationSeconds),
      ...number('leaseTransitions', spec.leaseTransitions),
    },
  };
}

function head({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata };
}

function text<K extends string>(key: K, value: unknown): Partial<Record<K, string>> {
  return typeof value === 'string' ? record(key, value) : {};
}

function number<K extends string>(key: K, value: unknown): Partial<Record<K, number>> {
  return typeof value === 'number' ? record(key, value) : {};
}

function record<K extends string, V>(key: K, value: V): Partial<Record<K, V>> {
  const one: Partial<Record<K, V>> = {};
  one[key] = value;
  return one;
}

function strings(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (isRecord(value) && isStrings(value)) return value;
  throw new MalformedObject('data that is not a map of strings');
}

function isStrings(value: Record<string, unknown>): value is Record<string, string> {
  return Object.values(value).every(each => typeof each === 'string');
}
