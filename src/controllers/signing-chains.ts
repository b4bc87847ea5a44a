import type { ClusterTokenIssuer, IssuerOf } from '../api/cluster-token-issuer.ts';
import { managedSigningKey } from '../api/names.ts';
import type { Pair } from '../base/certificates.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { AuthoritySecretSeen, LeafSeen, Observed } from '../decide/registry-issuer.ts';
import { type Authority, readBundle, signedBy } from '../issuers/registry/authorities.ts';
import type { RegistrySigner } from '../issuers/registry/signer.ts';
import type { Client } from '../kube/client.ts';
import { type Metadata, type Secret, secretMetadata } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { type KubeObject, keyOf, type Ref } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import {
  type Authorities,
  authoritiesIn,
  authorityKeys,
  encoded,
  type Leaf,
  leafIn,
  pairOf,
  type Reading,
  reading,
  successorKeys,
} from './chain-secrets.ts';
import { issuerOwned } from './issuer-owned.ts';
import { readLabelled } from './labelled-secret.ts';
import { Reloads } from './reloads.ts';
import { TrustedSigners } from './trusted-signers.ts';

export interface SigningChainsOptions {
  client: Pick<Client, 'get' | 'create' | 'patch'>;
  /** The operator's own. */
  namespace: string;
  secrets: Store<Metadata>;
  issuers: Store<ClusterTokenIssuer>;
  clock: Clock;
  log: Log;
}

type Part = 'ca' | 'leaf';
type Issuer = Pick<KubeObject, 'metadata'>;

const leafPrefix = 'botmint-registry-leaf-';

/**
 * The signing chains of the registry issuers: a CA and a leaf, each in a Secret of the operator's namespace. They are made and
 * renewed by whoever reconciles the issuer: by POST, or PATCH at the resourceVersion that was read, so that two operators agree on
 * one. Every replica serves tokens, so each loads the leaf whenever its Secret moves.
 */
export class SigningChains {
  readonly #of: SigningChainsOptions;
  /** By the issuer's UID. */
  readonly #authorities = new Map<string, Reading<Authorities>>();
  readonly #leaves = new Map<string, Reading<Leaf>>();
  readonly #signers = new TrustedSigners();
  readonly #reloads: Reloads<string>;

