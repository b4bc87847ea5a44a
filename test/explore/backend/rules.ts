/** How a backend keeps credentials, as far as the protocol can tell. */
export type Backend =
  /** Many tokens, a name per revision: `buf`, and `harbor` with an overlap. */
  | 'many'
  /** One robot whose secret is set by PATCH: a known wrong way. */
  | 'patched'
  /** One robot of one name, replaced by DELETE and POST: `harbor` with overlap 0s. */
  | 'replaced'
  /** Robots of two names in turn: a known wrong way. */
  | 'alternating'
  /** No backend: `jwt` and `registry`. */
  | 'none';

/** What users and the world do. */
export const eventKinds = [
  'deletes the Secret',
  'edits the Secret',
  'creates a foreign Secret',
  'deletes the object',
  'creates the object again',
  'changes the spec',
  'revokes',
  'takes off the finalizer',
  'restores an empty status',
  'restores the Secret before',
  'deletes the credential at the backend',
  'disables the bot',
  'deletes the bot',
  'brings the bot back',
  'lets the credentials expire',
  'deletes the issuer',
] as const;
export type EventKind = (typeof eventKinds)[number];

/** The protocol: each rule of section 3 of the design that can be taken out, and the first version of it. */
export interface Rules {
  backend: Backend;
  operators: 1 | 2 | 3;
  /** The first version: one shared intent, issue by a mark, no sweep, the record takes the spec of the moment. */
  firstVersion: boolean;
  /** Nobody issues under a reservation that another one made. */
  exclusive: boolean;
  /** What has a lower number and is not kept is deleted before the record. */
  sweepBeforeRecord: boolean;
  /** Faults stop, then one sweep. */
  sweep: boolean;
  /** Sweeps run beside live operators too. */
  sweepRuns: boolean;
  closeOnForeign: boolean;
  liveRead: boolean;
  /** The record copies what the Secret was made from. */
  inputsFromSecret: boolean;
  /** Another UID's robot is left alone while that UID is alive. */
  uidCheck: boolean;
  secretPrecondition: boolean;
  recordPrecondition: boolean;
  /** A Secret of a dead UID and the same name is ours. */
  takeover: boolean;
  garbageCollector: boolean;
  crashes: boolean;
  /** The end condition is asked only where no operator is at work. */
  endOnlyIdle: boolean;
  /** `none`: the id of a token is UID and revision and nothing else. */
  derivedIDs: boolean;
  /** `none`: what verifies a token is recorded in the status, after the Secret. */
  verifierInStatus: boolean;
  /** `alternating`: by name instead of by id. */
  revokesByName: boolean;
  /** A deletion leaves a Revocation where a reservation is open, and where the backend does not answer. */
  revocations: boolean;
  /** A Revocation and an issuer go only when no request of an earlier holder can still land. */
  waitsForHolders: boolean;
  /** What a disabled bot ends is recorded before it is revoked. */
  recordsFirst: boolean;
  /** The Secret is looked at before the object as well as after it. */
  secretFirst: boolean;
  /** The backend may stop to answer, once. */
  outages: boolean;
  events: number;
  kinds: { readonly [Kind in EventKind]?: 1 | 2 };
  /** States with a higher revision are not looked at. */
  revisionBound: number;
  checks: readonly ('I1' | 'I3' | 'I5' | 'I6' | 'secret works' | 'end')[];
}

export const commonEvents: Rules['kinds'] = {
  'deletes the Secret': 1,
  'edits the Secret': 1,
  'creates a foreign Secret': 1,
  'deletes the object': 1,
  'creates the object again': 1,
  'changes the spec': 2,
  revokes: 1,
};

/** The corrected protocol. */
export function protocol(backend: Backend, change: Partial<Rules>): Rules {
  const withOne = backend === 'patched' || backend === 'replaced';
  return {
    backend,
    operators: 2,
    firstVersion: false,
    exclusive: true,
    sweepBeforeRecord: true,
    sweep: true,
    sweepRuns: false,
    closeOnForeign: true,
    liveRead: true,
    inputsFromSecret: true,
    uidCheck: true,
    secretPrecondition: true,
    recordPrecondition: true,
    takeover: false,
    garbageCollector: true,
    crashes: true,
    endOnlyIdle: false,
    derivedIDs: false,
    verifierInStatus: false,
    revokesByName: false,
    revocations: true,
    waitsForHolders: false,
    recordsFirst: true,
    secretFirst: true,
    outages: false,
    events: 2,
    kinds: commonEvents,
    revisionBound: 3,
    checks: withOne ? ['I1', 'I5', 'end'] : ['I1', 'I3', 'I5', 'end'],
    ...change,
  };
}

/** The protocol as it was first written, before the model checker saw it. */
export function firstVersion(backend: Backend, change: Partial<Rules>): Rules {
  return protocol(backend, {
    firstVersion: true,
    exclusive: false,
    sweepBeforeRecord: false,
    sweep: false,
    closeOnForeign: false,
    liveRead: false,
    inputsFromSecret: false,
    revocations: false,
    secretFirst: false,
    derivedIDs: backend === 'none',
    checks: ['I1', 'end'],
    ...change,
  });
}

export const isPure = ({ backend }: Rules): boolean => backend === 'none';
/** The finalizer is the reservation of 1. */
export const finalizerReserves = (rules: Rules): boolean => !rules.firstVersion && !isPure(rules);
