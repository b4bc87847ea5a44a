import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { BotmintError, type Retry } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import { hasOwnLength } from './secrets.ts';
import { boundedScrypt, type Cost, forIssuing, forLogins, type SlowHash } from './slow-hash.ts';

/*
 * A verifier is kept instead of the secret: `v1.<key id>.<method>.<HMAC-SHA-256>`, under a key of the operator, over the account's UID,
 * the revision and the secret, so it is worth nothing for another account or revision, and nothing can be tried against it without the key.
 *
 * Method `hmac` is for generated secrets. Even with the key nobody finds one of 2^131 by trying, so a slow hash would
 * add cost for us and none for an attacker. Method `scrypt-14-8-1` is for secrets that people choose: the same HMAC over
 * scrypt's result. Each try costs 16 MiB and about 30 ms of a thread, here and for a thief who has verifiers and key.
 */

/** Whose secret it is. */
export interface Subject {
  uid: string;
  revision: number;
}

/** A verifier and the revision that it was made for. */
export interface LiveVerifier {
  revision: number;
  verifier: string;
  /** The end of its overlap; none for the secret in force. */
  until?: Date | undefined;
}

/** The name is part of the verifier, so a stronger one can be added later, beside this one. */
const slowMethod = 'scrypt-14-8-1';
const slowCost: Cost = { logN: 14, r: 8, p: 1 };
/** No others are computed: somebody who can write an annotation must not choose what a check costs. */
type Method = 'hmac' | typeof slowMethod;

interface Parsed {
  keyID: string;
  method: Method;
  mac: Buffer;
}

/** Stands in for an account that does not exist: it is checked like any other. */
const nobody = '00000000-0000-0000-0000-000000000000';

/** A key by its number, and by an id that says which one it is and nothing about it. */
export interface KeyName {
  number: number;
  id: string;
}

/** Verifiers were made with a key that this process has not got (any more, or yet): whether a secret is right cannot be said. */
export class VerifierKeyMissing extends BotmintError {
  readonly reason = 'VerifierKeyMissing';
  readonly retry: Retry = { kind: 'after', seconds: 2 };
}

/** Makes and checks verifiers. One key makes new ones, the others are only known: keys rotate by a new one with a higher number. */
export class Verifiers {
  #keys: ReadonlyMap<string, { number: number; key: KeyObject }>;
  #current: KeyName;
  readonly #hashToCheck: SlowHash;
  readonly #hashToIssue: SlowHash;

  /** The keys by number. The newest makes new verifiers. */
  constructor(keys: ReadonlyMap<number, SecretValue>, slowHash?: SlowHash) {
    this.#keys = byID(keys);
    this.#current = nameOf(keys, newestOf(keys));
    this.#hashToCheck = boundedScrypt(forLogins, slowHash);
    this.#hashToIssue = boundedScrypt(forIssuing, slowHash);
  }

  /** These keys and no others from now on; the one of that number makes new verifiers. */
  replaceKeys(keys: ReadonlyMap<number, SecretValue>, current: number = newestOf(keys)): void {
    this.#current = nameOf(keys, current);
    this.#keys = byID(keys);
  }

  /** The key that makes new verifiers. */
  get current(): KeyName {
    return this.#current;
  }

  /** The number of the key that a verifier was made with; undefined for a key that is not known. */
  numberOf(verifier: string): number | undefined {
    return this.#keys.get(parse(verifier)?.keyID ?? '')?.number;
  }

  /** Whether one of these was made with a key that is not known: then none of them may be said not to match. */
  lacksKeyOf(verifiers: readonly LiveVerifier[]): boolean {
    return verifiers.some(({ verifier }) => {
      const parsed = parse(verifier);
      return parsed !== undefined && !this.#keys.has(parsed.keyID);
    });
  }

  /** The same words always give the same verifier. */
  ofGenerated(subject: Subject, secret: SecretValue): string {
    return this.#written(subject, 'hmac', secret.reveal());
  }

  /** The same words always give the same verifier. Takes a thread for about 30 ms, and waits for no login. */
  async ofOwn(subject: Subject, secret: SecretValue): Promise<string> {
    const material = await this.#hashToIssue(secret, saltOf(subject.uid), slowCost);
    return this.#written(subject, slowMethod, material);
  }

  /** Whether the secret is a generated one of the account. Quick, so it needs no limit on tries. */
  matchesGenerated(uid: string | undefined, verifiers: readonly LiveVerifier[], secret: SecretValue): boolean {
    const quick = this.#candidates(verifiers).filter(({ parsed }) => parsed.method === 'hmac');
    return this.#anyMatches(uid, quick, secret.reveal());
  }

