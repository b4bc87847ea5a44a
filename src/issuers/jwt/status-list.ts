import { deflateSync, inflateSync } from 'node:zlib';
import { SignJWT } from 'jose';
import { type TokenStatus, tokenStatuses } from '../../api/token-status.ts';
import type { SigningKey } from './keys.ts';

/** Explicit typing (RFC 8725 section 3.11): neither a bot token nor an ID token can be taken for a status list. */
const statusListType = 'statuslist+jwt';

/** SUSPENDED needs more than one bit. */
const bitsPerStatus = 2;
/**
 * How many indexes one list has. An index is recorded as one number, `list × listSize + idx`, so this may never change. 2^17:
 * 32 KiB of statuses, and a few kilobytes on the wire with one revoked token in a hundred (draft, section 14.1).
 */
export const listSize = 2 ** 17;

/** Statuses of the same width in bytes, the first in the lowest bits (draft, section 4.1), as they are compressed and sent. */
export class StatusList {
  readonly bits: 1 | 2 | 4 | 8;
  readonly #bytes: Uint8Array;

  private constructor(bits: 1 | 2 | 4 | 8, bytes: Uint8Array) {
    this.bits = bits;
    this.#bytes = bytes;
  }

  /** A list in which every token has the same status. */
  static of(status: TokenStatus, size: number = listSize): StatusList {
    const bytes = new Uint8Array((size * bitsPerStatus) / 8).fill(0b01010101 * tokenStatuses.indexOf(status));
    return new StatusList(bitsPerStatus, bytes);
  }

  /** Reads `lst`. Throws when it is not a compressed list, or holds more than `size` statuses; never inflates more than that. */
  static decode(lst: string, bits: 1 | 2 | 4 | 8 = bitsPerStatus, size: number = listSize): StatusList {
    const maxOutputLength = Math.ceil((size * bits) / 8);
    return new StatusList(bits, inflateSync(Buffer.from(lst, 'base64url'), { maxOutputLength }));
  }

  get size(): number {
    return (this.#bytes.length * 8) / this.bits;
  }

  /** The number at an index. Throws RangeError where the list has none: a relying party must reject such a token. */
  valueAt(index: number): number {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) throw new RangeError(`no index ${index}`);
    const place = index * this.bits;
    return ((this.#bytes[place >>> 3] ?? 0) >>> (place & 7)) & (2 ** this.bits - 1);
  }

  /** The same in words; undefined for a number that botmint never writes. */
  at(index: number): TokenStatus | undefined {
    return tokenStatuses[this.valueAt(index)];
  }

  /** The list after these changes. What is INVALID stays so, whatever is asked for: here and nowhere else it is made sure. */
  with(changes: Iterable<readonly [index: number, status: TokenStatus]>): StatusList {
    const bytes = Uint8Array.from(this.#bytes);
    const after = new StatusList(this.bits, bytes);
    for (const [index, status] of changes) {
      if (after.at(index) === 'INVALID') continue;
      const place = index * this.bits;
      const others = (bytes[place >>> 3] ?? 0) & ~((2 ** this.bits - 1) << (place & 7));
      bytes[place >>> 3] = others | (tokenStatuses.indexOf(status) << (place & 7));
    }
    return after;
  }

  equals(other: StatusList): boolean {
    return this.bits === other.bits && Buffer.compare(this.#bytes, other.#bytes) === 0;
  }

  /** The indexes that were INVALID before and are not any more: what only somebody else's hand can do. */
  revived(before: StatusList): number[] {
    const indexes: number[] = [];
    const perByte = 8 / this.bits;
    for (const [at, byte] of before.#bytes.entries()) {
      if (byte === this.#bytes[at]) continue;
      for (let index = at * perByte; index < (at + 1) * perByte; index++)
        if (before.at(index) === 'INVALID' && this.at(index) !== 'INVALID') indexes.push(index);
    }
    return indexes;
  }

  /** Whether it holds nothing but what botmint writes. */
  get isKnown(): boolean {
    return this.bits === bitsPerStatus && this.#bytes.every(byte => (byte & (byte >>> 1) & 0b01010101) === 0);
  }

  /** `lst`: ZLIB (RFC 1950) at the highest level, base64url without padding. It is done once for each change, not for each answer. */
  encode(): string {
    return deflateSync(this.#bytes, { level: 9 }).toString('base64url');
  }
}

/** Where a recorded index is: which list, and where in it (the claim `idx`). */
export function placeOf(index: number): { list: number; idx: number } {
  return { list: Math.floor(index / listSize), idx: index % listSize };
}

/** The reverse of `placeOf`. */
export function indexOf({ list, idx }: { list: number; idx: number }): number {
  return list * listSize + idx;
}

/** Where a list is fetched from: the claim `uri` in the tokens, and `sub` in the list. */
export function statusListURI(issuerURL: string, list: number): string {
  return `${issuerURL}/status/${list}`;
}

/** The claim `status` of a token (draft, section 6.2). */
export function statusClaim(issuerURL: string, index: number): { status_list: { idx: number; uri: string } } {
  const { list, idx } = placeOf(index);
  return { status_list: { idx, uri: statusListURI(issuerURL, list) } };
}

/** What a status list token is signed from. `lst` comes compressed. */
export interface ListSigning {
  issuerURL: string;
  list: number;
  lst: string;
  issuedAt: Date;
  lifetimeSeconds: number;
  /** How long a verifier may keep it. */
  ttlSeconds: number;
}

/** A status list token (draft, section 5.1). */
export function signStatusList(key: SigningKey, of: ListSigning): Promise<string> {
  const iat = Math.floor(of.issuedAt.getTime() / 1000);
  const claims = {
    iss: of.issuerURL,
    sub: statusListURI(of.issuerURL, of.list),
    iat,
    exp: iat + of.lifetimeSeconds,
    ttl: of.ttlSeconds,
    status_list: { bits: bitsPerStatus, lst: of.lst },
  };
  const header = { alg: key.algorithm, kid: key.kid, typ: statusListType };
  return new SignJWT(claims).setProtectedHeader(header).sign(key.privateKey);
}
