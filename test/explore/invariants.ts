import { count, kept, live } from './backend/live.ts';
import { isPure, type Rules } from './backend/rules.ts';
import { bit, type World } from './backend/world.ts';

// The invariants of section 3 of the design, by their numbers, as predicates on every state and on where every state comes
// to rest. I4 (secret bytes are nowhere else) and I7's backend ids are not visible to a model.

const name = (w: World) => `object ${w.uid}`;
const evenBits = 0x55555555;

/** What is wrong with this state of the protocol with a backend, while anything may still happen. */
export function violationOf(w: World, rules: Rules): string | undefined {
  const alive = live(w, rules);
  for (const check of rules.checks) {
    const says = stateChecks[check]?.(w, alive, rules);
    if (says !== undefined) return says;
  }
  return undefined;
}

type Check = (w: World, alive: number, rules: Rules) => string | undefined;

const stateChecks: { readonly [Name in Rules['checks'][number]]?: Check } = {
  I1: (_, alive) =>
    (alive & evenBits & ((alive >>> 1) & evenBits)) === 0 ? undefined : 'I1: two live credentials of one revision',
  I3: (w, alive, rules) => {
    if (isPure(rules) || w.uid === 0 || w.deleting === 1 || w.revoked === 1 || w.bot !== 0) return undefined;
    return (w.previous & ~alive & ~w.expired) === 0 ? undefined : 'I3: a credential died before its overlap was over';
  },
  I6: (w, alive) => (w.issuer === 2 && alive !== 0 ? 'I6: the issuer is gone, a credential of it works' : undefined),
  'secret works': (w, alive) => {
    const serves =
      w.uid !== 0 && w.deleting === 0 && w.revoked === 0 && w.bot === 0 && w.state === 2 && w.owner === w.uid;
    const dead = serves && w.holds !== 0 && ((alive | w.expired) & bit(w.holds)) === 0;
    return dead ? 'I3: the Secret holds a credential that does not work' : undefined;
  },
};

/** What is wrong with a world in which faults have stopped, everybody rests, and one sweep has been made. */
export function endWithout(w: World, rules: Rules): string | undefined {
  const alive = live(w, rules);
  if (w.revocations !== 0) return 'END: a Revocation is never done (I6)';
  if (rules.backend === 'patched' && w.robot !== 0 && w.robot !== w.uid)
    return 'END: the robot of a dead object stays (I2)';
  if (w.uid === 0) return endOfGone(w, alive, rules);
  if (w.deleting === 1) return 'END: a deletion is stuck (I6)';
  if (w.bot === 2) return 'END: the deletion of the bot is stuck (I6)';
  if (w.revoked === 1 || w.bot !== 0) {
    return alive === 0 ? undefined : 'END: revoked or without a bot, and a credential works (I2)';
  }
  if (w.issuer !== 0) return endOfIssuer(w, alive);
  return endOfServed(w, alive, rules);
}

function endOfGone(w: World, alive: number, rules: Rules): string | undefined {
  if (alive !== 0) return 'END: the object is gone, a credential works (I2, I6)';
  if (rules.garbageCollector && w.state === 2) return 'END: the Secret of a dead owner stays';
  if (w.issuer === 1) return 'END: the issuer waits for ever (I6)';
  return undefined;
}

/** An issuer on its way out serves nobody anew; nothing that is not recorded may be left. */
function endOfIssuer(w: World, alive: number): string | undefined {
  return (alive & ~kept(w)) === 0 ? undefined : 'END: the issuer goes, an orphan works (I2)';
}

function endOfServed(w: World, alive: number, rules: Rules): string | undefined {
  if (w.state === 1) {
    const orphans = w.finalizer === 1 ? alive & ~kept(w) : alive;
    return orphans === 0 ? undefined : 'END: stalled on a foreign Secret, an orphan works (I2)';
  }
  if (w.state === 0) return `END: ${name(w)} has no Secret`;
  if (w.owner !== w.uid) return 'END: the Secret is another UID’s for ever';
  if (w.holds === 0) return 'END: an edited Secret is not put right (I8)';
  if ((alive & bit(w.holds)) === 0) return 'END: the Secret holds a dead credential for ever';
  if (count(alive) > 1) return 'END: more than one credential works (I1, I2, I8)';
  if ((w.lost & bit(w.holds)) !== 0 && rules.kinds['restores the Secret before'] === undefined)
    return 'END: a lost credential is in the Secret again (I8)';
  if (w.madeFrom !== w.want) return 'END: the Secret has a token of old inputs, recorded as current';
  if (w.recorded !== w.holds) return 'END: the status names another credential than the Secret (I2)';
  return w.issuing === 0 && w.previous === 0 && w.due === 0 ? undefined : 'END: the status is not settled (I5)';
}
