import { X509Certificate } from 'node:crypto';
import type { SecretValue } from '../../base/secret-value.ts';
import { parsePair, RegistryKeyInvalid } from './signer.ts';

/** The certificate of a CA, as a registry's bundle holds it. */
export interface Authority {
  /** In PEM, with a line break at its end. */
  certificate: string;
  /** SHA-256 of the certificate, in hex: what `openssl x509 -fingerprint -sha256` prints, without its colons. */
  fingerprint: string;
  validFrom: Date;
  validTo: Date;
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The CAs of a bundle, each once. What is no certificate of a CA is left out. */
export function readBundle(text: string | undefined): Authority[] {
  const found = [...(text ?? '').matchAll(pemBlock)].flatMap(([pem]) => {
    const certificate = tryToParse(pem);
    return certificate?.ca === true ? [authorityOf(certificate)] : [];
  });
  return [...new Map(found.map(authority => [authority.fingerprint, authority])).values()];
}

/** Reads a CA that chain.ts has made; throws RegistryKeyInvalid for anything else. */
export function readAuthority(pair: { certificate: string; key: SecretValue }): Authority {
  const { certificate } = parsePair(pair);
  if (!certificate.ca) throw new RegistryKeyInvalid('the certificate is not that of a CA');
  return authorityOf(certificate);
}

/** Which of these CAs has signed a leaf. */
export function signedBy(leaf: string, authorities: readonly Authority[]): Authority | undefined {
  const certificate = tryToParse(leaf);
  return authorities.find(authority => {
    const ca = new X509Certificate(authority.certificate);
    return certificate?.checkIssued(ca) === true && certificate.verify(ca.publicKey);
  });
}

function authorityOf(certificate: X509Certificate): Authority {
  return {
    certificate: certificate.toString(),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    validFrom: certificate.validFromDate,
    validTo: certificate.validToDate,
  };
}

function tryToParse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined; // what it is instead is nobody's business
  }
}
