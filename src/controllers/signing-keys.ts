import type { ClusterTokenIssuer, IssuerOf } from '../api/cluster-token-issuer.ts';
import { managedSigningKey } from '../api/names.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { KeySecretSeen, NewKey, PublishedKey } from '../decide/issuer-seen.ts';
import {
  generateSigningKey,
  importSigningKey,
  parsePublicJWK,
  type SigningKey,
  SigningKeyInvalid,
} from '../issuers/jwt/keys.ts';
import type { Client } from '../kube/client.ts';
import { type Metadata, type Secret, secretMetadata, secrets, secretText } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict } from '../kube/errors.ts';
import { keyOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { issuerOwned } from './issuer-owned.ts';
import { keepLive } from './kept.ts';
import { readLabelled } from './labelled-secret.ts';

const pemKey = 'key.pem';

/** A key Secret as it was at one resourceVersion. */
type Reading = { uid: string; resourceVersion: string } & ({ key: SigningKey } | { invalid: string });

/**
 * The private keys of the jwt issuers: Secrets of the operator's namespace, made by POST only, so that two operators that
 * start at once agree on one key. A key is used only while its Secret holds what is published under its id.
 */
export class SigningKeys {
  readonly #client: Client;
  readonly #namespace: string;
  readonly #secrets: Store<Metadata>;
  readonly #readings = new Map<string, Reading>();

  constructor(o: { client: Client; namespace: string; secrets: Store<Metadata> }) {
    this.#client = o.client;
    this.#namespace = o.namespace;
    this.#secrets = o.secrets;
    // A private key stays in memory for as long as its Secret is there.
    o.secrets.onChange(({ before, after }) => {
      if (after !== undefined) return;
      for (const [kid, { uid }] of this.#readings) if (uid === before?.metadata.uid) this.#readings.delete(kid);
    });
  }

  /** The issuer's active key. Throws SigningKeyInvalid when its Secret is missing or holds anything else than what is published. */
  async active(issuer: ClusterTokenIssuer, signal: AbortSignal): Promise<SigningKey> {
    const published = issuer.status?.keys?.find(({ state }) => state === 'Active');
    if (published === undefined) throw new SigningKeyInvalid('the issuer has not published a signing key');
    const known = this.#current(published);
    const reading = known ?? (await this.#read(published, signal));
    if (reading === undefined) throw new SigningKeyInvalid(`Secret ${published.secretName} is missing`);
    if ('invalid' in reading) throw new SigningKeyInvalid(`Secret ${published.secretName} ${reading.invalid}`);
    return reading.key;
  }

  /** What is known of a key's Secret without asking the API server. */
  seen(key: Pick<PublishedKey, 'kid' | 'secretName'>): KeySecretSeen {
    if (this.#secrets.get(this.#keyOf(key)) === undefined) return { state: 'missing', confirmed: false };
    const reading = this.#current(key);
    if (reading === undefined) return { state: 'unread' };
    return 'invalid' in reading ? { state: 'invalid', message: reading.invalid } : { state: 'intact' };
  }

  /** The same after a live read. */
  async inspect(key: PublishedKey, signal: AbortSignal): Promise<KeySecretSeen> {
    const reading = await this.#read(key, signal);
    if (reading === undefined) return { state: 'missing', confirmed: true };
    return 'invalid' in reading ? { state: 'invalid', message: reading.invalid } : { state: 'intact' };
  }

  /**
   * Makes the key of this number, or reads the one that is there already. Nothing may be signed with it before it is
   * published. Throws SigningKeyInvalid, naming the Secret, when something else is there.
   */
  async make(issuer: IssuerOf<'jwt'>, number: number, signal: AbortSignal): Promise<NewKey> {
    const { algorithm } = issuer.spec.jwt;
    const secretName = `botmint-${algorithm.toLowerCase()}-${issuer.metadata.uid}-${number}`;
    const fresh = await generateSigningKey(algorithm);
    try {
      const body = this.#secretOf(issuer, secretName, fresh.privateKey);
      this.#secrets.put(await this.#client.create(secretMetadata, body, { signal }));
      return { kid: fresh.kid, publicJWK: fresh.publicJWK, secretName };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const secret = await this.#client.get(secrets, { namespace: this.#namespace, name: secretName }, { signal });
    const pem = secret === undefined ? undefined : secretText(secret, pemKey);
    if (pem === undefined) throw new SigningKeyInvalid(`Secret ${secretName} lacks ${pemKey}`);
    try {
      const { kid, publicJWK } = await importSigningKey(pem, algorithm);
      return { kid, publicJWK, secretName };
    } catch (error) {
      if (!(error instanceof SigningKeyInvalid)) throw error;
      throw new SigningKeyInvalid(`Secret ${secretName} does not hold a key: ${error.message}`);
    }
  }

  /** Deletes the private half of a key that signs no more. One that has moved is there at the next look. */
  async delete(key: Pick<PublishedKey, 'secretName'>, signal: AbortSignal): Promise<void> {
    const secret = this.#secrets.get(this.#keyOf(key));
    if (secret === undefined) return;
    const { uid, resourceVersion } = secret.metadata;
    try {
      await this.#client.delete(secretMetadata, secret.metadata, { signal, uid, resourceVersion });
      this.#secrets.remove(keyOf(secret), uid);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const live = await this.#client.get(secretMetadata, secret.metadata, { signal });
      keepLive(this.#secrets, secretMetadata, secret.metadata, live);
    }
  }

  #current({ kid, ...key }: Pick<PublishedKey, 'kid' | 'secretName'>): Reading | undefined {
    const reading = this.#readings.get(kid);
    const secret = this.#secrets.get(this.#keyOf(key));
    const same = secret?.metadata.uid === reading?.uid && secret?.metadata.resourceVersion === reading?.resourceVersion;
    return same ? reading : undefined;
  }

  async #read({ kid, secretName, publicJWK }: PublishedKey, signal: AbortSignal): Promise<Reading | undefined> {
    const ref = { namespace: this.#namespace, name: secretName };
    const at = { client: this.#client, store: this.#secrets };
    const read = await readLabelled(at, ref, managedSigningKey, signal);
    if (read === undefined) {
      this.#readings.delete(kid);
      return undefined;
    }
    const { secret, metadata } = read;
    const { uid, resourceVersion } = metadata.metadata;
    const reading = { uid, resourceVersion, ...(await contentOf(secret, kid, publicJWK)) };
    this.#readings.set(kid, reading);
    return reading;
  }

  #secretOf(issuer: ClusterTokenIssuer, name: string, pem: SecretValue) {
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: this.#namespace, ...issuerOwned(issuer.metadata, managedSigningKey) },
      type: 'Opaque',
      data: { [pemKey]: Buffer.from(pem.reveal()).toString('base64') },
    };
  }

  #keyOf({ secretName }: { secretName: string }): string {
    return keyOf({ namespace: this.#namespace, name: secretName });
  }
}

async function contentOf(
  secret: Secret,
  kid: string,
  published: unknown,
): Promise<{ key: SigningKey } | { invalid: string }> {
  const pem = secretText(secret, pemKey);
  if (pem === undefined) return { invalid: `lacks the key ${pemKey}` };
  const algorithm = parsePublicJWK(published)?.alg;
  if (algorithm === undefined) return { invalid: 'is published in a form that this version does not know' };
  try {
    const imported = await importSigningKey(pem, algorithm);
    return imported.kid === kid
      ? { key: imported.key }
      : { invalid: 'holds another key than the one that is published' };
  } catch (error) {
    if (error instanceof SigningKeyInvalid) return { invalid: `does not hold a key: ${error.message}` };
    throw error;
  }
}
