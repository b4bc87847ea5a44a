import { revokeFinalizer } from '../../../src/api/names.ts';
import type { RobotAccount } from '../../../src/api/robot-account.ts';
import type { Observed, Step } from '../../../src/decide/credential-seen.ts';
import type { Ablation, View, Walked } from '../credential/kind.ts';
import type { Scenario } from '../credential/model.ts';
import { robotAccountWorld } from './robot-accounts.ts';
import type { Surroundings } from './source.ts';

/** A rule that is taken out of what is walked, and the violation that has to be found then. */
export interface WrongWay {
  of: Walked<RobotAccount, Surroundings>;
  scenario: Scenario<RobotAccount>;
  wrong: RegExp;
}

type Issue = Step & { do: 'issue' };
type World = Partial<Walked<RobotAccount, Surroundings>>;
type Seen = Omit<View<RobotAccount, Surroundings>, 'live'>;

const overlapping = { rotation: { overlap: '1h' } };

/** What section 3 of the design says about robots and their token server, each rule by itself. */
export const wrongWays: readonly WrongWay[] = [
  way('robots without ceilings', /above the ceiling is in force/, {
    without: { sees: withoutRefusal },
    before: ['has a low ceiling'],
  }),
  way('robots without Secret precondition', /I3/, {
    operators: 2,
    without: { ignoresVersions: 'secrets' },
    kinds: { 'asks for a rotation': 1, 'deletes the Secret': 1 },
  }),
  way('robots without record compare-and-swap', /I2/, {
    operators: 2,
    without: { ignoresVersions: 'objects' },
    kinds: { 'asks for a rotation': 1 },
  }),
  way(
    'V9 verifier of a robot only in the status, after the Secret',
    /I3: the Secret holds a secret that does not work/,
    {
      world: { isLive: (one, seen) => robotAccountWorld.isLive(one, { ...seen, secret: undefined }) },
    },
  ),
  way('V5 records the host of the moment', /END: a pass does not come to rest/, {
    without: { does: recordingTheMoment },
    kinds: { 'moves the registry': 1 },
  }),
  way('a replaced secret has its overlap', /END: a leaked secret works/, {
    spec: overlapping,
    without: { does: issuing({ overlapSeconds: 3600, replaces: false }) },
    kinds: { 'asks for a replacement': 1 },
  }),
  way('a rotation forgets the overlap', /I3: .* died before its time/, {
    spec: overlapping,
    without: { does: issuing({ overlapSeconds: 0 }) },
    kinds: { 'asks for a rotation': 1 },
  }),
  way('permissions come with the next secret', /END: a pass does not come to rest/, {
    without: { does: withoutPermissions },
    kinds: { 'gives it less': 1 },
  }),
  way('the end comes with the next secret', /END: the record has another end/, {
    without: { does: step => (step.do === 'render' ? { do: 'rest', until: undefined } : step) },
    kinds: { 'wants a shorter life': 1 },
  }),
  way('a verifier of a key that is gone is left alone', /END: a robot is Ready, and/, {
    without: { sees: believingInKeys },
    kinds: { 'rotates the key of verifiers': 1, 'restores the first key of verifiers': 1 },
    onlyEnd: true,
  }),
  way('a pause hides that a key is gone', /END: a robot is Ready, and the key of its verifier is gone/, {
    without: { does: step => (isOfMissingKey(step) ? { do: 'rest', until: undefined } : step) },
    kinds: { 'loses the keys of verifiers': 1, pauses: 1 },
    onlyEnd: true,
  }),
  way('robots without a finalizer', /without a finalizer|I6/, { without: { sees: finalized } }),
  way('a number for each secret', /another number/, {
    world: { minted: (robot, ...rest) => robotAccountWorld.minted(withoutNumber(robot), ...rest) },
    kinds: { 'asks for a rotation': 1 },
  }),
  way('a number is taken to another issuer', /taken its number to another issuer/, {
    world: { minted: (robot, step, by) => robotAccountWorld.minted(ofIssuer(robot, step.wish.issuer), step, by) },
    kinds: { 'makes the issuer anew': 1 },
  }),
  way('what was lost is of any issuer', /I2: .* of another issuer works/, {
    spec: overlapping,
    world: { isLive: (one, seen) => robotAccountWorld.isLive(one, ofAnyIssuer(seen)) },
    kinds: { 'deletes the Secret': 1, 'puts a foreign Secret there': 1, 'makes the issuer anew': 1 },
  }),
  way('a source is looked at once', /END: the record has another own secret/, {
    world: { principal: (sight, robot) => robotAccountWorld.principal(sight, robot) },
    spec: { rotation: undefined, secret: { ...ownSecret() } } as never,
    before: ['makes the source'],
    without: {
      does: (step, seen) => (step.do === 'issue' && isRecorded(seen) ? { do: 'rest', until: undefined } : step),
    },
    kinds: { 'changes the source': 1 },
  }),
];

