import type { RevocationOrder, RevocationOutcome, Revoker } from '../revoker.ts';

export interface JWTRevokerOptions {
  /** Whether this very issuer (UID) exists, by a live read. */
  isThere: (issuer: RevocationOrder['issuer'], signal: AbortSignal) => Promise<boolean>;
  /** Makes these indexes of the issuer's status lists INVALID. Resolves when the API server has acknowledged it; may be repeated. */
  markInvalid: (issuer: RevocationOrder['issuer'], indexes: readonly number[], signal: AbortSignal) => Promise<void>;
}

/**
 * Revokes JWTs. Introspection knows already that a token is dead whose object is gone; who verifies offline is told by the
 * status list. With an issuer go its keys and its lists: nobody can verify what it signed.
 */
export class JWTRevoker implements Revoker {
  readonly #of: JWTRevokerOptions;

  constructor(of: JWTRevokerOptions) {
    this.#of = of;
  }

  async revoke({ issuer, credentials }: RevocationOrder, signal: AbortSignal): Promise<RevocationOutcome> {
    if (!(await this.#of.isThere(issuer, signal))) return 'not-found';
    const indexes = credentials.flatMap(({ statusListIndex }) => statusListIndex ?? []);
    await this.#of.markInvalid(issuer, indexes, signal);
    return 'done';
  }
}
