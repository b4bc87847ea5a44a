/**
 * A credential at a backend, as a number from 1 to 32: of which UID (1 or 2), under which revision (1 to 8), and whether it is
 * the first or the second that was ever made under that revision. Sets of them are bits of one 32-bit word. 0 is none.
 */
export function credential(uid: number, revision: number, second: 0 | 1 = 0): number {
  return 1 + ((uid - 1) * 8 + (revision - 1)) * 2 + second;
}
export const uidOf = (cred: number): number => ((cred - 1) >> 4) + 1;
export const revisionOf = (cred: number): number => (((cred - 1) >> 1) & 7) + 1;
export const bit = (cred: number): number => (cred === 0 ? 0 : 1 << (cred - 1));
export const has = (set: number, cred: number): boolean => (set & bit(cred)) !== 0;
/** All credentials of a UID. */
export const allOf = (uid: number): number => (uid === 1 ? 0xffff : uid === 2 ? 0xffff << 16 : 0);
/** Those of a UID below a revision. */
export function below(uid: number, revision: number): number {
  return ((1 << (2 * (revision - 1))) - 1) << (uid === 2 ? 16 : 0);
}

/** The object: a BotToken or a RobotAccount, as far as the protocol looks at it. `uid` 0: there is none. */
export interface ObjectSeen {
  uid: number;
  finalizer: number;
  deleting: number;
  revoked: number;
  /** The generation of what the spec wants. */
  want: number;
  /** The highest closed revision. */
  revision: number;
  /** `status.issuing`: the open reservation, or 0. */
  issuing: number;
  /** The generation that the record was made from; `ended` when a revocation is recorded for good. */
  served: number;
  /** The recorded credential. */
  recorded: number;
  /** Superseded ones in their overlap, and those whose overlap is over. */
  previous: number;
  due: number;
}

/** `served` of an object whose revocation is recorded. */
export const ended = 15;

/** `state` 0: there is none; 1: foreign; 2: ours. `holds` 0: edited by somebody. */
export interface SecretSeen {
  state: number;
  owner: number;
  revision: number;
  holds: number;
  madeFrom: number;
}

/** Everything outside the operators. Only numbers, so that a copy is cheap. */
export interface World extends ObjectSeen {
  state: number;
  owner: number;
  secretRevision: number;
  holds: number;
  madeFrom: number;
  /** What the backend has; for one robot of one name at most one bit. */
  backend: number;
  /** Those of them that have expired. */
  expired: number;
  /** `harbor PATCH`: of which UID the robot is, whether or not it has a secret yet. */
  robot: number;
  /** Bits 0 and 1: whether there is a Revocation of UID 1 and 2. */
  revocations: number;
  /** Those that were in the Secret when a user took them out. */
  lost: number;
  /** 0: it is there; 1: disabled; 2: being deleted; 3: gone. */
  bot: number;
  /** 0: it is there; 1: being deleted; 2: gone. */
  issuer: number;
  /** 1: the backend does not answer. */
  outage: number;
  /** How many more things users do, of all kinds and of each (two bits each). */
  eventsLeft: number;
  kindsLeft: number;
}

/** What an operator is about to do. Between any two of these it may pause for ever, or crash. */
export const steps = [
  'idle',
  'has read the object',
  'has read the Secret',
  'looks whether the Secret is lost',
  'adds the finalizer',
  'reserves',
  'issues',
  'issues, second call',
  'lists before the end',
  'deletes the old robot',
  'posts the robot',
  'writes the Secret',
  'lists below its revision',
  'deletes below its revision',
  'records',
  'revokes what is due',
  'records the end of overlaps',
  'revokes all',
  'records the revocation',
  'deletes what is not recorded',
  'closes the reservation',
  'revokes before the end',
  'makes a Revocation',
  'takes off the finalizer',
  'carries out a Revocation',
  'deletes the Revocation',
  'sweeps: has listed',
  'sweeps: deletes',
  'counts credentials for the bot',
  'lets the bot go',
  'counts credentials for the issuer',
  'lets the issuer go',
  'records what is to end',
] as const;
export type StepName = (typeof steps)[number];
export const at: { readonly [Name in StepName]: number } = Object.fromEntries(
  steps.map((name, i) => [name, i]),
) as never;

/** One operator: what it is about to do, what it read, and whether that is still so. Unused fields are 0. */
export interface Operator {
  step: number;
  uid: number;
  revision: number;
  madeFrom: number;
  /** 1: the Secret is to be patched at the version that was read; 0: it must not exist. */
  patch: number;
  cred: number;
  /** 1: the object's, the Secret's resourceVersion that was read is the current one. */
  objectFresh: number;
  secretFresh: number;
  /** Credentials it is going to delete; or `previous` and `due` of the object as it was read. */
  set: number;
  set2: number;
  /** The object, or the Secret, as it was read. */
  read: number;
}

