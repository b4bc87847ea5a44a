import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { BotmintError, type Retry } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';

/** The Secret of a token signing key does not hold a usable pair. Says nothing of what it holds instead. */
export class RegistryKeyInvalid extends BotmintError {
  readonly reason = 'SigningKeyInvalid';
  readonly retry: Retry = { kind: 'on-change' };
}

/** Signs the tokens of one issuer. */
export interface RegistrySigner {
  /** A registry refuses what is signed with it outside of this time, and looks at it by its own clock, without leeway. */
  readonly validFrom: Date;
  readonly validTo: Date;
  /** When its successor should take over: after two thirds of its life. */
  readonly renewAt: Date;
  /** A compact JWS (RFC 7515) of the claims. */
  sign(claims: object): Promise<string>;
}

/**
 * Reads a leaf that chain.ts has made; throws RegistryKeyInvalid for anything else.
 *
 * The header names the leaf itself (`x5c`), which distribution 2.8 and 3 verify up to their bundle. There is no `kid`: 2.8 wants the fingerprint of libtrust in
 * it and 3 an RFC 7638 thumbprint, so no value suits both, and neither looks at it when there is an `x5c`.
 */
export function readSigner(pair: { certificate: string; key: SecretValue }): RegistrySigner {
  const { certificate: leaf, key } = parsePair(pair);
  if (leaf.ca) throw new RegistryKeyInvalid('the certificate is that of a CA');
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new RegistryKeyInvalid('not a key of P-256');
  // Signing in the thread pool; with a KeyObject three times as much of it would be left to the thread that serves all requests.
  const privateKey = key.toCryptoKey(algorithm, false, ['sign']);
  const x5c = [leaf.raw.toString('base64')]; // RFC 7515 section 4.1.6: base64 and not base64url
  const header = encoded({ typ: 'JWT', alg: 'ES256', x5c });
  const [from, to] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  return {
    validFrom: leaf.validFromDate,
    validTo: leaf.validToDate,
    renewAt: new Date(from + ((to - from) * 2) / 3),
    sign: async claims => {
      const input = `${header}.${encoded(claims)}`;
      const signature = await crypto.subtle.sign(algorithm, privateKey, Buffer.from(input));
      return `${input}.${Buffer.from(signature).toString('base64url')}`;
    },
  };
}

/** RFC 7518 section 3.4. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A certificate and the private key that belongs to it; throws RegistryKeyInvalid for anything else. */
export function parsePair(pair: { certificate: string; key: SecretValue }): {
  certificate: X509Certificate;
  key: KeyObject;
} {
  const parsed = tryToParse(pair.certificate, pair.key);
  if (parsed === undefined) throw new RegistryKeyInvalid('not a certificate and a private key in PEM');
  if (!parsed.certificate.checkPrivateKey(parsed.key)) {
    throw new RegistryKeyInvalid('the private key is not that of the certificate');
  }
  return parsed;
}

function tryToParse(
  certificate: string,
  key: SecretValue,
): { certificate: X509Certificate; key: KeyObject } | undefined {
  try {
    return { certificate: new X509Certificate(certificate), key: createPrivateKey(key.reveal()) };
  } catch {
    return undefined; // a parser's message may quote what it could not read
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