  constructor(of: SigningChainsOptions) {
    this.#of = of;
    this.#reloads = new Reloads({ load: (uid, signal) => this.#loadLeaf(uid, signal), name: 'leaf', log: of.log });
    of.secrets.onChange(({ after }) => {
      const { namespace, name = '' } = after?.metadata ?? {};
      // Also one that is gone for now: what was loaded goes on signing.
      if (namespace === of.namespace && name.startsWith(leafPrefix)) this.#reloads.add(name.slice(leafPrefix.length));
    });
    of.issuers.onChange(({ before, after }) => {
      // Also one that was gone for a while only: it could not be read, or a list from before a restored backup lacked it.
      if (after !== undefined && before === undefined) this.#reloads.add(after.metadata.uid);
      if (before === undefined || after !== undefined) return;
      for (const each of [this.#authorities, this.#leaves, this.#signers]) each.delete(before.metadata.uid);
    });
  }

  /** Keeps the leaves loaded until the signal aborts. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reloads.run(signal);
  }

  /** Loads what the caches have shown so far, so that a replica that starts need not turn anybody away. What fails is tried again by `run`. */
  async load(signal: AbortSignal): Promise<void> {
    await this.#reloads.loadAll(signal);
  }

  /**
   * What signs for the issuer of this name: the last leaf that a CA in its published bundle has certified. A Secret that was lost
   * or edited takes nothing away. Undefined while there is none.
   */
  of(issuer: string): RegistrySigner | undefined {
    const found = this.#of.issuers.get(issuer);
    return found && this.#signers.of(found, this.#leaves.get(found.metadata.uid));
  }

  /** What is known of an issuer's chain without asking the API server. */
  seen(issuer: IssuerOf<'registry'>): Pick<Observed, 'published' | 'authoritySecret' | 'leaf'> {
    const { uid } = issuer.metadata;
    const published = readBundle(issuer.status?.rootCertBundle);
    const authority = this.#authoritySeen(issuer);
    const own = authority.state === 'intact' ? [authority.current, authority.next].filter(ca => ca !== undefined) : [];
    return {
      published,
      authoritySecret: { name: this.#refOf(uid, 'ca').name, ...authority },
      leaf: this.#leafSeen(issuer, [...own, ...published]),
    };
  }

  /** Reads a Secret of the chain live. */
  async inspect(issuer: Issuer, part: Part, signal: AbortSignal): Promise<void> {
    const { uid } = issuer.metadata;
    if (part === 'ca') await this.#readAuthority(uid, signal);
    else await this.#readLeaf(uid, signal);
  }

  /** Makes the CA, or reads the one that is there already; or puts a successor beside the one that was seen. */
  async makeAuthority(issuer: Issuer, as: 'current' | 'successor', signal: AbortSignal): Promise<void> {
    const { makeSigningAuthority } = await import('../issuers/registry/chain.ts');
    const pair = await makeSigningAuthority(issuer.metadata.name, this.#of.clock.now());
    if (as === 'current') await this.#create(issuer, 'ca', pair, signal);
    else await this.#patch(issuer, 'ca', encoded(pair, successorKeys), signal);
  }

  /** The successor takes the place of the CA, whose private key is needed no more. */
  async promote(issuer: Issuer, signal: AbortSignal): Promise<void> {
    const secret = await this.#readAuthority(issuer.metadata.uid, signal);
    const successor = secret && pairOf(secret, successorKeys);
    if (successor === undefined) return;
    const gone = { [successorKeys.certificate]: null, [successorKeys.key]: null };
    await this.#patch(issuer, 'ca', { ...encoded(successor, authorityKeys), ...gone }, signal);
  }

  /** Makes a leaf, in the place of the one that was seen. */
  async makeLeaf(issuer: Issuer, signal: AbortSignal): Promise<void> {
    const { name, uid } = issuer.metadata;
    // The CA's private key lives as long as this call.
    const secret = await this.#readAuthority(uid, signal);
    const authority = secret && pairOf(secret, authorityKeys);
    if (authority === undefined || !('found' in (this.#authorities.get(uid) ?? {}))) return;
    const { makeLeaf } = await import('../issuers/registry/chain.ts');
    const leaf = await makeLeaf(authority, name, this.#of.clock.now());
    if (this.#cached(uid, 'leaf') === undefined) await this.#create(issuer, 'leaf', leaf, signal);
    else await this.#patch(issuer, 'leaf', encoded(leaf, authorityKeys), signal);
  }

  #authoritySeen({ metadata: { uid } }: Issuer): AuthoritySecretSeen {
    if (this.#cached(uid, 'ca') === undefined) return { state: 'missing' };
    const reading = this.#current(this.#authorities.get(uid), uid, 'ca');
    if (reading === undefined) return { state: 'unread' };
    return 'invalid' in reading
      ? { state: 'invalid', message: reading.invalid }
      : { state: 'intact', ...reading.found };
  }

  #leafSeen({ metadata: { uid } }: Issuer, authorities: readonly Authority[]): LeafSeen {
    if (this.#cached(uid, 'leaf') === undefined) return { state: 'missing' };
    const reading = this.#current(this.#leaves.get(uid), uid, 'leaf');
    if (reading === undefined) return { state: 'unread' };
    if ('invalid' in reading) return { state: 'invalid' };
    const { certificate, signer } = reading.found;
    const { validFrom, renewAt } = signer;
    return { state: 'intact', by: signedBy(certificate, authorities), validFrom, renewAt };
  }

  async #readAuthority(uid: string, signal: AbortSignal): Promise<Secret | undefined> {
    const read = await this.#read(uid, 'ca', signal);
    if (read === undefined) this.#authorities.delete(uid);
    else
      this.#authorities.set(
        uid,
        reading(read.metadata, () => authoritiesIn(read.secret)),
      );
    return read?.secret;
  }

  async #readLeaf(uid: string, signal: AbortSignal): Promise<void> {
    const read = await this.#read(uid, 'leaf', signal);
    if (read !== undefined)
      this.#leaves.set(
        uid,
        reading(read.metadata, () => leafIn(read.secret)),
      );
  }

  /** For a replica that only serves: unlike the one that reconciles, it puts nothing right. */
  async #loadLeaf(uid: string, signal: AbortSignal): Promise<void> {
    if (this.#cached(uid, 'leaf') === undefined || this.#current(this.#leaves.get(uid), uid, 'leaf') !== undefined)
      return;
    await this.#readLeaf(uid, signal);
  }

  #read(uid: string, part: Part, signal: AbortSignal) {
    const { client, secrets: store } = this.#of;
    return readLabelled({ client, store }, this.#refOf(uid, part), managedSigningKey, signal);
  }

  async #create(issuer: Issuer, part: Part, pair: Pair, signal: AbortSignal): Promise<void> {
    const ref = this.#refOf(issuer.metadata.uid, part);
    const metadata = { ...ref, ...issuerOwned(issuer.metadata, managedSigningKey) };
    const body = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls' };
    await this.#write(issuer, part, signal, () =>
      this.#of.client.create(secretMetadata, { ...body, data: encoded(pair, authorityKeys) }, { signal }),
    );
  }

  async #patch(issuer: Issuer, part: Part, data: object, signal: AbortSignal): Promise<void> {
    const { uid } = issuer.metadata;
    const resourceVersion = this.#cached(uid, part)?.metadata.resourceVersion;
    if (resourceVersion === undefined) return;
    const body = { metadata: issuerOwned(issuer.metadata, managedSigningKey), data };
    await this.#write(issuer, part, signal, () =>
      this.#of.client.patch(secretMetadata, this.#refOf(uid, part), body, { signal, resourceVersion }),
    );
  }

  /** What was written is read once, so that what is believed is what the API server has. */
  async #write(issuer: Issuer, part: Part, signal: AbortSignal, write: () => Promise<Metadata>): Promise<void> {
    try {
      this.#of.secrets.put(await write());
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
      await this.inspect(issuer, part, signal);
    }
  }

  #cached(uid: string, part: Part): Metadata | undefined {
    return this.#of.secrets.get(keyOf(this.#refOf(uid, part)));
  }

  #current<T>(reading: Reading<T> | undefined, uid: string, part: Part): Reading<T> | undefined {
    const cached = this.#cached(uid, part)?.metadata;
    const isSame = cached?.uid === reading?.uid && cached?.resourceVersion === reading?.resourceVersion;
    return isSame ? reading : undefined;
  }

  #refOf(uid: string, part: Part): Ref & { namespace: string } {
    return { namespace: this.#of.namespace, name: part === 'leaf' ? leafPrefix + uid : `botmint-registry-ca-${uid}` };
  }
}
