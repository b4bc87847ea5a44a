import { createPublicKey, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { decodeProtectedHeader, importX509, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { makeLeaf, makeSigningAuthority } from '../../../src/issuers/registry/chain.ts';
import { RegistryKeyInvalid, readSigner } from '../../../src/issuers/registry/signer.ts';
import { signRegistryToken } from '../../../src/issuers/registry/token.ts';

const now = new Date('2026-11-22T12:00:00.500Z');
const authority = await makeSigningAuthority('registry', now);
const leaf = await makeLeaf(authority, 'registry', now);
const days = (from: Date, to: Date) => (to.getTime() - from.getTime()) / 86_400_000;

describe('the CA', () => {
  const certificate = new X509Certificate(authority.certificate);

  test('signs itself, for ten years, and may sign leaves only', () => {
    expect(certificate.ca).toBe(true);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(days(now, certificate.validToDate)).toBeCloseTo(3650, 0);
    expect(days(certificate.validFromDate, now) * 24).toBeCloseTo(1, 2);
  });

  test('has a name of its own each time, so that a bundle may hold two', async () => {
    const { certificate: second } = await makeSigningAuthority('registry', now);
    expect(new X509Certificate(second).subject).not.toBe(certificate.subject);
  });

  test('takes an issuer with a name that is longer than a certificate allows', async () => {
    const long = await makeSigningAuthority('x'.repeat(253), now);
    expect(new X509Certificate(long.certificate).subject).toMatch(/OU=x{64}$/m);
  });
});

describe('the leaf', () => {
  const certificate = new X509Certificate(leaf.certificate);
  const ca = new X509Certificate(authority.certificate);

  test('is signed by the CA, for ninety days, and is no CA', () => {
    expect(certificate.checkIssued(ca)).toBe(true);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(days(now, certificate.validToDate)).toBeCloseTo(90, 1);
  });

  test('does not outlive the CA', async () => {
    const late = new Date(now.getTime() + 3640 * 86_400_000);
    const { certificate: short } = await makeLeaf(authority, 'registry', late);
    expect(new X509Certificate(short).validToDate).toEqual(ca.validToDate);
  });

  test('has a key of its own each time', async () => {
    const second = await makeLeaf(authority, 'registry', now);
    expect(new X509Certificate(second.certificate).publicKey.equals(certificate.publicKey)).toBe(false);
  });
});

const of = {
  issuer: 'botmint',
  service: 'registry.example',
  subject: 'robot_shop+ci',
  access: [{ type: 'repository', name: 'shop/cart', actions: ['pull', 'push'] }],
  lifetimeSeconds: 300,
};

describe('a token', async () => {
  const { token, issuedAt, expiresInSeconds } = await signRegistryToken(readSigner(leaf), of, now, () => 'an-id');

  test('says in its header the leaf, and no more than a registry needs', () => {
    const raw = new X509Certificate(leaf.certificate).raw.toString('base64');
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'JWT', alg: 'ES256', x5c: [raw] });
  });

  test('is verified by jose with the leaf, and holds exactly these claims', async () => {
    const key = await importX509(leaf.certificate, 'ES256');
    const options = { algorithms: ['ES256'], issuer: 'botmint', audience: 'registry.example', currentDate: now };
    const { payload } = await jwtVerify(token, key, options);
    const iat = Date.parse('2026-11-22T12:00:00Z') / 1000;
    expect(payload).toEqual({
      iss: 'botmint',
      sub: 'robot_shop+ci',
      aud: 'registry.example',
      exp: iat + 300,
      nbf: iat,
      iat,
      jti: 'an-id',
      access: of.access,
    });
    expect({ issuedAt, expiresInSeconds }).toEqual({ issuedAt: new Date(iat * 1000), expiresInSeconds: 300 });
  });

  test('has an id of its own each time', async () => {
    const id = async () => {
      const { token: other } = await signRegistryToken(readSigner(leaf), of, now);
      return JSON.parse(Buffer.from(other.split('.')[1] ?? '', 'base64url').toString()).jti;
    };
    expect(await id()).toMatch(/^[\da-f-]{36}$/);
    expect(await id()).not.toBe(await id());
  });

  test.each([59, 0, -1, 60.5, Number.NaN])('cannot live %s s', lifetimeSeconds =>
    expect(signRegistryToken(readSigner(leaf), { ...of, lifetimeSeconds }, now)).rejects.toThrow(RangeError),
  );

  test('can live 60 s', async () => {
    const { expiresInSeconds } = await signRegistryToken(readSigner(leaf), { ...of, lifetimeSeconds: 60 }, now);
    expect(expiresInSeconds).toBe(60);
  });
});

describe('a signer', () => {
  test('knows when it is valid, and is due after two thirds of that', () => {
    const { validFrom, validTo, renewAt } = readSigner(leaf);
    expect(days(validFrom, validTo)).toBeCloseTo(90, 1);
    expect(days(validFrom, renewAt)).toBeCloseTo(60, 1);
  });

  test.each<[string, () => { certificate: string; key: SecretValue }]>([
    ['a certificate that is none', () => ({ ...leaf, certificate: 'canary' })],
    ['a key that is none', () => ({ ...leaf, key: new SecretValue('canary') })],
    ['a key of another one', () => ({ ...leaf, key: authority.key })],
    ['the CA', () => authority],
  ])('is not made of %s', (_, pair) => {
    const read = () => readSigner(pair());
    expect(read).toThrow(RegistryKeyInvalid);
    expect(read).not.toThrow(/canary/);
  });

  test('does not show its key', () => {
    const d = leaf.key.reveal().split('\n')[1] ?? '';
    expect(d.length).toBeGreaterThan(40);
    expect(inspect({ leaf, signer: readSigner(leaf) }, { depth: 9, showHidden: true })).not.toContain(d);
    expect(createPublicKey(leaf.key.reveal()).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });
});
