import { authorityExtensions, day, leafExtensions, makeCA, makeCertified, type Pair } from '../../base/certificates.ts';

// Makes what a registry verifies tokens with. It loads the X.509 library; signer.ts, which is needed all the time, does
// without it.

/** A registry reads its bundle once, when it starts, so the CA has to outlive many of its restarts. */
const authorityLife = 3650 * day;
/** Its key is in use on every replica; a new leaf costs nobody anything. */
const leafLife = 90 * day;

/**
 * Makes the CA of an issuer. Its certificate is what the registry's `rootcertbundle` holds. It signs certificates, never a token; a bundle
 * may hold several, so a successor is put beside it and used after every registry has been restarted.
 */
export async function makeSigningAuthority(issuer: string, now: Date): Promise<Pair> {
  const subject = named(`botmint registry CA ${crypto.randomUUID().slice(0, 8)}`, issuer);
  // Nothing stands between it and a leaf: the token carries the leaf alone.
  const { certificate, key } = await makeCA({ subject, now, life: authorityLife, extensions: authorityExtensions(0) });
  return { certificate, key };
}

/** Makes a key that signs tokens, certified by the CA. It never outlives the CA. */
export async function makeLeaf(authority: Pair, issuer: string, now: Date): Promise<Pair> {
  const subject = named('botmint registry token', issuer);
  return makeCertified(authority, { subject, now, life: leafLife, extensions: leafExtensions() });
}

/** RFC 5280 allows 64 characters in a name; an issuer's name may be longer, and is there for people to read. */
function named(commonName: string, issuer: string) {
  return [{ CN: [commonName] }, { OU: [issuer.slice(0, 64)] }];
}
