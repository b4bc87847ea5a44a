import type { BotToken } from '../api/bot-token.ts';
import { isOfType } from '../api/cluster-token-issuer.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { botTokens } from '../decide/bot-token.ts';
import {
  type Observed,
  type OwnSecret,
  type Refused,
  type SecretSeen,
  type Step,
  secretNameOf,
} from '../decide/credential-seen.ts';
import type { Operation } from '../decide/credential-status.ts';
import { knownOf, readBack } from '../decide/secret-data.ts';
import { type Owner, renderingOf } from '../decide/secret-metadata.ts';
import { SigningKeyInvalid } from '../issuers/jwt/keys.ts';
import { type Metadata, secretMetadata, secrets } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound, isRefusal, KubeError } from '../kube/errors.ts';
import { compareVersions, keyOf, type Ref } from '../kube/objects.ts';
import { secretKeyOf } from './caches.ts';
import { withGenuineIndex } from './genuine-index.ts';
import { dataOf, digestOfSecret, type SecretReadings } from './secret-readings.ts';
import {
  type Minted,
  mint,
  newSecret,
  relabelled,
  relabelledMarks,
  rendered,
  rewrittenSecret,
  withoutValues,
} from './secret-writes.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { StatusLists } from './status-lists.ts';
import type { World } from './world.ts';

export interface TokenSecretOptions {
  world: World;
  keys: SigningKeys;
  statusLists: Pick<StatusLists, 'seen' | 'take' | 'write'>;
  digestKey: SecretValue;
  readings: SecretReadings;
}

/**
 * The Secret of one BotToken during one pass: how it is seen, and the writes that a step asks for. Every write is a POST, or
 * carries the resourceVersion that was seen; what a conflict or a refusal has shown is there at the next look.
 */
export class TokenSecret {
  readonly #of: TokenSecretOptions;
  /** The last live answer; `undefined` in it: there is no such Secret. */
  #live: { secret: Metadata | undefined } | undefined;
  /** The resourceVersion at which it was read and no entry held the credential. */
  #unreadableAt: string | undefined;
  /** Writes that the API server refused, or that could not be signed. */
  refused: Observed['refused'] = {};

  constructor(of: TokenSecretOptions) {
    this.#of = of;
  }

  /** The newer of what the watch and what a live read of this pass have shown; of two that are the same, the one that was read. */
  seen(token: BotToken): SecretSeen {
    const cached = this.#of.world.caches.secrets.get(secretKeyOf(token));
    const live = this.#live?.secret;
    const newer =
      cached && live && compareVersions(live.metadata.resourceVersion, cached.metadata.resourceVersion) >= 0;
    const secret = cached === undefined || newer ? live : cached;
    if (secret === undefined) return { state: 'absent', confirmed: this.#live !== undefined };
    const seen = this.#of.readings.seen(token, secret, secret === live);
    if (seen.state !== 'ours') return seen;
    const known = { tokenID: token.status?.tokenID, inputs: token.status?.issued?.inputs };
    const metadata = withGenuineIndex(seen.metadata, token.metadata.namespace ?? '', this.#of.digestKey, known);
    return { ...seen, metadata, unreadable: this.#unreadableAt === seen.resourceVersion };
  }

  /** Metadata first: the values of a Secret are asked for only when it is known to be ours. */
  async read(token: BotToken, signal: AbortSignal): Promise<void> {
    const { client } = this.#of.world;
    const ref = secretRefOf(token);
    const live = await client.get(secretMetadata, ref, { signal });
    this.#saw(token, live);
    const seen = live && this.#of.readings.seen(token, live, true);
    if (seen?.state !== 'ours' || seen.digest !== undefined) return;
    const secret = await client.get(secrets, ref, { signal });
    if (secret === undefined || this.#of.readings.seen(token, secret, true).state !== 'ours')
      return this.#saw(token, secret && { metadata: secret.metadata });
    const { digest, keys } = digestOfSecret(secret, this.#of.digestKey);
    this.#of.readings.remember(secret, digest, keys);
    this.#saw(token, { metadata: secret.metadata });
  }

  #saw(token: BotToken, live: Metadata | undefined): void {
    const { secrets: cache } = this.#of.world.caches;
    this.#live = { secret: live };
    const cached = cache.get(secretKeyOf(token));
    if (live === undefined && cached !== undefined) cache.remove(keyOf(cached), cached.metadata.uid);
  }

  /** Signs a credential and writes it. When it cannot be signed, `refused` says why. */
  async issue(token: BotToken, step: Step & { do: 'issue' }, signal: AbortSignal): Promise<void> {
    const { caches, clock, metrics } = this.#of.world;
    const issuer = caches.issuers.get(step.wish.issuer.name);
    if (issuer?.metadata.uid !== step.wish.issuer.uid || !isOfType(issuer, 'jwt')) return; // it went while this pass ran: look again
    try {
      const key = await this.#of.keys.active(issuer, signal);
      const statusListIndex = await this.#of.statusLists.take(issuer, token, signal);
      const { issuerURL } = issuer.spec.jwt;
      const { digestKey } = this.#of;
      const minted = await mint(token, step, { issuerURL, key, statusListIndex, digestKey, now: clock.now() });
      const body =
        step.over === undefined ? newSecret(ownerOf(token), minted) : this.#rewritten(token, step.over, minted);
      const written = await this.#write(token, signal, {
        over: step.over,
        body,
        digest: minted.inputs.digest,
        data: minted.data,
      });
      if (written) metrics.issued.inc({ issuer: issuer.metadata.name, cause: step.cause });
    } catch (error) {
      if (error instanceof KubeError && isRefusal(error)) return this.#refuseIndex(issuer.metadata.name, error);
      if (!(error instanceof SigningKeyInvalid)) throw error;
      this.#note({
        operation: 'Write',
        reason: 'IssuerNotReady',
        message: `ClusterTokenIssuer ${issuer.metadata.name} cannot sign: ${error.message}`,
      });
    }
  }