export function way(
  name: string,
  wrong: RegExp,
  { world = {}, kinds = {}, ...o }: { world?: World; without?: Ablation } & Partial<Scenario<RobotAccount>>,
): WrongWay {
  const events = Object.keys(kinds).length;
  return {
    of: { ...robotAccountWorld, ...world },
    scenario: { operators: 1, lag: 'all', ...o, name, kinds, events },
    wrong,
  };
}

export function ownSecret() {
  const data = [{ key: 'secret', template: '$(token)' }];
  return { type: 'Opaque', data, valueFrom: { secretKeyRef: { name: 'mine', key: 'secret' } } };
}

function isRecorded({ object }: Observed): boolean {
  return object.status?.issued !== undefined;
}

/** What is refused is served all the same. */
export function withoutRefusal(seen: Observed): Observed {
  const { principal } = seen;
  if (principal.state !== 'self' || principal.grant.allowed || principal.grant.wish === undefined) return seen;
  return { ...seen, principal: { ...principal, grant: { allowed: true, value: principal.grant.wish } } };
}

/** A verifier of a key that is not known is of one that is still to be heard of. */
function believingInKeys(seen: Observed): Observed {
  const { principal } = seen;
  if (principal.state !== 'self' || principal.verifierKeys === undefined) return seen;
  const keys = principal.verifierKeys;
  const numberOf = (verifier: string) => keys.numberOf(verifier) ?? Number.POSITIVE_INFINITY;
  const verifierKeys = { current: keys.current, numberOf };
  return { ...seen, principal: { ...principal, verifierKeys } };
}

function isOfMissingKey(step: Step): boolean {
  return step.do === 'write-status' && step.verdict.reason === 'VerifierKeyMissing';
}

/** As if it had its finalizer. */
function finalized(seen: Observed): Observed {
  const metadata = { ...seen.object.metadata, finalizers: [revokeFinalizer] };
  return { ...seen, object: { ...seen.object, metadata } };
}

/** The record says the host that the issuer has now, not the one that stands in the Secret. */
function recordingTheMoment(step: Step, { principal }: Observed): Step {
  if (step.do !== 'write-status' || principal.state !== 'self' || !principal.grant.allowed) return step;
  const { issued } = step.patch as { issued?: { inputs?: object } }; // a merge patch of the status
  const host = principal.grant.value.robot?.host;
  if (issued?.inputs === undefined) return step;
  return { ...step, patch: { ...step.patch, issued: { ...issued, inputs: { ...issued.inputs, host } } } };
}

function issuing(change: Partial<Issue>): (step: Step) => Step {
  return step => (step.do === 'issue' ? { ...step, ...change } : step);
}

function withoutPermissions(step: Step): Step {
  if (step.do !== 'write-status' || step.because === 'issued') return step;
  const { permissions: _, ...patch } = step.patch as { permissions?: unknown }; // a merge patch of the status
  return { ...step, patch };
}

function withoutNumber({ status, ...robot }: RobotAccount): RobotAccount {
  const { id: _, ...others } = status ?? {};
  return { ...robot, status: others };
}

/** As if what the status says were of this issuer. */
function ofIssuer({ status, ...robot }: RobotAccount, { uid }: { uid: string }): RobotAccount {
  if (status?.id === undefined) return robot;
  const { issued: _, ...lost } = status;
  return { ...robot, status: { ...lost, issuerUID: uid } };
}

function ofAnyIssuer(seen: Seen): Seen {
  const { issuer } = seen;
  const objects = seen.objects.map(robot =>
    robot?.status?.issued === undefined && issuer !== undefined ? robot && ofIssuer(robot, issuer.metadata) : robot,
  );
  return { ...seen, objects };
}
