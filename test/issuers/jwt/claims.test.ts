import { createHmac } from 'node:crypto';
import { createLocalJWKSet, exportSPKI, importJWK, type JWTPayload, SignJWT } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import type { SecretValue } from '../../../src/base/secret-value.ts';
import { verifyBotToken } from '../../../src/issuers/jwt/claims.ts';
import {
  generateSigningKey,
  importSigningKey,
  type PublicJWK,
  type SigningKey,
} from '../../../src/issuers/jwt/keys.ts';
import { signBotToken } from '../../../src/issuers/jwt/sign.ts';
import { claims, inputs, issuerURL, now, recordedID } from './healthy.ts';

interface Pair {
  key: SigningKey;
  publicJWK: PublicJWK;
}
let ours: Pair;
let rsa: Pair;
let theirs: Pair;

async function pair(algorithm: 'ES256' | 'RS256'): Promise<Pair> {
  const { privateKey } = await generateSigningKey(algorithm);
  return importSigningKey(privateKey, algorithm);
}
beforeAll(async () => {
  [ours, rsa, theirs] = await Promise.all([pair('ES256'), pair('RS256'), pair('ES256')]);
});

const verify = (token: string, published: PublicJWK[] = [ours.publicJWK, rsa.publicJWK], url = issuerURL) =>
  verifyBotToken(token, { issuerURL: url, published, keys: createLocalJWKSet({ keys: published }) }, now);

function good(key = ours.key): Promise<SecretValue> {
  const token = { namespace: 'team-a', name: 'deploy', uid: claims['botmint.dev'].uid };
  return signBotToken(key, { issuerURL, tokenID: recordedID, token, inputs });
}
function signed(header: object, payload: JWTPayload = { ...claims }, key = ours.key): Promise<string> {
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: 'bot+jwt', ...header })
    .sign(key.privateKey);
}
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token of each published key is valid', async () => {
  for (const key of [ours.key, rsa.key]) {
    expect(await verify((await good(key)).reveal())).toMatchObject({ valid: true, claims: { jti: recordedID } });
  }
});

/** HMAC with what everybody can read as the key: works on verifiers that let the token choose the algorithm. */
async function hmacWithPublicKey(): Promise<string> {
  const spki = await exportSPKI(await publicKey(rsa.publicJWK));
  const text = `${base64({ alg: 'HS256', kid: rsa.key.kid, typ: 'bot+jwt' })}.${base64(claims)}`;
  return `${text}.${createHmac('sha256', spki).update(text).digest('base64url')}`;
}
async function publicKey(jwk: PublicJWK) {
  const key = await importJWK(jwk, jwk.alg, { extractable: true });
  if (key instanceof Uint8Array) throw new Error('not a public key');
  return key;
}
async function tampered(part: 0 | 1 | 2): Promise<string> {
  const parts = (await good()).reveal().split('.');
  const changed = {
    0: base64({ alg: 'ES256', kid: ours.key.kid, typ: 'bot+jwt', x: 1 }),
    1: base64({ ...claims, sub: 'bot:team-a:root' }),
  };
  parts[part] = part === 2 ? (parts[2] ?? '').replace(/^./, first => (first === 'A' ? 'B' : 'A')) : changed[part];
  return parts.join('.');
}
const { sub: _, ...withoutSubject } = claims;

test.each<[string, () => Promise<string>]>([
  ['nothing', async () => ''],
  ['a text', async () => 'not.a.token'],
  [
    'a token without signature and alg none',
    async () => `${base64({ alg: 'none', typ: 'bot+jwt', kid: ours.key.kid })}.${base64(claims)}.`,
  ],
  ['a token signed with HS256 and the public key', hmacWithPublicKey],
  ['an access token', () => signed({ typ: 'at+jwt' })],
  ['an ID token', () => signed({ typ: 'JWT' })],
  ['a token without typ', () => signed({ typ: undefined })],
  ['a token without kid', () => signed({ kid: undefined })],
  ['a token with an unknown kid', () => signed({ kid: 'unknown' })],
  ['a token of another issuer under our kid', () => signed({ kid: ours.key.kid }, { ...claims }, theirs.key)],
  ['a token that brings its own key', () => signed({ jwk: theirs.publicJWK }, { ...claims }, theirs.key)],
  ['a token with the kid of a key for another algorithm', () => signed({ kid: rsa.key.kid })],
  ['a token with another header', () => tampered(0)],
  ['a token with other claims', () => tampered(1)],
  ['a token with another signature', () => tampered(2)],
  ['a token of another issuerURL', () => signed({}, { ...claims, iss: 'https://tokens.example.org' })],
  ['a token that ends now', () => signed({}, { ...claims, exp: now.getTime() / 1000 })],
  ['a token without subject', () => signed({}, withoutSubject)],
  ['a token with a text for an end', () => signed({}, JSON.parse(JSON.stringify({ ...claims, exp: 'never' })))],
])('%s is not valid', async (_, token) => expect(await verify(await token())).toMatchObject({ valid: false }));

test('what is not valid without each check is valid with it: the cases differ from a good token in one thing', async () => {
  expect(await verify(await signed({}))).toMatchObject({ valid: true });
});

test('no key published: nothing is valid', async () => {
  expect(await verify((await good()).reveal(), [])).toMatchObject({ valid: false });
});

test('the reason never quotes the token', async () => {
  const canary = 'canary'.repeat(8);
  const results = await Promise.all([
    verify(canary),
    verify(`${canary}.${canary}.${canary}`),
    verify(await signed({ typ: canary, kid: canary })),
  ]);
  expect(JSON.stringify(results)).not.toContain('canary');
});
