import { randomBytes, randomUUID } from 'node:crypto';
import * as z from 'zod';
import { managedLabel, managedOperator } from '../api/names.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Client } from '../kube/client.ts';
import { configMaps, type Secret, secrets, secretText } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict } from '../kube/errors.ts';
import type { KubeObject, Resource } from '../kube/objects.ts';
import { firstVerifierKeyName, verifierKeysIn } from './verifier-keys-in.ts';

const configMapName = 'botmint';
/** The Secret with the keys of the operator itself. */
export const operatorSecretName = 'botmint-operator';
const digestKeyName = 'digest.key';

/** What all replicas and all later starts share. It is made once, at the very first start. */
export interface Installation {
  /** Tells this cluster's marks at a backend from another cluster's. */
  clusterID: string;
  /** Into how many shards the work is split. Recorded, because replicas that disagree would both own the same object. */
  shards: number;
  /** For the digests by which an edited Secret is noticed. */
  digestKey: SecretValue;
  /** What verifiers of robots' secrets are made with, by number: the highest makes new ones, the others are only known. */
  verifierKeys: ReadonlyMap<number, SecretValue>;
}

const ConfigData = z.object({ clusterID: z.uuid(), shards: z.coerce.number().int().min(1).max(256) });

/** Reads what the first start has made, or makes it. Any number of operators may do this at once: whoever comes second reads. */
export async function ensureInstallation(
  client: Client,
  namespace: string,
  shards: number,
  signal: AbortSignal,
): Promise<Installation> {
  const config = await once(client, configMaps, signal, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: configMapName, namespace },
    data: { clusterID: randomUUID(), shards: String(shards) },
  });
  const secret = await once(client, secrets, signal, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: operatorSecretName, namespace, labels: { [managedLabel]: managedOperator } },
    type: 'Opaque',
    data: { [digestKeyName]: newKey(), [firstVerifierKeyName]: newKey() },
  });
  const parsed = ConfigData.safeParse(config.data);
  if (!parsed.success)
    throw new Error(`ConfigMap ${namespace}/${configMapName} is not as botmint wrote it: restore clusterID and shards`);
  const digestKey = secretText(secret, digestKeyName);
  if (digestKey === undefined)
    throw new Error(
      `Secret ${namespace}/${operatorSecretName} lacks the key ${digestKeyName}: restore it, or delete the Secret`,
    );
  return { ...parsed.data, digestKey, verifierKeys: await ensureVerifierKeys(client, secret, signal) };
}

/** An installation of an earlier version gets its first key. Of several operators that do so one is believed: by the resourceVersion. */
async function ensureVerifierKeys(
  client: Client,
  secret: Secret,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, SecretValue>> {
  const { namespace, name, resourceVersion } = secret.metadata;
  const { keys, broken } = verifierKeysIn(secret);
  if (keys.size > 0) return keys;
  if (broken.length > 0)
    throw new Error(`Secret ${namespace}/${name} holds no verifier key: restore ${broken.join(', ')}`);
  try {
    const body = { data: { [firstVerifierKeyName]: newKey() } };
    return verifierKeysIn(await client.patch(secrets, secret.metadata, body, { signal, resourceVersion })).keys;
  } catch (error) {
    if (!isConflict(error)) throw error;
    const now = await client.get(secrets, secret.metadata, { signal });
    if (now === undefined) throw new Error(`Secret ${namespace}/${name} was deleted while botmint started`);
    return ensureVerifierKeys(client, now, signal);
  }
}

function newKey(): string {
  return randomBytes(32).toString('base64');
}

async function once<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  signal: AbortSignal,
  wanted: { metadata: { name: string; namespace: string; labels?: object }; [field: string]: unknown },
): Promise<T> {
  const there = await client.get(resource, wanted.metadata, { signal });
  if (there !== undefined) return there;
  try {
    return await client.create(resource, wanted, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return once(client, resource, signal, wanted);
  }
}