  /** For the next look. */
  #note(refused: Refused): void {
    this.refused = { ...this.refused, [refused.operation]: refused };
  }

  #rewritten(token: BotToken, over: OwnSecret, minted: Minted): object {
    return rewrittenSecret(ownerOf(token), over, this.#of.readings.keys(over.uid, token), minted);
  }

  /** The credential is read back out of the Secret through the recorded entries and written under the new ones. */
  async render(
    token: BotToken,
    { over, record, inputs: made }: Step & { do: 'render' },
    signal: AbortSignal,
  ): Promise<void> {
    const secret = await this.#of.world.client.get(secrets, secretRefOf(token), { signal });
    const { uid, resourceVersion } = secret?.metadata ?? {};
    if (secret === undefined || uid !== over.uid || resourceVersion !== over.resourceVersion) {
      return this.#saw(token, secret && { metadata: secret.metadata });
    }
    const { tokenID, revision, inputs } = record;
    const credential = readBack(inputs.secret.data, dataOf(secret), knownOf(tokenID, inputs));
    if (credential === undefined) {
      this.#unreadableAt = resourceVersion;
      return;
    }
    const minted = rendered(
      credential,
      { revision, tokenID, inputs: { ...made, secret: renderingOf(token) } },
      this.#of.digestKey,
    );
    const body = this.#rewritten(token, over, minted);
    await this.#write(token, signal, { over, body, digest: minted.inputs.digest, data: minted.data });
  }

  /** Writes metadata only: what the record and the spec's template want. */
  async label(token: BotToken, { over, record }: Step & { do: 'label' }, signal: AbortSignal): Promise<void> {
    const body = { metadata: relabelled(ownerOf(token), over, relabelledMarks(token, record)) };
    await this.#write(token, signal, { over, body, digest: over.digest, data: new Map() });
  }

  /** POST, or PATCH at the resourceVersion that was seen. True when it was written; a refusal is kept for the next look. */
  async #write(
    token: BotToken,
    signal: AbortSignal,
    write: { over: OwnSecret | undefined; body: object; digest: string | undefined; data: Minted['data'] },
  ): Promise<boolean> {
    const { client, caches } = this.#of.world;
    const { over, body, digest, data } = write;
    try {
      const written =
        over === undefined
          ? await client.create(secretMetadata, body as { metadata: Ref }, { signal })
          : await client.patch(secretMetadata, secretRefOf(token), body, {
              signal,
              resourceVersion: over.resourceVersion,
            });
      this.#live = undefined;
      const keys = data.size > 0 ? data.keys() : this.#of.readings.keys(written.metadata.uid, token);
      if (digest !== undefined) this.#of.readings.remember(written, digest, keys);
      caches.secrets.put(written);
      return true;
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || (over !== undefined && isNotFound(error))) {
        await this.read(token, signal);
        return false;
      }
      if (!(error instanceof KubeError)) throw error;
      const answer = withoutValues(error, data);
      if (!isRefusal(answer)) throw answer;
      this.#refuse(token, 'Write', answer);
      return false;
    }
  }

  /** Deletes this very Secret, or looks at what it has become. */
  async delete(token: BotToken, step: Step & { do: 'delete-secret' }, signal: AbortSignal): Promise<void> {
    const { client, caches } = this.#of.world;
    const { uid, resourceVersion } = step;
    try {
      await client.delete(secretMetadata, secretRefOf(token), { signal, uid, resourceVersion });
      caches.secrets.remove(secretKeyOf(token), uid);
      this.#live = { secret: undefined };
    } catch (error) {
      if (isConflict(error)) return this.read(token, signal);
      if (!(error instanceof KubeError && isRefusal(error))) throw error;
      this.#refuse(token, step.cause === 'revoked' ? 'Delete' : 'Write', error);
    }
  }

  /** No index of the status lists, no token: it could not be revoked for those who verify offline. */
  #refuseIndex(issuer: string, { reason, message }: KubeError): void {
    const words = `the API server refused a status list of ClusterTokenIssuer ${issuer}: ${reason}: ${message}`;
    this.#note({ operation: 'Write', reason: 'WriteRefused', message: words });
    this.#of.world.metrics.failed.inc({ reason: 'WriteRefused' });
  }

  /** Keeps what the API server said of the Secret for the next look. */
  #refuse(token: BotToken, operation: Operation, { reason, message }: KubeError): void {
    const what = `${operation.toLowerCase()} Secret ${secretNameOf(token)}`;
    const words = `the API server refused to ${what}: ${reason}: ${message}`;
    this.#note({ operation, reason: 'WriteRefused', message: words });
    this.#of.world.metrics.failed.inc({ reason: 'WriteRefused' });
  }
}

function ownerOf(object: BotToken): Owner {
  return { kind: botTokens, object };
}

function secretRefOf(token: BotToken): Ref {
  return { namespace: token.metadata.namespace, name: secretNameOf(token) };
}
