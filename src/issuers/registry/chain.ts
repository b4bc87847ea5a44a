// x509 finds its parts through this polyfill; it must be there first.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { SecretValue } from '../../base/secret-value.ts';

// Makes what a registry verifies tokens with. Loading the X.509 library costs 23 MB, so this file is imported only at the moment when
// something has to be made; signer.ts, which is needed all the time, does without it.

const day = 24 * 3600 * 1000;
/** A registry reads its bundle once, when it starts, so the CA has to outlive many of its restarts. */
const authorityLife = 3650 * day;
/** Its key is in use on every replica; a new leaf costs nobody anything. */
const leafLife = 90 * day;
/** A registry's clock may be behind ours. */
const backdated = 3600 * 1000;

// Go's crypto/x509, OpenSSL and every version of distribution know it.
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate (PEM) and its private key (PKCS#8 in PEM): what a Secret of the type kubernetes.io/tls holds. */
export interface Pair {
  certificate: string;
  key: SecretValue;
}

/**
 * Makes the CA of an issuer. Its certificate is what the registry's `rootcertbundle` holds. It signs certificates, never a token; a bundle
 * may hold several, so a successor is put beside it and used after every registry has been restarted.
 */
export async function makeSigningAuthority(issuer: string, now: Date): Promise<Pair> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: named(`botmint registry CA ${crypto.randomUUID().slice(0, 8)}`, issuer),
    keys,
    ...lifetime(now, authorityLife),
    signingAlgorithm: algorithm,
    extensions: [
      // Nothing stands between it and a leaf: the token carries the leaf alone.
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/** Makes a key that signs tokens, certified by the CA. It never outlives the CA. */
export async function makeLeaf(authority: Pair, issuer: string, now: Date): Promise<Pair> {
  const ca = new X509Certificate(authority.certificate);
  const keys = await generateKeys();
  const { notBefore, notAfter } = lifetime(now, leafLife);
  const certificate = await X509CertificateGenerator.create({
    subject: named('botmint registry token', issuer),
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: algorithm,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), ca.notAfter.getTime())),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      await AuthorityKeyIdentifierExtension.create(ca.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/** RFC 5280 allows 64 characters in a name; an issuer's name may be longer, and is there for people to read. */
function named(commonName: string, issuer: string) {
  return [{ CN: [commonName] }, { OU: [issuer.slice(0, 64)] }];
}

function lifetime(now: Date, life: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - backdated), notAfter: new Date(now.getTime() + life) };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<SecretValue> {
  return new SecretValue(`${PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`);
}

async function importKey(key: SecretValue): Promise<webcrypto.CryptoKey> {
  const [der] = PemConverter.decode(key.reveal());
  if (der === undefined) throw new Error('the private key of the CA is not PEM');
  return await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