export const idle: Operator = {
  step: at.idle,
  uid: 0,
  revision: 0,
  madeFrom: 0,
  patch: 0,
  cred: 0,
  objectFresh: 1,
  secretFresh: 1,
  set: 0,
  set2: 0,
  read: 0,
};

export interface State {
  world: World;
  operators: readonly Operator[];
}

export const worldWords = 8;
export const operatorWords = 4;

/** The object in one word, without its two sets. */
export function packObject(o: ObjectSeen): number {
  return (
    o.uid |
    (o.finalizer << 2) |
    (o.deleting << 3) |
    (o.revoked << 4) |
    (o.want << 5) |
    (o.revision << 8) |
    (o.issuing << 12) |
    (o.served << 16) |
    (o.recorded << 20)
  );
}

export function unpackObject(word: number, previous: number, due: number): ObjectSeen {
  return {
    uid: word & 3,
    finalizer: (word >> 2) & 1,
    deleting: (word >> 3) & 1,
    revoked: (word >> 4) & 1,
    want: (word >> 5) & 7,
    revision: (word >> 8) & 15,
    issuing: (word >> 12) & 15,
    served: (word >> 16) & 15,
    recorded: (word >> 20) & 63,
    previous,
    due,
  };
}

export function packSecret(s: SecretSeen): number {
  return s.state | (s.owner << 2) | (s.revision << 4) | (s.holds << 8) | (s.madeFrom << 14);
}

export function unpackSecret(word: number): SecretSeen {
  return {
    state: word & 3,
    owner: (word >> 2) & 3,
    revision: (word >> 4) & 15,
    holds: (word >> 8) & 63,
    madeFrom: (word >> 14) & 7,
  };
}

export function secretOf(w: World): SecretSeen {
  return { state: w.state, owner: w.owner, revision: w.secretRevision, holds: w.holds, madeFrom: w.madeFrom };
}

export function pack({ world: w, operators }: State, into: Int32Array): void {
  into[0] = packObject(w);
  into[1] = w.previous;
  into[2] = w.due;
  into[3] =
    packSecret(secretOf(w)) |
    (w.bot << 17) |
    (w.issuer << 19) |
    (w.outage << 21) |
    (w.robot << 22) |
    (w.revocations << 24) |
    (w.eventsLeft << 26);
  into[4] = w.backend;
  into[5] = w.expired;
  into[6] = w.lost;
  into[7] = w.kindsLeft;
  operators.forEach((o, i) => {
    const from = worldWords + i * operatorWords;
    into[from] =
      o.step |
      (o.uid << 6) |
      (o.revision << 8) |
      (o.madeFrom << 12) |
      (o.patch << 15) |
      (o.cred << 16) |
      (o.objectFresh << 22) |
      (o.secretFresh << 23);
    into[from + 1] = o.set;
    into[from + 2] = o.set2;
    into[from + 3] = o.read;
  });
}

export function unpackWorld(words: Int32Array): World {
  const object = unpackObject(words[0] ?? 0, words[1] ?? 0, words[2] ?? 0);
  const word = words[3] ?? 0;
  const secret = unpackSecret(word);
  return {
    ...object,
    state: secret.state,
    owner: secret.owner,
    secretRevision: secret.revision,
    holds: secret.holds,
    madeFrom: secret.madeFrom,
    backend: words[4] ?? 0,
    expired: words[5] ?? 0,
    robot: (word >> 22) & 3,
    revocations: (word >> 24) & 3,
    lost: words[6] ?? 0,
    bot: (word >> 17) & 3,
    issuer: (word >> 19) & 3,
    outage: (word >> 21) & 1,
    eventsLeft: (word >> 26) & 15,
    kindsLeft: words[7] ?? 0,
  };
}

export function unpackOperator(words: Int32Array, i: number): Operator {
  const from = worldWords + i * operatorWords;
  const word = words[from] ?? 0;
  return {
    step: word & 63,
    uid: (word >> 6) & 3,
    revision: (word >> 8) & 15,
    madeFrom: (word >> 12) & 7,
    patch: (word >> 15) & 1,
    cred: (word >> 16) & 63,
    objectFresh: (word >> 22) & 1,
    secretFresh: (word >> 23) & 1,
    set: words[from + 1] ?? 0,
    set2: words[from + 2] ?? 0,
    read: words[from + 3] ?? 0,
  };
}
