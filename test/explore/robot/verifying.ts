import type { VerifierKeys } from '../../../src/decide/grant.ts';

/** A key of verifiers. */
export interface Key {
  number: number;
  id: string;
}

type Keys = readonly [...Key[], Key];

export const firstKey: Key = { number: 1, id: 'key-1' };
/** Of the same number, where all were lost and the next start has made one. */
export const anotherKey: Key = { number: 1, id: 'another-1' };

export function newestOf(keys: Keys): Key {
  return keys.at(-1) ?? firstKey;
}

/** The one that somebody adds next. */
export function nextKey(keys: Keys): Key {
  const { number, id } = newestOf(keys);
  return { number: number + 1, id: id.replace(`-${number}`, `-${number + 1}`) };
}

/** What a process knows by them. */
export function known(keys: Keys): VerifierKeys {
  const numberOf = (verifier: string) => keys.find(({ id }) => isOfKey(verifier, id))?.number;
  return { current: newestOf(keys), numberOf };
}

/** Whose secret it is, and which key its verifier is made with. */
interface Subject {
  uid: string;
  revision: number;
  key: Key;
}

/** What a secret is checked by, in the form of src/issuers/registry/verifiers.ts: of an account, a revision and a secret, which is not hidden here. */
export function verifierOf({ uid, revision, key }: Subject, secret: string): string {
  return `v1.${key.id}.plain.of ${uid} for ${revision}: ${secret}`;
}

export function isOfKey(verifier: string, id: string): boolean {
  return verifier.startsWith(`v1.${id}.`);
}

/** The secret that a verifier is of. */
export function shownOf(verifier: string): string {
  return verifier.slice(verifier.indexOf(': ') + 2);
}

/** As the token server asks, by the keys that there are. */
export function matches(
  verifier: string,
  of: Omit<Subject, 'key'>,
  { secret, keys }: { secret: string; keys: Keys },
): boolean {
  return keys.some(key => verifier === verifierOf({ ...of, key }, secret));
}
