import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { calculateJwkThumbprint, importJWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import {
  type Algorithm,
  generateSigningKey,
  importSigningKey,
  parsePublicJWK,
  SigningKeyInvalid,
} from '../../../src/issuers/jwt/keys.ts';

const algorithms: Algorithm[] = ['ES256', 'RS256', 'EdDSA'];
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const members = {
  ES256: ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
  RS256: ['alg', 'e', 'kid', 'kty', 'n', 'use'],
  EdDSA: ['alg', 'crv', 'kid', 'kty', 'use', 'x'],
};

describe.each(algorithms)('a %s key', algorithm => {
  test('is published with its public members, alg and use, and nothing else', async () => {
    const { publicJWK } = await generateSigningKey(algorithm);
    expect(Object.keys(publicJWK).sort()).toEqual(members[algorithm]);
    expect(publicJWK).toMatchObject({ alg: algorithm, use: 'sig' });
  });

  test('has its RFC 7638 thumbprint as kid', async () => {
    const { kid, publicJWK } = await generateSigningKey(algorithm);
    expect(kid).toBe(publicJWK.kid);
    expect(kid).toBe(await calculateJwkThumbprint(publicJWK, 'sha256'));
  });

  test('comes back from its Secret with the same kid and public half, and cannot be exported', async () => {
    const made = await generateSigningKey(algorithm);
    const { key, kid, publicJWK } = await importSigningKey(made.privateKey, algorithm);
    expect({ kid, publicJWK }).toEqual({ kid: made.kid, publicJWK: made.publicJWK });
    expect(key).toMatchObject({ kid: made.kid, algorithm, privateKey: { extractable: false, usages: ['sign'] } });
  });

  test('is kept as PKCS#8 in a value that does not print', async () => {
    const { privateKey } = await generateSigningKey(algorithm);
    expect(privateKey.reveal()).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(inspect(privateKey, { depth: 9 })).toBe('[redacted]');
  });

  test('is refused for another algorithm', async () => {
    const { privateKey } = await generateSigningKey(algorithm);
    for (const other of algorithms.filter(name => name !== algorithm)) {
      await expect(importSigningKey(privateKey, other)).rejects.toBeInstanceOf(SigningKeyInvalid);
    }
  });

  test('loses its private members, should they ever come near what is published', async () => {
    const { privateKey, publicJWK } = await generateSigningKey(algorithm);
    const whole = createPrivateKey(privateKey.reveal()).export({ format: 'jwk' });
    const parsed = parsePublicJWK({ ...whole, ...publicJWK });
    expect(parsed).toEqual(publicJWK);
    expect(Object.keys(parsed ?? {}).filter(member => privateMembers.includes(member))).toEqual([]);
    expect(await importJWK(parsed ?? {}, algorithm)).toMatchObject({ type: 'public' });
  });
});

test('an RSA key has 3072 bits', async () => {
  const { publicJWK } = await generateSigningKey('RS256');
  expect(publicJWK.kty === 'RSA' && Buffer.from(publicJWK.n, 'base64url').length * 8).toBe(3072);
});

const pem = (key: ReturnType<typeof createPrivateKey>, type: 'pkcs8' | 'sec1' = 'pkcs8') =>
  key.export({ type, format: 'pem' }).toString();
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });

test.each<[string, Algorithm, string]>([
  ['nothing', 'ES256', ''],
  ['a text', 'ES256', 'canary-not-a-key'],
  ['a truncated key', 'ES256', pem(p256.privateKey).slice(0, 90)],
  ['a public key', 'ES256', p256.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
  ['a key in the form of SEC 1', 'ES256', pem(p256.privateKey, 'sec1')],
  ['a key on another curve', 'ES256', pem(p384)],
  ['an RSA key of 1024 bits', 'RS256', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)],
])('%s is no signing key, and the error does not quote it', async (_, algorithm, text) => {
  const error: unknown = await importSigningKey(new SecretValue(text), algorithm).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(SigningKeyInvalid);
  expect(error).toMatchObject({ reason: 'SigningKeyInvalid', retry: { kind: 'on-change' } });
  const secret = text.split('\n')[1] ?? 'canary';
  expect(secret === '' ? '' : inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
});

test.each([
  ['nothing', undefined],
  ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256', kid: 'k', use: 'sig' }],
  ['a key for encryption', { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', alg: 'ES256', kid: 'k', use: 'enc' }],
  ['a key without alg', { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: 'k', use: 'sig' }],
  ['a key with the alg of another kind', { kty: 'RSA', n: 'n', e: 'AQAB', alg: 'HS256', kid: 'k', use: 'sig' }],
])('%s is not published', (_, value) => expect(parsePublicJWK(value)).toBeUndefined());
