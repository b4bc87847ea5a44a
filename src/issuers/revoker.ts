/** Whose credentials they are; what each of them carries at its issuer, so that nothing else is touched (I7). */
export interface Mark {
  clusterID: string;
  kind: string;
  namespace: string;
  name: string;
  uid: string;
}

/** Credentials of one object that are to be revoked. */
export interface RevocationOrder {
  mark: Mark;
  /** Who issued them, by name and UID: an issuer that has the name now may be another one. */
  issuer: { kind: string; name: string; uid: string };
  credentials: readonly RevocableCredential[];
}

export interface RevocableCredential {
  tokenID: string;
  /** Where its status is in the lists of an issuer of type `jwt`. */
  statusListIndex?: number;
}

/** `not-found`: nothing of it exists (any more), or the issuer is gone and nobody can verify what it issued. */
export type RevocationOutcome = 'done' | 'not-found';

/** How credentials are revoked at issuers of one type, after the object that they were for may have gone. */
export interface Revoker {
  /**
   * Revokes all of them, by id and mark, never by name. When it resolves, none of them works, now or ever again. It may be
   * called again at any time, by two operators at once too; that changes nothing. Every error it throws means that some of
   * them may still work, and that another call may help: a BotmintError says by `retry` when.
   */
  revoke(order: RevocationOrder, signal: AbortSignal): Promise<RevocationOutcome>;
}
