import { describe, expect, test } from 'vitest';
import { newTokenID, parseTokenID } from '../../src/issuers/token-id.ts';

const tokenUID = '5f0c2a3e-6c1b-4f4e-9a55-0d6f3e0b8f11';

describe('a token id', () => {
  test('holds UID and revision, and comes back', () => {
    const id = newTokenID(tokenUID, 12);
    expect(parseTokenID(id)).toEqual({ uid: tokenUID, revision: 12, nonce: id.split('.')[2] });
  });

  test('is another one each time, with at least 64 random bits that need no escaping', () => {
    const ids = Array.from({ length: 1000 }, () => newTokenID(tokenUID, 1));
    expect(new Set(ids).size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}\.1\.[\w-]{11,}$/);
  });

  test('takes its nonce from the caller when one is given', () => {
    expect(newTokenID('u', 1, () => 'nonce')).toBe('u.1.nonce');
  });

  test.each([
    '',
    'a',
    'a.1',
    'a.1.',
    '.1.n',
    'a.0.n',
    'a.-1.n',
    'a.01.n',
    'a.1e3.n',
    'a.1.n.m',
    'a.1.n\n',
    'a.9999999999999999.n',
  ])('%j is none', id => expect(parseTokenID(id)).toBeUndefined());
});
