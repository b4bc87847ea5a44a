import type { Credentialed } from '../api/credentialed.ts';
import type { Inputs, RobotInputs } from '../api/inputs.ts';
import type { Revocation } from '../api/revocation.ts';
import type { Change } from './change.ts';
import type { IssueCause } from './credential-seen.ts';
import type { VerifierKeys, Wish } from './grant.ts';

export type KindName = Revocation['spec']['owner']['kind'];

/**
 * What the kinds with a credential differ in. All else about a credential is decided once for all of them. Methods, not
 * properties: `decide` handles every kind as one, and hands a kind only objects, wishes and records of its own (`knows`).
 */
export interface KindOf<Subject extends Credentialed, Recorded extends Inputs, Asked extends Wish> {
  /** As manifests have it. */
  name: KindName;
  /** What to do about a credential that has ended. */
  whenEnded: string;
  /** By what an absolute end comes, and what moves it. */
  whenCutShort: string;
  /** How its issuer issues, as a Revocation has to know it. */
  issuerType: Revocation['spec']['issuer']['type'];
  /** How long the credential before lives on, in seconds, where `rotation.overlap` does not say so; undefined: to its own end. */
  overlaps: { readonly [cause in IssueCause]: number | undefined };
  /** Whether it was an object of this kind that this was recorded of. */
  knows(recorded: Inputs): boolean;
  /** What a wish asks for that no longer equals the recorded inputs. */
  changeOf(recorded: Recorded, wish: Asked): Change;
  /** The same for the object's own spec and annotations: by these alone an ended credential comes to life again. */
  ownChangeOf(recorded: Recorded, wish: Asked): Change;
  /**
   * The recorded inputs with all that is wished for and comes without a new credential, but with its Secret written anew, and
   * with a verifier by the newest of these keys: the same where there is nothing of the kind. Without a wish that may be served,
   * upkeep is left, and what the spec has taken away since.
   */
  revised(object: Subject, recorded: Recorded, wish: Asked | undefined, keys: VerifierKeys | undefined): Recorded;
  /** What `revised` may change; the end among it is never later than record and wish say. */
  revisable: readonly (keyof Inputs)[];
  /** The same of the fields below `robot`. */
  revisableOfRobot: readonly (keyof RobotInputs['robot'])[];
  /** Whether revised inputs lack what is made from the credential in the Secret: then that has to be the one that was written there. */
  needsCredential(revised: Recorded): boolean;
  /**
   * Whether what somebody has written into the Secret's annotation can be what `revised` asked for, by what it asks for now. Who
   * may edit the annotation must not bring back what was superseded, nor keep what is to be superseded.
   */
  isRevision(made: Recorded, recorded: Recorded, revised: Recorded, keys: VerifierKeys | undefined): boolean;
  /** The fields of the status that stay when the credential is lost and nothing is in force. */
  lasting: readonly string[];
  /**
   * The fields of the status that follow from the record, and from what is wished for and served without a new credential.
   * Without a wish that may be served, what is in force stays so, less what the spec has taken away since. `recorded` is
   * undefined where the credential was lost, or never was.
   */
  served(object: Subject, recorded: Recorded | undefined, wish: Asked | undefined): object;
}

export type CredentialKind = KindOf<Credentialed, Inputs, Wish>;
