import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import {
  brokenRules,
  generateSecret,
  hasOwnLength,
  isGeneratedSecret,
  secretPattern,
  secretPrefix,
} from '../../../src/issuers/registry/secrets.ts';

describe('a generated secret', () => {
  const many = Array.from({ length: 2000 }, () => generateSecret().reveal());

  test('has 32 characters: prefix, random part and sum, as scanners are told', () => {
    expect(secretPattern).toBe(`${secretPrefix}[0-9A-Za-z]{28}`);
    for (const text of many) expect(text).toMatch(/^bmr_[0-9A-Za-z]{28}$/);
  });

  test('keeps the rules of own secrets but for the length', () => {
    for (const text of many) expect(brokenRules(new SecretValue(text))).toEqual(['at most 20 characters']);
  });

  test('never comes twice', () => expect(new Set(many).size).toBe(many.length));

  test('uses each of the 62 characters as often as the others', () => {
    const counts = new Map<string, number>();
    for (const letter of many.map(text => text.slice(4, 26)).join(''))
      counts.set(letter, (counts.get(letter) ?? 0) + 1);
    expect(counts.size).toBe(62);
    // 44,000 letters, 710 of each with a deviation of 26; taking bytes modulo 62 would give the first eight 25 % more.
    const average = (from: number, to: number) =>
      alphabet
        .slice(from, to)
        .split('')
        .reduce((sum, letter) => sum + (counts.get(letter) ?? 0), 0) /
      (to - from);
    expect(average(0, 8) / average(8, 62)).toBeLessThan(1.12);
  });
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

  test('is drawn again when it lacks a kind of character', () => {
    const draws = [Buffer.alloc(22, 40), randomBytes(22)]; // the first one has lower case letters only
    const text = generateSecret(size => draws.shift() ?? randomBytes(size)).reveal();
    expect(text).toMatch(/[0-9]/);
    expect(text.slice(4, 26)).not.toBe('e'.repeat(22));
  });

  test('is known by its sum, which is this one', () => {
    for (const text of many) expect(isGeneratedSecret(text)).toBe(true);
    // CRC-32 of the 22 characters is 0x5B7571EE (python3: zlib.crc32), in base 62 with digits, upper, lower: 1fqHeg.
    expect(isGeneratedSecret('bmr_0123456789ABCDEFabcdef1fqHeg')).toBe(true);
  });

  test('with any character changed is none', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...many.slice(0, 50)),
        fc.nat(31),
        fc.constantFrom(...alphabet.split('')),
        (text, at, letter) => {
          const changed = text.slice(0, at) + letter + text.slice(at + 1);
          expect(isGeneratedSecret(changed)).toBe(changed === text);
        },
      ),
    );
  });

  test.each(['', 'bmr_', `x${'a'.repeat(31)}`, 'bmr_0000000000000000000000000000\n'])('%j is none', text =>
    expect(isGeneratedSecret(text)).toBe(false),
  );
});

describe('a secret of one’s own', () => {
  test.each<[string, string[]]>([
    ['Passw0rd', []],
    ['Aa3456789012345678-0', []],
    ['Pa:sś0 rd', []],
    ['Passw0r', ['at least 8 characters']],
    ['Aa34567890123456789-1', ['at most 20 characters']],
    ['passw0rd', ['an upper-case letter']],
    ['PASSW0RD', ['a lower-case letter']],
    ['Password', ['a digit']],
    ['Passw0rd\n', ['no line break or other control character']],
    ['Passw0rd\u0000', ['no line break or other control character']],
    ['', ['at least 8 characters', 'an upper-case letter', 'a lower-case letter', 'a digit']],
    ['ŻÓŁĆżółć', ['an upper-case letter', 'a lower-case letter', 'a digit']],
  ])('%j breaks %j', (text, rules) => expect(brokenRules(new SecretValue(text))).toEqual(rules));

  test('is counted in characters, and not in the units of a string', () => {
    expect(brokenRules(new SecretValue(`Aa1${'😀'.repeat(17)}`))).toEqual([]);
    expect(brokenRules(new SecretValue(`Aa1${'😀'.repeat(18)}`))).toEqual(['at most 20 characters']);
  });

  test('is nowhere in what is said of it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 3 }), text => {
        const said = brokenRules(new SecretValue(`\u0001${text}\u0001`)).join();
        expect(said).not.toContain(`\u0001${text}`);
        expect(rules).toEqual(expect.arrayContaining(brokenRules(new SecretValue(text))));
      }),
    );
  });
  const rules = [
    'at least 8 characters',
    'at most 20 characters',
    'an upper-case letter',
    'a lower-case letter',
    'a digit',
    'no line break or other control character',
  ];

  test('that meets the rules has the length of one', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), text => {
        const secret = new SecretValue(text);
        const tooLongOrShort = brokenRules(secret).some(rule => rule.endsWith(' characters'));
        expect(hasOwnLength(secret)).toBe(!tooLongOrShort);
      }),
    );
  });
});
