import { managedSigningKey } from '../api/names.ts';
import type { AuthoritySecretSeen, LeafSeen } from '../decide/registry-issuer-seen.ts';
import { type Authority, signedBy } from '../issuers/registry/authorities.ts';
import type { Client } from '../kube/client.ts';
import type { Metadata, Secret } from '../kube/core-kinds.ts';
import { keyOf, type Ref } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { type Authorities, authoritiesIn, type Leaf, leafIn, type Reading, reading } from './chain-secrets.ts';
import { readLabelled } from './labelled-secret.ts';

/** The Secret of the CA, or that of the leaf. */
export type Part = 'authority' | 'leaf';

export const leafPrefix = 'botmint-registry-leaf-';

/** What the Secrets of the signing chains were found to hold, by the issuer's UID. The private key of a CA is never kept. */
export class ChainReadings {
  readonly #of: { client: Pick<Client, 'get' | 'patch'>; namespace: string; secrets: Store<Metadata> };
  readonly #authorities = new Map<string, Reading<Authorities>>();
  readonly #leaves = new Map<string, Reading<Leaf>>();

  constructor(of: { client: Pick<Client, 'get' | 'patch'>; namespace: string; secrets: Store<Metadata> }) {
    this.#of = of;
  }

  /** The Secret of the CA, without asking the API server. */
  authority(uid: string): { name: string } & AuthoritySecretSeen {
    const { name } = this.refOf(uid, 'authority');
    if (this.cached(uid, 'authority') === undefined) return { name, state: 'missing' };
    const current = this.#current(this.#authorities.get(uid), uid, 'authority');
    if (current === undefined) return { name, state: 'unread' };
    return 'invalid' in current
      ? { name, state: 'invalid', message: current.invalid }
      : { name, state: 'intact', ...current.found };
  }

  /** The Secret of the leaf, and which of these CAs has signed it. */
  leaf(uid: string, authorities: readonly Authority[]): LeafSeen {
    if (this.cached(uid, 'leaf') === undefined) return { state: 'missing' };
    const current = this.#current(this.#leaves.get(uid), uid, 'leaf');
    if (current === undefined) return { state: 'unread' };
    if ('invalid' in current) return { state: 'invalid' };
    const { certificate, signer } = current.found;
    const { validFrom, renewAt } = signer;
    return { state: 'intact', by: signedBy(certificate, authorities), validFrom, renewAt };
  }

  /** The last one that was read, also where its Secret is gone by now. */
  lastLeaf(uid: string): Reading<Leaf> | undefined {
    return this.#leaves.get(uid);
  }

  /** Reads a Secret live; undefined when there is none. */
  async read(
    uid: string,
    part: Part,
    signal: AbortSignal,
  ): Promise<{ secret: Secret; metadata: Metadata } | undefined> {
    const { client, secrets: store } = this.#of;
    const read = await readLabelled({ client, store }, this.refOf(uid, part), managedSigningKey, signal);
    if (read === undefined) return undefined;
    const { secret, metadata } = read;
    if (part === 'authority')
      this.#authorities.set(
        uid,
        reading(metadata, () => authoritiesIn(secret)),
      );
    else
      this.#leaves.set(
        uid,
        reading(metadata, () => leafIn(secret)),
      );
    return read;
  }

  /** The same for a leaf that has moved since. Unlike who reconciles, it asks for none that the cache does not know. */
  async loadLeaf(uid: string, signal: AbortSignal): Promise<void> {
    if (this.leaf(uid, []).state === 'unread') await this.read(uid, 'leaf', signal);
  }

  /** The metadata of a Secret as the cache has it. */
  cached(uid: string, part: Part): Metadata | undefined {
    return this.#of.secrets.get(keyOf(this.refOf(uid, part)));
  }

  /** What an own write answered. */
  wrote(metadata: Metadata): void {
    this.#of.secrets.put(metadata);
  }

  refOf(uid: string, part: Part): Ref & { namespace: string } {
    return { namespace: this.#of.namespace, name: part === 'leaf' ? leafPrefix + uid : `botmint-registry-ca-${uid}` };
  }

  forget(uid: string): void {
    this.#authorities.delete(uid);
    this.#leaves.delete(uid);
  }

  #current<T>(reading: Reading<T> | undefined, uid: string, part: Part): Reading<T> | undefined {
    const cached = this.cached(uid, part)?.metadata;
    const isSame = cached?.uid === reading?.uid && cached?.resourceVersion === reading?.resourceVersion;
    return isSame ? reading : undefined;
  }
}
