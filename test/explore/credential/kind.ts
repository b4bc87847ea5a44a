import type { ClusterTokenIssuer } from '../../../src/api/cluster-token-issuer.ts';
import type { Credentialed } from '../../../src/api/credentialed.ts';
import type { Inputs } from '../../../src/api/inputs.ts';
import type { SecretValue } from '../../../src/base/secret-value.ts';
import type { Minted } from '../../../src/controllers/secret-writes.ts';
import type { Recorded } from '../../../src/decide/credential-record.ts';
import type { Observed, PrincipalSeen, Step } from '../../../src/decide/credential-seen.ts';
import type { CredentialKind } from '../../../src/decide/kind.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import type { Effect } from './acting.ts';
import type { Beside, Contents } from './contents.ts';
import type { Users } from './events.ts';
import type { Sight } from './observing.ts';

/** A credential that was in the Secret once: whoever copied it may show it. */
export interface Published {
  /** Of the object that it was issued for. */
  uid: string;
  name: string;
  tokenID: string;
  revision: number;
  /** However it is rendered, and whatever of it is revised, it is the same credential. */
  inputs: Inputs;
  /** What is shown to be let in: equal texts are one credential. */
  shown: string;
}

/** What relying parties and people see of a world. */
export interface View<T extends Credentialed, B extends Beside> {
  now: Date;
  objects: readonly (T | undefined)[];
  beside: B | undefined;
  issuer: ClusterTokenIssuer | undefined;
  secret: StoredSecret | undefined;
  published: readonly Published[];
  live: readonly Published[];
  /** By the UID of the object. */
  records: ReadonlyMap<string, Recorded>;
}

/** What users apply, and what stands there before. */
export interface Manifests<T extends Credentialed, B extends Beside> {
  objects: readonly [T, ...T[]];
  beside: B | undefined;
  issuer: ClusterTokenIssuer;
}

/** What users, admins and time do to a world, in place. False: there is nothing to do it to. */
export type Event<T extends Credentialed, B extends Beside> = (world: Users<T, B>) => boolean;

/** A rule of the protocol that is taken out, so that it is seen what finds it. */
export interface Ablation {
  /** Whether writes are done whatever has become of what was seen. */
  ignoresVersions?: 'objects' | 'secrets';
  sees?: (seen: Observed) => Observed;
  does?: (step: Step, seen: Observed) => Step;
}

type Issue = Step & { do: 'issue' };

/** What a credential is made by. `nonce`: a number in place of the random part of an id. */
export interface By<B extends Beside> {
  nonce: number;
  now: Date;
  /** What is beside at that very moment. */
  beside: B | undefined;
  /** The same as the process knows it. */
  seen: B | undefined;
}

/** A kind with a credential as its world needs it: T, and B which stands beside it. */
export interface Walked<T extends Credentialed, B extends Beside> {
  kind: CredentialKind;
  /** How paths speak of them. */
  words: { object: string; beside: string };
  parse: (body: unknown) => T;
  /** What users apply, with another spec where a scenario says so. */
  manifests: (o: { objects: 1 | 2; spec: Partial<T['spec']> | undefined }) => Manifests<T, B>;
  events: (manifests: Manifests<T, B>) => { readonly [name: string]: Event<T, B> };
  /** Whom the credential speaks for, by the caches. */
  principal: (sight: Sight<T, B>, object: T) => PrincipalSeen;
  /** Undefined: what it would be made from is another by now. */
  minted: (object: T, step: Issue, by: By<B>) => Minted | undefined;
  /** The inputs of a credential that was read back, with what has to be made anew of it. */
  remade: (object: T, of: { secret: SecretValue; revision: number; inputs: Inputs; seen: B | undefined }) => Inputs;
  /** What an operator does about what is beside, and about the issuer. */
  besideEffect: (sight: Sight<T, B>, contents: Contents<T, B>) => Effect<B>;
  issuerEffect: (sight: Sight<T, B>, contents: Contents<T, B>) => Effect<B>;
  /** As the controllers count what depends on them. */
  countsForBeside: (beside: B, object: T, now: Date) => boolean;
  /** What is shown of the credential that was made from these inputs; undefined where they are of another kind. */
  shownBy: (tokenID: string, inputs: Inputs) => string | undefined;
  isLive: (published: Published, seen: Omit<View<T, B>, 'live'>) => boolean;
  /** I1 and what else is wrong with a world at any moment. */
  wrongNow: (view: View<T, B>) => string | undefined;
  /** I3 and I6: what an operator's step may not do. `raced`: two act at once, or a write is late. */
  wrongStep: (before: View<T, B>, after: View<T, B>, raced: boolean) => string | undefined;
  /** I2, I5, I6, I8: what is wrong with a world that has come to rest. `isLater`: when all overlaps are over. */
  wrongAtRest: (view: View<T, B>, isLater: boolean) => string | undefined;
}
