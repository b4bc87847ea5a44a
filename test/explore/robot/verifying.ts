/** What a secret is checked by, as src/issuers/registry/verifiers.ts makes it: of an account, a revision and a secret, and here not hidden. */
export function verifierOf({ uid, revision }: { uid: string; revision: number }, secret: string): string {
  return `of ${uid} for ${revision}: ${secret}`;
}

/** The secret that a verifier is of. */
export function shownOf(verifier: string): string {
  return verifier.slice(verifier.indexOf(': ') + 2);
}
