import { managedSigningKey } from '../api/names.ts';
import type { Pair } from '../base/certificates.ts';
import type { Clock } from '../base/clock.ts';
import type { Step } from '../decide/registry-issuer-seen.ts';
import type { Client } from '../kube/client.ts';
import { type Metadata, secretMetadata } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { ChainReadings, Part } from './chain-readings.ts';
import { authorityKeys, encoded, pairOf, successorKeys } from './chain-secrets.ts';
import { issuerOwned } from './issuer-owned.ts';

type Issuer = Pick<KubeObject, 'metadata'>;
type Made = Extract<Step, { do: 'make' }>['what'];

/** The data of a CA that has no successor beside it. */
function alone(pair: Pair): object {
  return { ...encoded(pair, authorityKeys), [successorKeys.certificate]: null, [successorKeys.key]: null };
}

/**
 * Makes and renews the signing chains, for whoever reconciles an issuer: by POST, or PATCH at the resourceVersion that was decided
 * upon, so that two operators agree on one. What has moved meanwhile is read, and the next look decides anew.
 */
export class ChainWrites {
  readonly #client: Pick<Client, 'create' | 'patch'>;
  readonly #clock: Clock;
  readonly #readings: ChainReadings;

  constructor(o: { client: Pick<Client, 'create' | 'patch'>; clock: Clock; readings: ChainReadings }) {
    this.#client = o.client;
    this.#clock = o.clock;
    this.#readings = o.readings;
  }

  make(issuer: Issuer, what: Made, signal: AbortSignal): Promise<void> {
    return what === 'leaf' ? this.#makeLeaf(issuer, signal) : this.#makeAuthority(issuer, what, signal);
  }

  /** The successor takes the place of the CA, whose private key is needed no more. */
  async promote(issuer: Issuer, signal: AbortSignal): Promise<void> {
    const read = await this.#readings.read(issuer.metadata.uid, 'authority', signal);
    const successor = read && pairOf(read.secret, successorKeys);
    if (read === undefined || successor === undefined) return;
    await this.#patch(issuer, 'authority', read.metadata, alone(successor), signal);
  }

  async #makeAuthority(issuer: Issuer, what: Exclude<Made, 'leaf'>, signal: AbortSignal): Promise<void> {
    const before = this.#readings.cached(issuer.metadata.uid, 'authority');
    const { makeSigningAuthority } = await import('../issuers/registry/chain.ts');
    const pair = await makeSigningAuthority(issuer.metadata.name, this.#clock.now());
    if (what === 'authority') return this.#create(issuer, 'authority', pair, signal);
    const data = what === 'successor' ? encoded(pair, successorKeys) : alone(pair);
    if (before !== undefined) await this.#patch(issuer, 'authority', before, data, signal);
  }

  /** In the place of the one that was seen. */
  async #makeLeaf(issuer: Issuer, signal: AbortSignal): Promise<void> {
    const { name, uid } = issuer.metadata;
    const before = this.#readings.cached(uid, 'leaf');
    // The CA's private key lives as long as this call.
    const read = await this.#readings.read(uid, 'authority', signal);
    const authority = read && pairOf(read.secret, authorityKeys);
    if (authority === undefined || this.#readings.authority(uid).state !== 'intact') return;
    const { makeLeaf } = await import('../issuers/registry/chain.ts');
    const leaf = await makeLeaf(authority, name, this.#clock.now());
    if (before === undefined) await this.#create(issuer, 'leaf', leaf, signal);
    else await this.#patch(issuer, 'leaf', before, encoded(leaf, authorityKeys), signal);
  }

  async #create(issuer: Issuer, part: Part, pair: Pair, signal: AbortSignal): Promise<void> {
    const ref = this.#readings.refOf(issuer.metadata.uid, part);
    const metadata = { ...ref, ...issuerOwned(issuer.metadata, managedSigningKey) };
    const body = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls' };
    await this.#write(issuer, part, signal, () =>
      this.#client.create(secretMetadata, { ...body, data: encoded(pair, authorityKeys) }, { signal }),
    );
  }

  async #patch(issuer: Issuer, part: Part, before: Metadata, data: object, signal: AbortSignal): Promise<void> {
    const { resourceVersion } = before.metadata;
    const body = { metadata: issuerOwned(issuer.metadata, managedSigningKey), data };
    await this.#write(issuer, part, signal, () =>
      this.#client.patch(secretMetadata, before.metadata, body, { signal, resourceVersion }),
    );
  }

  /** What was written is read once, so that what is believed is what the API server has. */
  async #write(issuer: Issuer, part: Part, signal: AbortSignal, write: () => Promise<Metadata>): Promise<void> {
    try {
      this.#readings.wrote(await write());
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
      await this.#readings.read(issuer.metadata.uid, part, signal);
    }
  }
}
