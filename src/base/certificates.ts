// x509 finds its parts through this polyfill; it must be there first.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  type X509CertificateCreateParamsName,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { SecretValue } from './secret-value.ts';

// Loading the X.509 library costs 23 MB and 0.1 s of CPU, so whoever needs this file imports it only at the moment when
// something has to be made, which is hardly ever.

export const day = 24 * 3600 * 1000;
/** The clocks of those who verify may be behind ours. */
const backdated = 3600 * 1000;

// Go's crypto/x509, OpenSSL and every version of distribution know it.
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate (PEM, perhaps with its chain) and its private key (PKCS#8 in PEM): what a Secret of the type kubernetes.io/tls holds. */
export interface Pair {
  certificate: string;
  key: SecretValue;
}

/** What a certificate says. */
export interface Wanted {
  subject: X509CertificateCreateParamsName;
  now: Date;
  /** In milliseconds. */
  life: number;
  /** The identifiers of the keys (RFC 5280 sections 4.2.1.1 and 4.2.1.2) come by themselves. */
  extensions: Extension[];
}

/** A CA with a key of its own. `publicKey`: for another CA that certifies it too. */
export async function makeCA({
  subject,
  now,
  life,
  extensions,
}: Wanted): Promise<Pair & { publicKey: webcrypto.CryptoKey }> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: subject,
    keys,
    ...lifetime(now, life),
    signingAlgorithm: algorithm,
    extensions: [...extensions, await SubjectKeyIdentifierExtension.create(keys.publicKey)],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey), publicKey: keys.publicKey };
}

/** What makes a certificate that of a CA, with so many others between it and a leaf at the most. */
export function authorityExtensions(pathLength: number): Extension[] {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

/** What makes it that of a key that signs, and certifies nothing. */
export function leafExtensions(): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
  ];
}

/** A new key with a certificate by the CA, which it never outlives. */
export async function makeCertified(authority: Pair, wanted: Wanted): Promise<Pair> {
  const keys = await generateKeys();
  return { certificate: await certify(authority, keys.publicKey, wanted), key: await exportKey(keys.privateKey) };
}

/** A certificate by the CA for somebody's public key; it never outlives the CA. */
export async function certify(
  authority: Pair,
  publicKey: webcrypto.CryptoKey,
  { subject, now, life, extensions }: Wanted,
): Promise<string> {
  const issuer = new X509Certificate(authority.certificate);
  const { notBefore, notAfter } = lifetime(now, life);
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer.subject,
    publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: algorithm,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), issuer.notAfter.getTime())),
    extensions: [
      ...extensions,
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return pem(certificate);
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
