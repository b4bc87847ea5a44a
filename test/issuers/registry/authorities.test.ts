import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readAuthority, readBundle, signedBy } from '../../../src/issuers/registry/authorities.ts';
import { makeLeaf, makeSigningAuthority } from '../../../src/issuers/registry/chain.ts';
import { RegistryKeyInvalid } from '../../../src/issuers/registry/signer.ts';

const now = new Date('2026-11-22T12:00:00Z');
const [first, second] = [await makeSigningAuthority('hub', now), await makeSigningAuthority('hub', now)];
const leaf = await makeLeaf(first, 'hub', now);
const fingerprints = (bundle: string | undefined) => readBundle(bundle).map(({ fingerprint }) => fingerprint);
const [ofFirst, ofSecond] = [readAuthority(first).fingerprint, readAuthority(second).fingerprint];

describe('a bundle', () => {
  test('holds its CAs in their order, each once', () => {
    const text = [first, second, first].map(({ certificate }) => certificate).join('');
    expect(fingerprints(text)).toEqual([ofFirst, ofSecond]);
    expect(readBundle(text).map(({ certificate }) => certificate)).toEqual([first.certificate, second.certificate]);
  });

  test('that is not there holds none', () => expect(readBundle(undefined)).toEqual([]));

  test('is read without what is no certificate of a CA: nothing is certified by that', () => {
    const none = '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n';
    expect(fingerprints(`a note\n${leaf.certificate}${none}${second.certificate}`)).toEqual([ofSecond]);
  });
});

test('a leaf is no CA', () => expect(() => readAuthority(leaf)).toThrow(RegistryKeyInvalid));

describe('who has signed a leaf', () => {
  const both = [readAuthority(second), readAuthority(first)];

  test('is said of the CA whose key it was', () => {
    expect(signedBy(leaf.certificate, both)?.fingerprint).toBe(ofFirst);
    expect(signedBy(leaf.certificate, [readAuthority(second)])).toBeUndefined();
    expect(signedBy('no certificate', both)).toBeUndefined();
  });

  test('is not believed by the names in it alone', () => {
    const forged = Buffer.from(new X509Certificate(leaf.certificate).raw);
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
    const certificate = `-----BEGIN CERTIFICATE-----\n${forged.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(new X509Certificate(certificate).checkIssued(new X509Certificate(first.certificate))).toBe(true);
    expect(signedBy(certificate, both)).toBeUndefined();
  });
});
