import { live } from './live.ts';
import { type EventKind, eventKinds, isPure, type Rules } from './rules.ts';
import { at, bit, credential, has, idle, type Operator, unpackObject, type World } from './world.ts';

export type Happened = (by: string, world: World, moved?: 'object' | 'Secret') => void;

/** How many things users may do, in the words of the state. */
export function kindsOf(kinds: Rules['kinds']): number {
  return eventKinds.reduce((word, kind, i) => word | ((kinds[kind] ?? 0) << (2 * i)), 0);
}

const numberOf = Object.fromEntries(eventKinds.map((kind, i) => [kind, i])) as { [Kind in EventKind]: number };
const userNames = Object.fromEntries(eventKinds.map(kind => [kind, `somebody ${kind}`])) as {
  [Kind in EventKind]: string;
};

/** What users, time, the garbage collector and backends do of their own accord. */
export function environment(w: World, rules: Rules, happened: Happened): void {
  const can = (kind: EventKind) => w.eventsLeft > 0 && ((w.kindsLeft >> (2 * numberOf[kind])) & 3) > 0;
  const user = (kind: EventKind, change: Partial<World>, moved?: 'object' | 'Secret') =>
    happened(
      userNames[kind],
      { ...w, eventsLeft: w.eventsLeft - 1, kindsLeft: w.kindsLeft - (1 << (2 * numberOf[kind])), ...change },
      moved,
    );
  secretEvents(w, { can, user });
  collectGarbage(w, rules, happened);
  objectEvents(w, { can, user });
  passTime(w, happened);
  if (!isPure(rules) && can('deletes the credential at the backend')) {
    for (let cred = 1; cred <= 32; cred++) {
      if (has(w.backend, cred))
        user('deletes the credential at the backend', { backend: w.backend & ~bit(cred), robot: 0 });
    }
  }
  botEvents(w, rules, { can, user });
  if (rules.outages && w.outage === 0 && w.eventsLeft > 0) {
    happened('the backend stops to answer', { ...w, outage: 1, eventsLeft: w.eventsLeft - 1 });
  }
  if (w.outage === 1) happened('the backend answers again', { ...w, outage: 0 });
}

interface User {
  can: (kind: EventKind) => boolean;
  user: (kind: EventKind, change: Partial<World>, moved?: 'object' | 'Secret') => void;
}

const noSecret = { state: 0, owner: 0, secretRevision: 0, holds: 0, madeFrom: 0 };

function secretEvents(w: World, { can, user }: User): void {
  const lost = w.lost | bit(w.holds);
  if (w.state === 2) {
    if (can('deletes the Secret')) user('deletes the Secret', { ...noSecret, lost }, 'Secret');
    if (can('edits the Secret') && w.holds !== 0) user('edits the Secret', { holds: 0, lost }, 'Secret');
    if (w.uid !== 0 && w.secretRevision > 1 && w.holds !== 0 && can('restores the Secret before')) {
      const secretRevision = w.secretRevision - 1;
      const holds = credential(w.owner, secretRevision);
      user('restores the Secret before', { secretRevision, holds, madeFrom: 1, lost }, 'Secret');
    }
  }
  if (w.state === 0 && can('creates a foreign Secret')) {
    user('creates a foreign Secret', { ...noSecret, state: 1 }, 'Secret');
  }
}

export function collectGarbage(w: World, rules: Rules, happened: Happened): void {
  if (rules.garbageCollector && w.state === 2 && w.uid !== w.owner) {
    happened('the garbage collector takes the Secret of a dead owner', { ...w, ...noSecret }, 'Secret');
  }
}

