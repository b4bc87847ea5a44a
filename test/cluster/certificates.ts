import 'reflect-metadata'; // x509 does not load without it
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export interface KeyPair {
  /** PEM */
  certificate: string;
  /** PKCS#8 PEM */
  privateKey: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const day = 24 * 60 * 60 * 1000;

/** A certificate authority of a test: it signs what the servers and users of one control plane, or one proxy, show. */
export class Authority {
  readonly #certificate: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  /** The CA's own certificate and key, to be kept in files. */
  readonly pair: KeyPair;

  private constructor(certificate: x509.X509Certificate, key: webcrypto.CryptoKey, pair: KeyPair) {
    this.#certificate = certificate;
    this.#key = key;
    this.pair = pair;
  }

  static async create(name: string): Promise<Authority> {
    const keys = await generate();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...lifetime(),
      name: distinguished(name, []),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new Authority(certificate, keys.privateKey, await pem(certificate, keys.privateKey));
  }

  /** The authority whose certificate and key were kept in files. */
  static async load(pair: KeyPair): Promise<Authority> {
    const key = await webcrypto.subtle.importKey(
      'pkcs8',
      x509.PemConverter.decodeFirst(pair.privateKey),
      algorithm,
      true,
      ['sign'],
    );
    return new Authority(new x509.X509Certificate(pair.certificate), key, pair);
  }

  /** A serving certificate for names and addresses. */
  server(names: { dns: readonly string[]; ip: readonly string[] }): Promise<KeyPair> {
    const alternatives: x509.JsonGeneralNames = [
      ...names.dns.map(value => ({ type: 'dns' as const, value })),
      ...names.ip.map(value => ({ type: 'ip' as const, value })),
    ];
    return this.#sign(distinguished('server', []), x509.ExtendedKeyUsage.serverAuth, [
      new x509.SubjectAlternativeNameExtension(alternatives),
    ]);
  }

  /** A client certificate: Kubernetes takes the user from CN and the groups from O. */
  user(user: string, groups: readonly string[]): Promise<KeyPair> {
    return this.#sign(distinguished(user, groups), x509.ExtendedKeyUsage.clientAuth, []);
  }

  async #sign(subject: x509.JsonName, usage: x509.ExtendedKeyUsage, extensions: x509.Extension[]): Promise<KeyPair> {
    const keys = await generate();
    const certificate = await x509.X509CertificateGenerator.create({
      ...lifetime(),
      subject,
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        ...extensions,
      ],
    });
    return pem(certificate, keys.privateKey);
  }
}

/** A key pair without a certificate, for the signing of ServiceAccount tokens. */
export async function signingKeyPair(): Promise<{ publicKey: string; privateKey: string }> {
  const keys = await generate();
  const publicKey = await webcrypto.subtle.exportKey('spki', keys.publicKey);
  return {
    publicKey: x509.PemConverter.encode(publicKey, 'PUBLIC KEY'),
    privateKey: await privatePEM(keys.privateKey),
  };
}

function generate(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function lifetime(): { notBefore: Date; notAfter: Date; serialNumber: string } {
  const serialNumber = Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex');
  // An hour back: clocks of virtual machines step back now and then.
  return {
    notBefore: new Date(Date.now() - day / 24),
    notAfter: new Date(Date.now() + 365 * day),
    serialNumber: `01${serialNumber}`,
  };
}

function distinguished(name: string, groups: readonly string[]): x509.JsonName {
  return [...groups.map(group => ({ O: [group] })), { CN: [name] }];
}

async function pem(certificate: x509.X509Certificate, key: webcrypto.CryptoKey): Promise<KeyPair> {
  return { certificate: certificate.toString('pem'), privateKey: await privatePEM(key) };
}

async function privatePEM(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
