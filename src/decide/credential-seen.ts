import type { BotToken } from '../api/bot-token.ts';
import type { Reason, Verdict } from '../api/conditions.ts';
import type { Revocation } from '../api/revocation.ts';
import type { Change } from './change.ts';
import type { Operation, Recorded, StatusWrite } from './credential-status.ts';
import type { Grant, Wish } from './grant.ts';
import type { Estate } from './hand-over.ts';
import type { ListChange, Listed } from './listing.ts';
import type { RolloutStep, TargetsSeen } from './rollout.ts';
import type { SecretMetadata } from './secret-metadata.ts';

/** What was seen of the Secret that the token's spec names. */
export type SecretSeen =
  /** `confirmed` by a live read, not only by the watch. */
  | { state: 'absent'; confirmed: boolean }
  /** Without any mark of botmint. */
  | { state: 'foreign'; confirmed: boolean }
  /** Marked as another object's: `owner` is `<Kind>/<name>`. */
  | { state: 'held'; confirmed: boolean; owner: string; uid: string; resourceVersion: string }
  | OwnSecret;

export interface OwnSecret {
  state: 'ours';
  uid: string;
  resourceVersion: string;
  metadata: SecretMetadata;
  /** The digest of the data at this resourceVersion; undefined while nobody has read it. */
  digest: string | undefined;
  /** Read, and no entry holds the credential any more. */
  unreadable: boolean;
}

/** The BotUser that the token refers to; `grant` is what may be issued for it now. */
export type BotUserSeen =
  | { state: 'absent' }
  /** It is going, since its deletion was asked for. */
  | { state: 'deleted'; since: string }
  /** It is there, in a form that this version does not know. */
  | { state: 'unreadable' }
  /** `suspended`: no token of it works for now. */
  | { state: 'found'; uid: string; suspended: boolean; grant: Grant<Wish> };

/** Everything that a decision about one BotToken rests on. */
export interface Observed {
  token: BotToken;
  botUser: BotUserSeen;
  secret: SecretSeen;
  /** What live reads of this pass have confirmed: a cache alone never leads to a destructive step. */
  confirmed: { botUser: boolean; issuer: boolean };
  /** The Revocations that have taken something over from this token. */
  revocations: readonly Revocation[];
  /** Who issued the superseded tokens of one that has no record any more; undefined: nobody who is still there. */
  lostIssuer: Estate['issuer'] | undefined;
  /** What the status lists say of the indexes that the token carries. One that is not in here is of no concern. */
  listed: ReadonlyMap<number, Listed>;
  /** The BotToken that names the same Secret and was there first, as `<Kind>/<name>`. */
  earlierClaim: string | undefined;
  /** What the API server refused in this pass, by what was tried. */
  refused: { readonly [operation in Operation]?: Refused | undefined };
  /** What live reads of this pass have shown of the workloads of an open roll-out. */
  targets: TargetsSeen;
}

/** Where the BotUser is there, and can be read. */
export type Found = Observed & { botUser: BotUserSeen & { state: 'found' } };

/** `Delete`: the end of a credential was refused; `Revoke`: what a status list is to say of it; all else is `Write`. */
export interface Refused {
  operation: Operation;
  reason: Reason;
  message: string;
}

/** Why a credential is issued: by the clock, by a change of what is wished for, or because the Secret does not hold it any more. */
export type IssueCause = 'first' | 'renewal' | Exclude<Change, 'none'> | 'lost' | 'edited';

/** One next step: one write, or one live read. After it everything is looked at anew. */
export type Step =
  | { do: 'add-finalizer' }
  | { do: 'remove-finalizer' }
  | { do: 'confirm'; what: 'bot-user' | 'issuer' | 'secret' }
  /** Sign a credential and write it: into a new Secret, or over this one. */
  | {
      do: 'issue';
      cause: IssueCause;
      revision: number;
      wish: Wish;
      /** How long the credential before lives on; undefined: to its own end. */
      overlapSeconds: number | undefined;
      /** Everything older ends with it, also what was promised a longer overlap. */
      replaces: boolean;
      over: OwnSecret | undefined;
    }
  /** Write the same credential with the entries and the metadata that the spec has now. */
  | { do: 'render'; over: OwnSecret; record: Recorded }
  /** Put only the metadata right. */
  | { do: 'label'; over: OwnSecret; record: Recorded }
  /** `predecessor`: what an object of the same name and a dead UID left behind. */
  | { do: 'delete-secret'; uid: string; resourceVersion: string; cause: 'revoked' | 'predecessor' }
  /** Say in the status lists what tokens are worth. It is done when the API server has acknowledged it. */
  | { do: 'list'; issuer: { uid: string }; changes: readonly ListChange[] }
  /** Read workloads, or restart one: for an open roll-out. */
  | Exclude<RolloutStep, { do: 'record' | 'wait' }>
  /** Make a Revocation that takes an estate over, or add the estate to the one that stands. */
  | { do: 'hand-over'; estate: Estate; over: Revocation | undefined; verdict: Verdict }
  | StatusWrite
  | { do: 'rest'; until: Date | undefined };

/** The effective name of the Secret: `spec.secret.name`, else the object's. */
export function secretNameOf(token: BotToken): string {
  return token.spec.secret.name ?? token.metadata.name;
}
