import type { ClusterTokenIssuer, IssuerOf } from '../api/cluster-token-issuer.ts';
import type { Verdict } from '../api/conditions.ts';
import type { UseSeen } from './issuer-in-use.ts';

export type PublishedKey = NonNullable<NonNullable<ClusterTokenIssuer['status']>['keys']>[number];
export type WithdrawnKey = NonNullable<NonNullable<ClusterTokenIssuer['status']>['withdrawnKeys']>[number];

/** What is known of the Secret behind a published key. */
export type KeySecretSeen =
  | { state: 'intact' }
  /** Not in the cache; `confirmed` by a live read. */
  | { state: 'missing'; confirmed: boolean }
  /** It has not been looked at since it changed. */
  | { state: 'unread' }
  /** It holds another key, or none. */
  | { state: 'invalid'; message: string };

/** A key whose private half is in a Secret and whose public half may be published. */
export interface NewKey {
  kid: string;
  publicJWK: PublishedKey['publicJWK'];
  secretName: string;
}

/** Everything that a decision about one issuer rests on. */
export interface Observed extends UseSeen {
  issuer: IssuerOf<'jwt'>;
  /** The older issuer with the same issuerURL. */
  olderWithURL: string | undefined;
  /** By key id, for published and for withdrawn keys. */
  keySecrets: ReadonlyMap<string, KeySecretSeen>;
  /** Keys that this pass has put into Secrets, not published yet. */
  made: readonly NewKey[];
  /** Why this pass could not make one more: what stands in the Secret of that name, which is never overwritten. */
  inTheWay: string | undefined;
  /**
   * Whether a credential that is alive may have been signed with a retired key, by what the caches show. A cache that
   * lags says yes too often, not too rarely: nothing is signed with a key that was retired a while ago.
   */
  isNeeded: (key: PublishedKey) => boolean;
  /** ConfigMaps of its status lists that nobody can read. Left out: none. */
  brokenLists?: readonly string[];
}

export type Step =
  | { do: 'add-finalizer' }
  | { do: 'remove-finalizer' }
  /** Count its credentials live: the cache alone never takes the finalizer off. */
  | { do: 'confirm-credentials' }
  | { do: 'read-key'; key: PublishedKey }
  /** Put a new key into the Secret of this number; where there is one already, it is the key. */
  | { do: 'make-key'; number: number }
  /** Delete the private half of a key that signs no more. Its state is final, so a cache that lags cannot mislead. */
  | { do: 'delete-key'; key: Pick<PublishedKey, 'kid' | 'secretName'> }
  /** `withdrawn`: people are told, whatever the conditions said before. */
  | { do: 'write-status'; patch: object; because: 'withdrawn' | 'state'; verdict: Verdict }
  | { do: 'rest'; until: Date | undefined };

export function keysOf(issuer: ClusterTokenIssuer): readonly PublishedKey[] {
  return issuer.status?.keys ?? [];
}

export function withdrawnKeysOf(issuer: ClusterTokenIssuer): readonly WithdrawnKey[] {
  return issuer.status?.withdrawnKeys ?? [];
}