function objectEvents(w: World, { can, user }: User): void {
  if (w.uid === 0) {
    const object = { ...unpackObject(0, 0, 0), uid: 2, want: 1 };
    if (can('creates the object again')) user('creates the object again', object, 'object');
    return;
  }
  if (w.deleting === 1) return;
  if (can('deletes the object')) {
    user('deletes the object', w.finalizer === 1 ? { deleting: 1 } : unpackObject(0, 0, 0), 'object');
  }
  if (w.revoked === 0) {
    if (can('changes the spec')) user('changes the spec', { want: w.want + 1 }, 'object');
    if (can('revokes')) user('revokes', { revoked: 1 }, 'object');
  }
  if (w.finalizer === 1) {
    if (can('takes off the finalizer')) user('takes off the finalizer', { finalizer: 0 }, 'object');
    const empty = { revision: 0, issuing: 0, served: 0, recorded: 0, previous: 0, due: 0 };
    const something = w.revision !== 0 || w.issuing !== 0 || w.served !== 0;
    if (something && can('restores an empty status')) user('restores an empty status', empty, 'object');
  }
}

/** Time passes: the overlaps are over. */
export function passTime(w: World, happened: Happened): void {
  if (w.uid !== 0 && w.previous !== 0) {
    happened('the overlap is over', { ...w, previous: 0, due: w.due | w.previous });
  }
}

function botEvents(w: World, rules: Rules, { can, user }: User): void {
  if (w.bot === 0) {
    if (can('disables the bot')) user('disables the bot', { bot: 1 });
    if (can('deletes the bot')) user('deletes the bot', { bot: 2 });
  } else if (w.bot !== 2 && can('brings the bot back')) user('brings the bot back', { bot: 0 });
  if (w.issuer === 0 && can('deletes the issuer')) user('deletes the issuer', { issuer: 1 });
  const alive = live(w, rules);
  if (alive !== 0 && w.uid !== 0 && can('lets the credentials expire')) {
    // Expiry comes with a renewal: the spec asks for rotation.
    user(
      'lets the credentials expire',
      { expired: w.expired | alive, want: w.want + (w.revoked === 1 ? 0 : 1) },
      'object',
    );
  }
}

const needsObject = new Set([
  at['lists before the end'],
  at['records what is to end'],
  at['lists below its revision'],
  at['deletes below its revision'],
  at['deletes what is not recorded'],
  at['adds the finalizer'],
  at.reserves,
  at.records,
  at['records the end of overlaps'],
  at['records the revocation'],
  at['closes the reservation'],
  at['takes off the finalizer'],
]);
const usesSecret = new Set([
  at['adds the finalizer'],
  at.reserves,
  at.issues,
  at['issues, second call'],
  at['deletes the old robot'],
  at['posts the robot'],
  at['writes the Secret'],
]);
const ignoresObject = new Set([
  at['has read the Secret'],
  at['carries out a Revocation'],
  at['deletes the Revocation'],
  at['sweeps: has listed'],
  at['sweeps: deletes'],
  at['counts credentials for the bot'],
  at['lets the bot go'],
  at['counts credentials for the issuer'],
  at['lets the issuer go'],
]);

/** An operator after somebody else's write: what it read is not current any more, so its own write will be refused. */
export function overtaken(op: Operator, moved: 'object' | 'Secret' | undefined, rules: Rules): Operator {
  if (moved === undefined || op.step === at.idle) return op;
  return normal(moved === 'object' ? { ...op, objectFresh: 0 } : { ...op, secretFresh: 0 }, rules);
}

/** Forgets what does not matter any more, so that equal operators have equal words. */
export function normal(op: Operator, rules: Rules): Operator {
  const { step, objectFresh, patch } = op;
  if (step === at.idle) return idle;
  const records = step === at.records && !rules.recordPrecondition;
  if (objectFresh === 0 && needsObject.has(step) && !records) return idle;
  if (step === at['writes the Secret'] && patch === 1 && op.secretFresh === 0 && rules.secretPrecondition) return idle;
  const current = ignoresObject.has(step) ? 1 : objectFresh;
  if (step === at['has read the Secret']) return { ...op, objectFresh: 1 };
  const secretFresh = usesSecret.has(step) && patch === 1 ? op.secretFresh : 1;
  const blind = secretFresh === 0 && step >= at.issues && step <= at['posts the robot'];
  return { ...op, objectFresh: blind ? 0 : current, secretFresh };
}
