import type { Credentialed } from '../api/credentialed.ts';
import type { Inputs } from '../api/inputs.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Operation } from '../decide/credential-retry.ts';
import {
  type Observed,
  type OwnSecret,
  type Refused,
  type SecretSeen,
  type Step,
  secretNameOf,
} from '../decide/credential-seen.ts';
import type { CredentialKind } from '../decide/kind.ts';
import { knownOf, readBack } from '../decide/secret-data.ts';
import { type Owner, renderingOf } from '../decide/secret-metadata.ts';
import { type Metadata, secretMetadata, secrets } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound, isRefusal, KubeError } from '../kube/errors.ts';
import { compareVersions, keyOf, type Ref } from '../kube/objects.ts';
import { secretKeyOf } from './caches.ts';
import { withGenuineIndex } from './genuine-index.ts';
import { dataOf, digestOfSecret, type SecretReadings } from './secret-readings.ts';
import {
  type Minted,
  newSecret,
  relabelled,
  relabelledMarks,
  rendered,
  rewrittenSecret,
  withoutValues,
} from './secret-writes.ts';
import type { World } from './world.ts';

type Issue = Step & { do: 'issue' };

/**
 * Makes the credential of an issue step; nothing of it is visible to anybody before its Secret is written. Undefined where
 * what it would be made from is gone: everything is to be looked at again. `refused` is told at the next look.
 */
export type Mint<T extends Credentialed> = (
  object: T,
  step: Issue,
  signal: AbortSignal,
) => Promise<Minted | { refused: Refused } | undefined>;

/** Completes revised inputs with what only the credential itself shows, as it was read back out of its Secret. */
export type Remake<T extends Credentialed> = (
  object: T,
  of: { revision: number; inputs: Inputs },
  credential: SecretValue,
) => Promise<Inputs>;

export interface CredentialSecretOptions<T extends Credentialed> {
  world: World;
  kind: CredentialKind;
  mint: Mint<T>;
  /** Left out: revised inputs are complete. */
  remake?: Remake<T> | undefined;
  digestKey: SecretValue;
  readings: SecretReadings;
}

/**
 * The Secret of one object during one pass: how it is seen, and the writes that a step asks for. Every write is a POST, or
 * carries the resourceVersion that was seen; what a conflict or a refusal has shown is there at the next look.
 */
export class CredentialSecret<T extends Credentialed> {
  readonly #of: CredentialSecretOptions<T>;
  /** The last live answer; `undefined` in it: there is no such Secret. */
  #live: { secret: Metadata | undefined } | undefined;
  /** The resourceVersion at which it was read and no entry held the credential. */
  #unreadableAt: string | undefined;
  /** Writes that the API server refused, or credentials that could not be made. */
  refused: Observed['refused'] = {};

  constructor(of: CredentialSecretOptions<T>) {
    this.#of = of;
  }

