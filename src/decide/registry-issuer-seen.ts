import type { IssuerOf } from '../api/cluster-token-issuer.ts';
import type { Verdict } from '../api/conditions.ts';
import type { UseSeen } from './issuer-in-use.ts';

/** The certificate of a CA. */
export interface AuthoritySeen {
  /** In PEM. */
  certificate: string;
  /** SHA-256, 64 hex digits. */
  fingerprint: string;
  validFrom: Date;
  validTo: Date;
}

/** The Secret of the CA: the one that signs leaves, and its successor where there is one. */
export type AuthoritySecretSeen =
  | { state: 'missing' }
  /** It has not been looked at since it changed. */
  | { state: 'unread' }
  /** It holds no CA. */
  | { state: 'invalid'; message: string }
  | { state: 'intact'; current: AuthoritySeen; next: AuthoritySeen | undefined };

/** The Secret of the leaf, whose key signs tokens. */
export type LeafSeen =
  | { state: 'missing' | 'unread' | 'invalid' }
  /** `by`: which CA of the bundle or of the Secret has signed it. */
  | { state: 'intact'; by: AuthoritySeen | undefined; validFrom: Date; renewAt: Date };

export interface Observed extends UseSeen {
  issuer: IssuerOf<'registry'>;
  /** What `status.rootCertBundle` holds. */
  published: readonly AuthoritySeen[];
  authoritySecret: { name: string } & AuthoritySecretSeen;
  leaf: LeafSeen;
}

export type Step =
  | { do: 'add-finalizer' }
  | { do: 'remove-finalizer' }
  /** Count its credentials live: the cache alone never takes the finalizer off. */
  | { do: 'confirm-credentials' }
  /** Read the Secret live. */
  | { do: 'read'; what: 'authority' | 'leaf' }
  /** A new CA in a new Secret, in the place of whatever CA is there, or beside it; or a new leaf in the place of the old one. */
  | { do: 'make'; what: 'authority' | 'replacement' | 'successor' | 'leaf' }
  /** The successor takes the place of the CA. */
  | { do: 'promote' }
  /** `bundle`: registries have to be given another bundle, and people are told, whatever the conditions said before. */
  | { do: 'write-status'; patch: object; because: 'bundle' | 'state'; verdict: Verdict }
  | { do: 'rest'; until: Date | undefined };
