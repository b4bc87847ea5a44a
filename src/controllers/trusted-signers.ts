import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { readBundle, signedBy } from '../issuers/registry/authorities.ts';
import type { RegistrySigner } from '../issuers/registry/signer.ts';
import type { Leaf, Reading } from './chain-secrets.ts';

/** What a leaf and a bundle have come to. */
interface Judged {
  leaf: Reading<Leaf>;
  bundle: string | undefined;
  signer: RegistrySigner | undefined;
}

/**
 * The leaf that signs for each issuer: the last one that a CA in the published bundle has certified. What registries would not believe
 * takes nothing away from what they do.
 */
export class TrustedSigners {
  /** By the issuer's UID: certificates are checked once, and tokens are signed all the time. */
  readonly #judged = new Map<string, Judged>();

  of({ metadata: { uid }, status }: ClusterTokenIssuer, leaf: Reading<Leaf> | undefined): RegistrySigner | undefined {
    const judged = this.#judged.get(uid);
    const bundle = status?.rootCertBundle;
    if (leaf === undefined || (judged?.leaf === leaf && judged.bundle === bundle)) return judged?.signer;
    const isTrusted = 'found' in leaf && signedBy(leaf.found.certificate, readBundle(bundle)) !== undefined;
    const signer = isTrusted ? leaf.found.signer : judged?.signer;
    this.#judged.set(uid, { leaf, bundle, signer });
    return signer;
  }

  delete(issuerUID: string): void {
    this.#judged.delete(issuerUID);
  }
}