  /** The newer of what the watch and what a live read of this pass have shown; of two that are the same, the one that was read. */
  seen(object: T): SecretSeen {
    const cached = this.#of.world.caches.secrets.get(secretKeyOf(object));
    const live = this.#live?.secret;
    const newer =
      cached && live && compareVersions(live.metadata.resourceVersion, cached.metadata.resourceVersion) >= 0;
    const secret = cached === undefined || newer ? live : cached;
    if (secret === undefined) return { state: 'absent', confirmed: this.#live !== undefined };
    const seen = this.#of.readings.seen(object, secret, secret === live);
    if (seen.state !== 'ours') return seen;
    const known = { tokenID: object.status?.tokenID, inputs: object.status?.issued?.inputs };
    const metadata = withGenuineIndex(seen.metadata, object.metadata.namespace ?? '', this.#of.digestKey, known);
    return { ...seen, metadata, unreadable: this.#unreadableAt === seen.resourceVersion };
  }

  /** Metadata first: the values of a Secret are asked for only when it is known to be ours. */
  async read(object: T, signal: AbortSignal): Promise<void> {
    const { client } = this.#of.world;
    const ref = secretRefOf(object);
    const live = await client.get(secretMetadata, ref, { signal });
    this.#saw(object, live);
    const seen = live && this.#of.readings.seen(object, live, true);
    if (seen?.state !== 'ours' || seen.digest !== undefined) return;
    const secret = await client.get(secrets, ref, { signal });
    if (secret === undefined || this.#of.readings.seen(object, secret, true).state !== 'ours')
      return this.#saw(object, secret && { metadata: secret.metadata });
    const { digest, keys } = digestOfSecret(secret, this.#of.digestKey);
    this.#of.readings.remember(secret, digest, keys);
    this.#saw(object, { metadata: secret.metadata });
  }

  #saw(object: T, live: Metadata | undefined): void {
    const { secrets: cache } = this.#of.world.caches;
    this.#live = { secret: live };
    const cached = cache.get(secretKeyOf(object));
    if (live === undefined && cached !== undefined) cache.remove(keyOf(cached), cached.metadata.uid);
  }

  /** Makes a credential and writes it. When it cannot be made, `refused` says why. */
  async issue(object: T, step: Issue, signal: AbortSignal): Promise<void> {
    const made = await this.#of.mint(object, step, signal);
    if (made === undefined) return; // what it would be made from went while this pass ran: look again
    if ('refused' in made) return this.#note(made.refused);
    const body =
      step.over === undefined ? newSecret(this.#owner(object), made) : this.#rewritten(object, step.over, made);
    const written = await this.#write(object, signal, {
      over: step.over,
      body,
      digest: made.inputs.digest,
      data: made.data,
    });
    if (written) this.#of.world.metrics.issued.inc({ issuer: step.wish.issuer.name, cause: step.cause });
  }

  /** For the next look. */
  #note(refused: Refused): void {
    this.refused = { ...this.refused, [refused.operation]: refused };
  }

  #owner(object: T): Owner {
    return { kind: this.#of.kind, object };
  }

  #rewritten(object: T, over: OwnSecret, minted: Minted): object {
    return rewrittenSecret(this.#owner(object), over, this.#of.readings.keys(over.uid, object), minted);
  }

  /** The credential is read back out of the Secret through the recorded entries and written under the new ones. */
  async render(object: T, { over, record, inputs: made }: Step & { do: 'render' }, signal: AbortSignal): Promise<void> {
    const secret = await this.#of.world.client.get(secrets, secretRefOf(object), { signal });
    const { uid, resourceVersion } = secret?.metadata ?? {};
    if (secret === undefined || uid !== over.uid || resourceVersion !== over.resourceVersion) {
      return this.#saw(object, secret && { metadata: secret.metadata });
    }
    const { tokenID, revision, inputs } = record;
    const credential = readBack(inputs.secret.data, dataOf(secret), knownOf(tokenID, inputs));
    if (credential === undefined) {
      this.#unreadableAt = resourceVersion;
      return;
    }
    const revised = { ...made, secret: renderingOf(object) };
    const remade = (await this.#of.remake?.(object, { revision, inputs: revised }, credential)) ?? revised;
    const minted = rendered(credential, { revision, tokenID, inputs: remade }, this.#of.digestKey);
    const body = this.#rewritten(object, over, minted);
    await this.#write(object, signal, { over, body, digest: minted.inputs.digest, data: minted.data });
  }

  /** Writes metadata only: what the record and the spec's template want. */
  async label(object: T, { over, record }: Step & { do: 'label' }, signal: AbortSignal): Promise<void> {
    const body = { metadata: relabelled(this.#owner(object), over, relabelledMarks(object, record)) };
    await this.#write(object, signal, { over, body, digest: over.digest, data: new Map() });
  }

  /** POST, or PATCH at the resourceVersion that was seen. True when it was written; a refusal is kept for the next look. */
  async #write(
    object: T,
    signal: AbortSignal,
    write: { over: OwnSecret | undefined; body: object; digest: string | undefined; data: Minted['data'] },
  ): Promise<boolean> {
    const { client, caches } = this.#of.world;
    const { over, body, digest, data } = write;
    try {
      const written =
        over === undefined
          ? await client.create(secretMetadata, body as { metadata: Ref }, { signal })
          : await client.patch(secretMetadata, secretRefOf(object), body, {
              signal,
              resourceVersion: over.resourceVersion,
            });
      this.#live = undefined;
      const keys = data.size > 0 ? data.keys() : this.#of.readings.keys(written.metadata.uid, object);
      if (digest !== undefined) this.#of.readings.remember(written, digest, keys);
      caches.secrets.put(written);
      return true;
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || (over !== undefined && isNotFound(error))) {
        await this.read(object, signal);
        return false;
      }
      if (!(error instanceof KubeError)) throw error;
      const answer = withoutValues(error, data);
      if (!isRefusal(answer)) throw answer;
      this.#refuse(object, 'Write', answer);
      return false;
    }
  }

  /** Deletes this very Secret, or looks at what it has become. */
  async delete(object: T, step: Step & { do: 'delete-secret' }, signal: AbortSignal): Promise<void> {
    const { client, caches } = this.#of.world;
    const { uid, resourceVersion } = step;
    try {
      await client.delete(secretMetadata, secretRefOf(object), { signal, uid, resourceVersion });
      caches.secrets.remove(secretKeyOf(object), uid);
      this.#live = { secret: undefined };
    } catch (error) {
      if (isConflict(error)) return this.read(object, signal);
      if (!(error instanceof KubeError && isRefusal(error))) throw error;
      this.#refuse(object, step.cause === 'revoked' ? 'Delete' : 'Write', error);
    }
  }

  /** Keeps what the API server said of the Secret for the next look. */
  #refuse(object: T, operation: Operation, { reason, message }: KubeError): void {
    const what = `${operation.toLowerCase()} Secret ${secretNameOf(object)}`;
    const words = `the API server refused to ${what}: ${reason}: ${message}`;
    this.#note({ operation, reason: 'WriteRefused', message: words });
    this.#of.world.metrics.failed.inc({ reason: 'WriteRefused' });
  }
}

function secretRefOf(object: Credentialed): Ref {
  return { namespace: object.metadata.namespace, name: secretNameOf(object) };
}
