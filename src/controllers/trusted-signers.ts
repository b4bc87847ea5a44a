import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { readBundle, signedBy } from '../issuers/registry/authorities.ts';
import type { RegistrySigner } from '../issuers/registry/signer.ts';
import type { Leaf, Reading } from './chain-secrets.ts';

/** What a leaf and a bundle have come to. */
interface Judged {
  reading: Reading<Leaf> | undefined;
  bundle: string | undefined;
  /** The last one that was trusted. */
  last: Leaf | undefined;
  signer: RegistrySigner | undefined;
}

/**
 * The leaf that signs for each issuer: the last one that a CA in the published bundle has certified. A leaf that registries would not
 * believe takes nothing away from one that they do; a CA that leaves the bundle takes its leaves along.
 */
export class TrustedSigners {
  /** By the issuer's UID: certificates are checked once, and tokens are signed all the time. */
  readonly #judged = new Map<string, Judged>();

  of(
    { metadata: { uid }, status }: ClusterTokenIssuer,
    reading: Reading<Leaf> | undefined,
  ): RegistrySigner | undefined {
    const judged = this.#judged.get(uid);
    const bundle = status?.rootCertBundle;
    if (judged !== undefined && judged.reading === reading && judged.bundle === bundle) return judged.signer;
    const authorities = readBundle(bundle);
    const newest = reading !== undefined && 'found' in reading ? reading.found : undefined;
    const trusted = [newest, judged?.last].find(leaf => leaf && signedBy(leaf.certificate, authorities) !== undefined);
    this.#judged.set(uid, { reading, bundle, last: trusted ?? judged?.last, signer: trusted?.signer });
    return trusted?.signer;
  }

  forget(issuerUID: string): void {
    this.#judged.delete(issuerUID);
  }
}
