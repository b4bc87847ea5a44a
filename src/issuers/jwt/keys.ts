import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportPKCS8, generateKeyPair, importPKCS8 } from 'jose';
import * as z from 'zod';
import { BotmintError, type Retry } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';

export type Algorithm = 'ES256' | 'RS256' | 'EdDSA';

/**
 * RSA at the strength of P-256, 128 bits (NIST SP 800-57 part 1, table 2): a token may live for years, and 2048 bits
 * are approved to 2030 only. Signing takes 0.8 ms instead of 0.3 ms, which is still far above the rate of API writes.
 */
const rsaBits = 3072;
/** RFC 7518 section 3.3: what is shorter must not be used; jose refuses it as well. */
const leastRSABits = 2048;

/** A private key that is ready to sign. The key itself cannot be exported again. */
export interface SigningKey {
  kid: string;
  algorithm: Algorithm;
  privateKey: CryptoKey;
}

/** A key that was just made; its private half exists here and in the Secret that it is written to. */
export interface NewKey {
  kid: string;
  publicJWK: PublicJWK;
  /** PKCS#8 in PEM. */
  privateKey: SecretValue;
}

const common = { kid: z.string().min(1), use: z.literal('sig') };

/** The public members of a key and nothing else: whatever more an object holds, `d` first of all, is dropped in parsing. */
const PublicJWK = z.discriminatedUnion('kty', [
  z.object({
    kty: z.literal('EC'),
    crv: z.literal('P-256'),
    x: z.string(),
    y: z.string(),
    alg: z.literal('ES256'),
    ...common,
  }),
  z.object({ kty: z.literal('RSA'), n: z.string(), e: z.string(), alg: z.literal('RS256'), ...common }),
  z.object({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: z.string(),
    alg: z.literal('EdDSA'),
    ...common,
  }),
]);
export type PublicJWK = z.infer<typeof PublicJWK>;

/** A published key, reduced to its public members, or undefined when it is of no kind that is issued here. */
export function parsePublicJWK(value: unknown): PublicJWK | undefined {
  return PublicJWK.safeParse(value).data;
}

/** The Secret of a signing key does not hold a usable key. Says nothing of what it holds instead. */
export class SigningKeyInvalid extends BotmintError {
  readonly reason = 'SigningKeyInvalid';
  readonly retry: Retry = { kind: 'on-change' };
}

/** A new key pair. Its `kid` is the RFC 7638 thumbprint, so that the key alone says what its name must be. */
export async function generateSigningKey(algorithm: Algorithm): Promise<NewKey> {
  const pair = await generateKeyPair(algorithm, { extractable: true, modulusLength: rsaBits });
  const pem = await exportPKCS8(pair.privateKey);
  const publicJWK = await publicHalf(pem, algorithm);
  return { kid: publicJWK.kid, publicJWK, privateKey: new SecretValue(pem) };
}

/**
 * The key in a Secret, with the `kid` and the public half computed from the key itself: whoever compares them with what
 * is published notices a Secret that was edited. Throws SigningKeyInvalid when the text is not a PKCS#8 key for the algorithm.
 */
export async function importSigningKey(
  pem: SecretValue,
  algorithm: Algorithm,
): Promise<{ key: SigningKey; kid: string; publicJWK: PublicJWK }> {
  try {
    const publicJWK = await publicHalf(pem.reveal(), algorithm);
    const privateKey = await importPKCS8(pem.reveal(), algorithm, { extractable: false });
    return { key: { kid: publicJWK.kid, algorithm, privateKey }, kid: publicJWK.kid, publicJWK };
  } catch {
    // The cause is left out on purpose: a parser's message may quote what it could not read.
    throw new SigningKeyInvalid(`not a PKCS#8 private key for ${algorithm}`);
  }
}

/** Derived by OpenSSL from the private key; the private members never become a JWK. */
async function publicHalf(pem: string, algorithm: Algorithm): Promise<PublicJWK> {
  const key = createPublicKey(pem);
  if ((key.asymmetricKeyDetails?.modulusLength ?? leastRSABits) < leastRSABits) throw new Error('RSA key too short');
  const jwk = jwkOf(key);
  const kid = await calculateJwkThumbprint(jwk, 'sha256');
  return PublicJWK.parse({ ...jwk, kid, alg: algorithm, use: 'sig' });
}

function jwkOf(key: KeyObject): JsonWebKey & { kty: string } {
  const jwk = key.export({ format: 'jwk' });
  if (jwk.kty === undefined) throw new Error('no key type');
  return { ...jwk, kty: jwk.kty };
}