  /**
   * Whether the secret is the account's own. It takes its time whether or not there is such an account, or such a verifier;
   * only the length of what is shown decides, so a generated secret that has had its day costs nothing.
   */
  async matchesOwn(uid: string | undefined, verifiers: readonly LiveVerifier[], secret: SecretValue): Promise<boolean> {
    if (!hasOwnLength(secret)) return false;
    return this.#anyOwn(uid, verifiers, secret, this.#hashToCheck);
  }

  /** Whether a secret of one's own is the one that a verifier was made from. Takes its time as `ofOwn` does. */
  isOwn({ uid, revision }: Subject, verifier: string, secret: SecretValue): Promise<boolean> {
    return this.#anyOwn(uid, [{ revision, verifier }], secret, this.#hashToIssue);
  }

  async #anyOwn(
    uid: string | undefined,
    verifiers: readonly LiveVerifier[],
    secret: SecretValue,
    hash: SlowHash,
  ): Promise<boolean> {
    const slow = this.#candidates(verifiers).filter(({ parsed }) => parsed.method === slowMethod);
    // One salt for all verifiers of an account, so one computation serves them all, and a second verifier shows in no time.
    const material = await hash(secret, saltOf(uid ?? nobody), slowCost);
    return this.#anyMatches(uid, slow, material);
  }

  /** What cannot be read, and what was made with a key that is gone, matches nothing. */
  #candidates(verifiers: readonly LiveVerifier[]): Candidate[] {
    return verifiers.flatMap(({ revision, verifier }) => {
      const parsed = parse(verifier);
      return parsed === undefined || !this.#keys.has(parsed.keyID) ? [] : [{ revision, parsed }];
    });
  }

  /** Compares all of them, and something also when there are none. */
  #anyMatches(uid: string | undefined, candidates: readonly Candidate[], material: string | Buffer): boolean {
    const all = candidates.length === 0 ? [noCandidate(this.#current.id)] : candidates;
    let found = false;
    for (const { revision, parsed } of all) {
      const subject = { uid: uid ?? nobody, revision };
      found = timingSafeEqual(this.#mac(parsed.keyID, subject, parsed.method, material), parsed.mac) || found;
    }
    return found;
  }

  #written(subject: Subject, method: Method, material: string | Buffer): string {
    const { id } = this.#current;
    return `v1.${id}.${method}.${this.#mac(id, subject, method, material).toString('base64url')}`;
  }

  #mac(id: string, { uid, revision }: Subject, method: Method, material: string | Buffer): Buffer {
    const key = this.#keys.get(id)?.key;
    if (key === undefined) throw new RangeError('a verifier of an unknown key');
    // No part can run into the next: only the last one has a length of its own choosing, and a UID has no line break.
    return createHmac('sha256', key)
      .update(`botmint registry verifier\n${method}\n${uid}\n${revision}\n`)
      .update(material)
      .digest();
  }
}

function newestOf(keys: ReadonlyMap<number, SecretValue>): number {
  return Math.max(...keys.keys());
}

function nameOf(keys: ReadonlyMap<number, SecretValue>, number: number): KeyName {
  const key = keys.get(number);
  if (key === undefined) throw new RangeError('there is no verifier key of that number');
  return { number, id: keyID(key) };
}

function byID(keys: ReadonlyMap<number, SecretValue>) {
  return new Map(
    [...keys].map(([number, key]) => [keyID(key), { number, key: createSecretKey(key.reveal(), 'utf8') }] as const),
  );
}

interface Candidate {
  revision: number;
  parsed: Parsed;
}

/** Nobody has a secret whose HMAC is nothing but zeros. */
function noCandidate(id: string): Candidate {
  return { revision: 0, parsed: { keyID: id, method: 'hmac', mac: Buffer.alloc(32) } };
}

function parse(verifier: string): Parsed | undefined {
  const [, id, method, text] = /^v1\.([\w-]{8})\.([a-z0-9-]+)\.([\w-]{43})$/.exec(verifier) ?? [];
  if (id === undefined || text === undefined) return undefined;
  if (method !== 'hmac' && method !== slowMethod) return undefined;
  return { keyID: id, method, mac: Buffer.from(text, 'base64url') };
}

/** A salt has to differ between accounts and need not be secret. */
function saltOf(uid: string): Buffer {
  return createHash('sha256').update(`botmint registry salt\n${uid}`).digest();
}

/** Says which key it was and nothing about it. */
function keyID(key: SecretValue): string {
  return createHash('sha256')
    .update('botmint registry verifier key')
    .update(key.reveal())
    .digest('base64url')
    .slice(0, 8);
}
