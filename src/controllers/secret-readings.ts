import type { Credentialed } from '../api/credentialed.ts';
import { ownerAnnotation, ownerUIDAnnotation } from '../api/names.ts';
import { SecretValue } from '../base/secret-value.ts';
import { knownRecord, recordOf } from '../decide/credential-record.ts';
import type { SecretSeen } from '../decide/credential-seen.ts';
import { digestOf } from '../decide/digest.ts';
import type { Metadata, Secret } from '../kube/core-kinds.ts';

/** What a Secret's data was known to be at one resourceVersion: by its digest, never by its values. */
interface Reading {
  resourceVersion: string;
  digest: string;
  keys: readonly string[];
}

/**
 * Which contents of our Secrets have been read or written since the start. What the record knows already is not kept, so
 * at rest this is empty; without it a Secret whose metadata somebody touched would be read again at every look.
 */
export class SecretReadings {
  readonly #byUID = new Map<string, Reading>();

  remember(metadata: Metadata, digest: string, keys: Iterable<string>): void {
    const { uid, resourceVersion } = metadata.metadata;
    this.#byUID.set(uid, { resourceVersion, digest, keys: [...keys] });
  }

  forget(uid: string): void {
    this.#byUID.delete(uid);
  }

  /** The keys that the Secret's data is known to have. */
  keys(uid: string, object: Credentialed): readonly string[] {
    const recorded = knownRecord(object)?.inputs.secret.data.map(({ key }) => key) ?? [];
    return [...new Set([...recorded, ...(this.#byUID.get(uid)?.keys ?? [])])];
  }

  /** How a Secret looks to an object: whose it is, and what is known of its content. `confirmed`: by a live read. */
  seen(object: Credentialed, secret: Metadata, confirmed: boolean): SecretSeen {
    const { metadata } = secret;
    const { uid, resourceVersion } = metadata;
    const record = recordOf(object);
    const recorded = record !== undefined && record !== 'unknown' && record.secretUID === uid ? record : undefined;
    const owner = metadata.annotations?.[ownerUIDAnnotation];
    if (owner !== undefined && owner !== object.metadata.uid) {
      const holder = metadata.annotations?.[ownerAnnotation] ?? `UID ${owner}`;
      return { state: 'held', confirmed, owner: holder, uid, resourceVersion };
    }
    const referred = metadata.ownerReferences?.some(reference => reference.uid === object.metadata.uid) === true;
    if (owner === undefined && !referred && recorded === undefined) return { state: 'foreign', confirmed };
    if (recorded?.resourceVersion === resourceVersion) this.#byUID.delete(uid);
    const reading = this.#byUID.get(uid);
    const read = reading?.resourceVersion === resourceVersion ? reading.digest : undefined;
    const digest = recorded?.resourceVersion === resourceVersion ? recorded.inputs.digest : read;
    return { state: 'ours', uid, resourceVersion, metadata, digest, unreadable: false };
  }
}

/** The values of a Secret, decoded. They live as long as the reconcile that needs them. */
export function dataOf(secret: Secret): ReadonlyMap<string, SecretValue> {
  const entries = Object.entries(secret.data);
  return new Map(
    entries.map(([key, value]) => [key, new SecretValue(Buffer.from(value.reveal(), 'base64').toString('utf8'))]),
  );
}

export function digestOfSecret(secret: Secret, key: SecretValue): { digest: string; keys: readonly string[] } {
  const data = dataOf(secret);
  return { digest: digestOf(data, key), keys: [...data.keys()] };
}
