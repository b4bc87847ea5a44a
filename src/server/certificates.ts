// x509 finds its parts through this polyfill; it must be there first.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { SecretValue } from '../base/secret-value.ts';
import { type Authority, authorityName, type ServingNames } from './certificate-plan.ts';

// Loading the X.509 library costs 23 MB and 0.1 s of CPU, so tls.ts imports this file only at the
// moment when something has to be made, which is hardly ever.

const day = 24 * 3600 * 1000;
/** Long enough that whoever copied the CA certificate hears of its successor: that one comes after two thirds. */
const authorityLife = 1825 * day;
const servingLife = 90 * day;
/** Clocks of relying parties may be behind ours. */
const backdated = 3600 * 1000;

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate (PEM, chain included) and its private key (PKCS#8 PEM). */
export interface Pair {
  certificate: string;
  key: SecretValue;
}

/** A new CA; `cross` is the same CA certified by its predecessor, for those who only know that one. */
export interface NewAuthority extends Pair {
  cross?: string;
}

/**
 * Makes a CA with a key of its own. With a predecessor that is still valid it is also certified by that one, so that
 * relying parties that have not yet seen the new CA go on trusting what it signs until the old one ends.
 */
export async function makeAuthority(now: Date, predecessor?: Authority): Promise<NewAuthority> {
  const keys = await generateKeys();
  // A name of its own each time: OpenSSL looks for an issuer by name first, and takes the wrong one of two namesakes.
  const name = `CN=${authorityName} ${crypto.randomUUID().slice(0, 8)}`;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    ...lifetime(now, authorityLife),
    signingAlgorithm: algorithm,
    extensions: [...authorityExtensions(1), await SubjectKeyIdentifierExtension.create(keys.publicKey)],
  });
  const made = { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
  if (predecessor === undefined) return made;
  return {
    ...made,
    cross: await certify(predecessor, name, keys.publicKey, now, authorityLife, authorityExtensions(0)),
  };
}

/** Makes a serving certificate for these names, signed by the CA; it never outlives the CA. */
export async function makeServing(authority: Authority, names: ServingNames, now: Date): Promise<Pair> {
  const keys = await generateKeys();
  const subjects = [
    ...names.dns.map(value => ({ type: 'dns' as const, value })),
    ...names.ip.map(value => ({ type: 'ip' as const, value })),
  ];
  const leaf = await certify(authority, 'CN=botmint', keys.publicKey, now, servingLife, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(subjects),
  ]);
  return { certificate: leaf + (authority.cross ?? ''), key: await exportKey(keys.privateKey) };
}

/** The PEM of a certificate for somebody's public key, signed by the CA. */
async function certify(
  authority: Authority,
  subject: string,
  publicKey: webcrypto.CryptoKey,
  now: Date,
  life: number,
  extensions: Extension[],
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
    notAfter: earlier(notAfter, issuer.notAfter),
    extensions: [
      ...extensions,
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return pem(certificate);
}

/** Path length 1 leaves room for the cross certificate of a successor. */
function authorityExtensions(pathLength: number): Extension[] {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

function lifetime(now: Date, life: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - backdated), notAfter: new Date(now.getTime() + life) };
}

function earlier(a: Date, b: Date): Date {
  return new Date(Math.min(a.getTime(), b.getTime()));
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
