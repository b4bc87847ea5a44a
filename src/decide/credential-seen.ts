import type { Reason, Verdict } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import type { Inputs } from '../api/inputs.ts';
import type { Revocation } from '../api/revocation.ts';
import type { Change } from './change.ts';
import type { CopiesSeen, CopyStep } from './copies-seen.ts';
import type { Recorded } from './credential-record.ts';
import type { Operation } from './credential-retry.ts';
import type { StatusWrite } from './credential-status.ts';
import type { Grant, VerifierKeys, Wish } from './grant.ts';
import type { Estate } from './hand-over.ts';
import type { CredentialKind } from './kind.ts';
import type { ListChange, Listed } from './listing.ts';
import type { RolloutStep, TargetsSeen } from './rollout.ts';
import type { SecretMetadata } from './secret-metadata.ts';

/** What was seen of the Secret that the spec names. */
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

/** Whom the credential speaks for: a BotUser, by its name for people, or the object itself. `grant` is what may be issued for it now. */
export type PrincipalSeen =
  | { state: 'absent'; name: string }
  /** It is going, since its deletion was asked for. */
  | { state: 'deleted'; name: string; since: string }
  /** It is there, in a form that this version does not know. */
  | { state: 'unreadable'; name: string }
  | (Speaking & { state: 'found'; uid: string })
  /** `verifierKeys` are a matter of upkeep, whatever may be issued. */
  | (Speaking & { state: 'self'; verifierKeys?: VerifierKeys | undefined });

interface Speaking {
  /** No credential of it works for now. */
  suspended: boolean;
  /** The issuer that is there under the name, if it can be read: whatever another one has issued, this one does not know. */
  issuerUID: string | undefined;
  grant: Grant<Wish>;
}

/** Everything that a decision about one object and its credential rests on. */
export interface Observed {
  kind: CredentialKind;
  object: Credentialed;
  principal: PrincipalSeen;
  secret: SecretSeen;
  /** What live reads of this pass have confirmed: a cache alone never leads to a destructive step. */
  confirmed: { principal: boolean; issuer: boolean };
  /** The Revocations that have taken something over from this object. */
  revocations: readonly Revocation[];
  /** Who issued the superseded credentials of one that has no record any more; undefined: nobody who is still there. */
  lostIssuer: Estate['issuer'] | undefined;
  /** What the status lists say of the indexes that the object carries. One that is not in here is of no concern. */
  listed: ReadonlyMap<number, Listed>;
  /** The object that names the same Secret and was there first, as `<Kind>/<name>`. */
  earlierClaim: string | undefined;
  /** What the API server refused in this pass, by what was tried. */
  refused: { readonly [operation in Operation]?: Refused | undefined };
  /** What live reads of this pass have shown of the workloads of an open roll-out. */
  targets: TargetsSeen;
  /** Left out where there are no copies, and none are asked for. */
  copies?: CopiesSeen | undefined;
}

/** Where whom it speaks for is there, and can be read. */
export type Found = Observed & { principal: PrincipalSeen & { state: 'found' | 'self' } };

/** Whether whom it speaks for is there, and can be read. */
export function speaks(principal: PrincipalSeen): principal is Found['principal'] {
  return principal.state === 'found' || principal.state === 'self';
}

/** Whether the issuer that is there has issued this; of one that speaks for nobody that is not asked. */
export function isOfIssuer({ principal }: Pick<Observed, 'principal'>, { issuer }: Inputs): boolean {
  return !speaks(principal) || principal.issuerUID === issuer.uid;
}

/** Whether nobody can check what was recorded: the key of its verifier is gone, or this process has not heard of it. */
export function lacksKey(seen: Pick<Observed, 'principal'>, { robot }: Inputs): boolean {
  const keys = verifierKeysOf(seen);
  return robot !== undefined && keys !== undefined && keys.numberOf(robot.verifier) === undefined;
}

/** The keys that this process knows, of a kind that has verifiers. */
export function verifierKeysOf({ principal }: Pick<Observed, 'principal'>): VerifierKeys | undefined {
  return principal.state === 'self' ? principal.verifierKeys : undefined;
}

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
  | { do: 'confirm'; what: 'principal' | 'issuer' | 'secret' }
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
  /** Write the same credential with the entries and the metadata that the spec has now, as made from these inputs. */
  | { do: 'render'; over: OwnSecret; record: Recorded; inputs: Inputs }
  /** Put only the metadata right. */
  | { do: 'label'; over: OwnSecret; record: Recorded }
  /** `predecessor`: what an object of the same name and a dead UID left behind. */
  | { do: 'delete-secret'; uid: string; resourceVersion: string; cause: 'revoked' | 'predecessor' }
  /** Say in the status lists what tokens are worth. It is done when the API server has acknowledged it. */
  | { do: 'list'; issuer: { uid: string }; changes: readonly ListChange[] }
  /** Read workloads, or restart one: for an open roll-out. */
  | Exclude<RolloutStep, { do: 'record' | 'wait' }>
  /** Make, put right or take away copies of the Secret. */
  | CopyStep
  /** Make a Revocation that takes an estate over, or add the estate to the one that stands. */
  | { do: 'hand-over'; estate: Estate; over: Revocation | undefined; verdict: Verdict }
  | StatusWrite
  | { do: 'rest'; until: Date | undefined };

/** The effective name of the Secret: `spec.secret.name`, else the object's. */
export function secretNameOf(object: Credentialed): string {
  return object.spec.secret.name ?? object.metadata.name;
}

/** Whether the object has a claim on its Secret's name: one that is revoked or going has none. */
export function claimsSecret({ metadata, spec }: Credentialed): boolean {
  return metadata.deletionTimestamp === undefined && spec.revoked !== true;
}
