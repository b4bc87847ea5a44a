import { inflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { tokenStatuses } from '../../../src/api/token-status.ts';
import { generateSigningKey, importSigningKey } from '../../../src/issuers/jwt/keys.ts';
import {
  indexOf,
  listSize,
  placeOf,
  StatusList,
  signStatusList,
  statusClaim,
} from '../../../src/issuers/jwt/status-list.ts';

const base64url = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');

// draft-ietf-oauth-status-list, section 4.1 and the examples of section 4.2.
describe('the vectors of the draft', () => {
  test.each<[string, 1 | 2, string, number[]]>([
    ['one bit', 1, '78dadbb918000217015d', [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]],
    ['two bits', 2, '78da3be9f2130003df0207', [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]],
  ])('%s', (_, bits, zlib, statuses) => {
    const list = StatusList.decode(base64url(zlib), bits, statuses.length);
    expect(Array.from({ length: list.size }, (_, index) => list.valueAt(index))).toEqual(statuses);
    const again = inflateSync(Buffer.from(list.encode(), 'base64url'));
    expect(again).toEqual(inflateSync(Buffer.from(zlib, 'hex')));
    expect(() => list.valueAt(statuses.length)).toThrow(RangeError);
  });
});

const size = 64;
const change = fc.tuple(fc.nat(size - 1), fc.constantFrom(...tokenStatuses));
const changes = fc.array(change, { maxLength: 200 });

test('what is written is read back, and everything else stays', () => {
  fc.assert(
    fc.property(changes, list => {
      const first = new Map<number, string>();
      for (const [index, status] of list) if (first.get(index) !== 'INVALID') first.set(index, status);
      const written = StatusList.decode(StatusList.of('VALID', size).with(list).encode());
      for (let index = 0; index < size; index++) expect(written.at(index)).toBe(first.get(index) ?? 'VALID');
    }),
  );
});

test('INVALID is final, in whatever order changes are merged', () => {
  fc.assert(
    fc.property(changes, changes, (some, others) => {
      const before = StatusList.of('VALID', size).with(some);
      const after = before.with(others);
      expect(after.revived(before)).toEqual([]);
      const invalid = (list: readonly (readonly [number, string])[]) =>
        list.filter(([, status]) => status === 'INVALID').map(([index]) => index);
      for (const index of [...invalid(some), ...invalid(others)]) expect(after.at(index)).toBe('INVALID');
      // The input was not written to.
      expect(before.equals(StatusList.of('VALID', size).with(some))).toBe(true);
    }),
  );
});

test('what somebody made valid again is found', () => {
  const before = StatusList.of('VALID', size).with([
    [3, 'INVALID'],
    [4, 'INVALID'],
    [5, 'SUSPENDED'],
  ]);
  const after = StatusList.of('VALID', size).with([
    [3, 'SUSPENDED'],
    [9, 'INVALID'],
  ]);
  expect(after.revived(before)).toEqual([3, 4]);
});

test('a list of one status', () => {
  const list = StatusList.of('INVALID');
  expect([list.size, list.at(0), list.at(listSize - 1), list.isKnown]).toEqual([listSize, 'INVALID', 'INVALID', true]);
  expect(() => list.at(listSize)).toThrow(RangeError);
  expect(StatusList.decode(list.encode()).equals(list)).toBe(true);
});

test('a list with the fourth value is not ours', () => {
  expect(StatusList.decode(base64url('78da3be9f2130003df0207'), 2).isKnown).toBe(false);
});

test.each([
  ['no base64', '***'],
  ['nothing compressed', Buffer.from('hello').toString('base64url')],
  ['more than a list holds', StatusList.of('VALID', 4 * listSize).encode()],
])('%s is refused', (_, lst) => {
  expect(() => StatusList.decode(lst)).toThrow();
});

test('1,000 revoked of 100,000 take a few kilobytes', () => {
  const revoked = Array.from({ length: 1000 }, (_, n) => [(n * 7919) % 100_000, 'INVALID'] as const);
  const bytes = Buffer.from(StatusList.of('VALID').with(revoked).encode(), 'base64url').length;
  expect(bytes).toBeLessThan(3000);
});

test('an index is one number: the list and the place in it', () => {
  const index = indexOf({ list: 2 ** 31 - 1, idx: listSize - 1 });
  expect(Number.isSafeInteger(index)).toBe(true);
  expect(placeOf(index)).toEqual({ list: 2 ** 31 - 1, idx: listSize - 1 });
  expect(statusClaim('https://a.example', indexOf({ list: 7, idx: 3 }))).toEqual({
    status_list: { idx: 3, uri: 'https://a.example/status/7' },
  });
});

test('a signed list has the claims of the draft, and verifies with jose', async () => {
  const { privateKey } = await generateSigningKey('ES256');
  const { key, publicJWK } = await importSigningKey(privateKey, 'ES256');
  const issuedAt = new Date('2026-12-01T00:00:00Z');
  const lst = StatusList.of('VALID')
    .with([[5, 'INVALID']])
    .encode();
  const of = { issuerURL: 'https://a.example', list: 7, lst, issuedAt, lifetimeSeconds: 3600, ttlSeconds: 60 };
  const { payload, protectedHeader } = await jwtVerify(
    await signStatusList(key, of),
    createLocalJWKSet({ keys: [publicJWK] }),
    { typ: 'statuslist+jwt', currentDate: issuedAt, subject: 'https://a.example/status/7' },
  );
  expect(protectedHeader).toEqual({ alg: 'ES256', kid: key.kid, typ: 'statuslist+jwt' });
  const iat = issuedAt.getTime() / 1000;
  expect(payload).toEqual({
    iss: 'https://a.example',
    sub: 'https://a.example/status/7',
    iat,
    exp: iat + 3600,
    ttl: 60,
    status_list: { bits: 2, lst },
  });
});
