import type { SecretValue } from '../base/secret-value.ts';
import type { CopySeen } from '../decide/copies-seen.ts';
import type { Metadata, Secret } from '../kube/core-kinds.ts';
import { digestOfSecret } from './secret-readings.ts';

interface Reading {
  resourceVersion: string;
  digest: string;
  keys: readonly string[];
}

/** What the data of copies was known to be, at one resourceVersion each: by its digest, never by its values. */
export class CopyReadings {
  readonly #key: SecretValue;
  readonly #byUID = new Map<string, Reading>();

  constructor(digestKey: SecretValue) {
    this.#key = digestKey;
  }

  /** It was read whole. */
  read(secret: Secret): void {
    const { digest, keys } = digestOfSecret(secret, this.#key);
    this.wrote(secret, digest, keys);
  }

  /** An own write was acknowledged. */
  wrote({ metadata }: Metadata, digest: string, keys: readonly string[]): void {
    this.#byUID.set(metadata.uid, { resourceVersion: metadata.resourceVersion, digest, keys });
  }

  /** How a copy looks, with what is known of its data. */
  seen({ metadata }: Metadata): CopySeen {
    const { namespace = '', uid, resourceVersion, deletionTimestamp } = metadata;
    const reading = this.#byUID.get(uid);
    const digest = reading?.resourceVersion === resourceVersion ? reading.digest : undefined;
    return { namespace, uid, resourceVersion, metadata, going: deletionTimestamp !== undefined, digest };
  }

  /** The keys that it had when it was last looked at. */
  keys(uid: string): readonly string[] {
    return this.#byUID.get(uid)?.keys ?? [];
  }

  forget(uid: string): void {
    this.#byUID.delete(uid);
  }
}
