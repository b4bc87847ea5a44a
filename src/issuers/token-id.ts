import { randomBytes } from 'node:crypto';

/** 96 bits in 16 characters: two makings of one revision never meet, however many operators and retries there are. */
const nonce = () => randomBytes(12).toString('base64url');

/** `<uid>.<revision>.<nonce>`: unique per making, so that a credential that was lost before its record can be told from the next. */
export function newTokenID(uid: string, revision: number, random: () => string = nonce): string {
  return `${uid}.${revision}.${random()}`;
}

/** The parts of a token id, or undefined for a text that is none. */
export function parseTokenID(id: string): { uid: string; revision: number; nonce: string } | undefined {
  const [, uid, revision, nonce] = /^([\w-]+)\.([1-9][0-9]{0,14})\.([\w-]+)$/.exec(id) ?? [];
  if (uid === undefined || revision === undefined || nonce === undefined) return undefined;
  return { uid, revision: Number(revision), nonce };
}
