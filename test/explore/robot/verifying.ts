/** Whose secret it is, and which key its verifier is made with. */
interface Subject {
  uid: string;
  revision: number;
  key: number;
}

/** What a secret is checked by, in the form of src/issuers/registry/verifiers.ts: of an account, a revision and a secret, which is not hidden here. */
export function verifierOf({ uid, revision, key }: Subject, secret: string): string {
  return `v1.${keyIDOf(key)}.plain.of ${uid} for ${revision}: ${secret}`;
}

export function keyIDOf(key: number): string {
  return `key-${key}`;
}

/** The secret that a verifier is of. */
export function shownOf(verifier: string): string {
  return verifier.slice(verifier.indexOf(': ') + 2);
}

/** As the token server asks: the keys of before go on being known. */
export function matches(verifier: string, { uid, revision }: Omit<Subject, 'key'>, secret: string): boolean {
  return verifier.endsWith(`.plain.of ${uid} for ${revision}: ${secret}`);
}
