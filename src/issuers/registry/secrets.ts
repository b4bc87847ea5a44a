import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { SecretValue } from '../../base/secret-value.ts';

/**
 * The form of a generated secret, 32 characters: this prefix, 22 random characters of base 62 (131 bits), and 6 characters
 * of base 62 with the CRC-32 of the random ones (zero-padded, digits before upper before lower case). A scanner that finds
 * the prefix can tell a leaked secret from a look-alike without asking anybody; `_` is in no base64 text.
 */
export const secretPrefix = 'bmr_';
/** For scanners. Whoever matches it checks the sum next. */
export const secretPattern = `${secretPrefix}[0-9A-Za-z]{28}`;

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomLength = 22;
const checksumLength = 6;

/** A secret that meets the rules of own secrets but for their length: upper and lower case letters and a digit. */
export function generateSecret(random: (size: number) => Buffer = randomBytes): SecretValue {
  // One in fifty lacks a digit.
  for (;;) {
    const text = randomText(random);
    if (mixed.every(rule => rule.met(text))) return new SecretValue(secretPrefix + text + checksum(text));
  }
}

/** Whether a text has the form and the sum of a generated secret. Says nothing of whether it was ever in use. */
export function isGeneratedSecret(text: string): boolean {
  if (!new RegExp(`^${secretPattern}$`).test(text)) return false;
  const random = text.slice(secretPrefix.length, secretPrefix.length + randomLength);
  return text.slice(-checksumLength) === checksum(random);
}

interface Rule {
  name: string;
  met(text: string): boolean;
}

const mixed: readonly Rule[] = [
  { name: 'an upper-case letter', met: text => /[A-Z]/.test(text) },
  { name: 'a lower-case letter', met: text => /[a-z]/.test(text) },
  { name: 'a digit', met: text => /[0-9]/.test(text) },
];

const shortest = 8;
const longest = 20;

const ownRules: readonly Rule[] = [
  { name: `at least ${shortest} characters`, met: text => lengthOf(text) >= shortest },
  { name: `at most ${longest} characters`, met: text => lengthOf(text) <= longest },
  ...mixed,
  // Some editors put one there, which nobody sees, and clients do not send it.
  { name: 'no byte order mark', met: text => !text.startsWith('\uFEFF') },
  // RFC 7617 section 2; most often it is a line break at the end of a file.
  { name: 'no line break or other control character', met: text => !/\p{Cc}/u.test(text) },
];

/** The rules that a secret of one's own breaks, each in words that complete "it must have …". Never any part of it. */
export function brokenRules(secret: SecretValue): string[] {
  return ownRules.filter(rule => !rule.met(secret.reveal())).map(({ name }) => name);
}

/** Whether a secret could be somebody's own, by its length alone. */
export function hasOwnLength(secret: SecretValue): boolean {
  const length = lengthOf(secret.reveal());
  return length >= shortest && length <= longest;
}

/** Characters as people count them: code points. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}

function randomText(random: (size: number) => Buffer): string {
  let text = '';
  while (text.length < randomLength) {
    // The last 8 values of a byte would make the first letters more frequent than the others.
    for (const byte of random(randomLength)) {
      if (byte < 248 && text.length < randomLength) text += alphabet.charAt(byte % 62);
    }
  }
  return text;
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  while (digits.length < checksumLength) {
    digits = alphabet.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
