import type { ClusterTokenIssuer, IssuerOf } from '../api/cluster-token-issuer.ts';
import type { Log } from '../base/log.ts';
import { ownOf } from '../decide/registry-bundle.ts';
import type { Observed } from '../decide/registry-issuer-seen.ts';
import { readBundle } from '../issuers/registry/authorities.ts';
import type { RegistrySigner } from '../issuers/registry/signer.ts';
import type { Client } from '../kube/client.ts';
import type { Metadata } from '../kube/core-kinds.ts';
import type { Store } from '../kube/store.ts';
import { ChainReadings, leafPrefix } from './chain-readings.ts';
import { Reloads } from './reloads.ts';
import { TrustedSigners } from './trusted-signers.ts';

export interface SigningChainsOptions {
  client: Pick<Client, 'get' | 'patch'>;
  /** The operator's own. */
  namespace: string;
  secrets: Store<Metadata>;
  issuers: Store<ClusterTokenIssuer>;
  log: Log;
}

/**
 * The signing chains of the registry issuers: a CA and a leaf, each in a Secret of the operator's namespace. Whoever reconciles the
 * issuer makes them. Every replica serves tokens, so each loads the leaf whenever its Secret moves.
 */
export class SigningChains {
  readonly readings: ChainReadings;
  readonly #issuers: Store<ClusterTokenIssuer>;
  readonly #signers = new TrustedSigners();
  readonly #reloads: Reloads<string>;

  constructor(of: SigningChainsOptions) {
    this.readings = new ChainReadings(of);
    this.#issuers = of.issuers;
    const load = (uid: string, signal: AbortSignal) => this.readings.loadLeaf(uid, signal);
    this.#reloads = new Reloads({ load, name: 'leaf', log: of.log });
    of.secrets.onChange(({ after }) => {
      const { namespace, name = '' } = after?.metadata ?? {};
      // Also one that is gone for now: what was loaded goes on signing.
      if (namespace === of.namespace && name.startsWith(leafPrefix)) this.#reloads.add(name.slice(leafPrefix.length));
    });
    of.issuers.onChange(({ before, after }) => {
      // Also one that was gone for a while only: it could not be read, or a list from before a restored backup lacked it.
      if (after !== undefined && before === undefined) this.#reloads.add(after.metadata.uid);
      if (before === undefined || after !== undefined) return;
      for (const each of [this.readings, this.#signers]) each.forget(before.metadata.uid);
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
    const found = this.#issuers.get(issuer);
    return found && this.#signers.of(found, this.readings.lastLeaf(found.metadata.uid));
  }

  /** What is known of an issuer's chain without asking the API server. */
  seen({ metadata: { uid }, status }: IssuerOf<'registry'>): Pick<Observed, 'published' | 'authoritySecret' | 'leaf'> {
    const published = readBundle(status?.rootCertBundle);
    const secret = this.readings.authority(uid);
    const leaf = this.readings.leaf(uid, [...ownOf(secret), ...published]);
    return { published, authoritySecret: secret, leaf };
  }
}
