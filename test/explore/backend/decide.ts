import { finalizerReserves, isPure, type Rules } from './rules.ts';
import { at, ended, idle, type ObjectSeen, type Operator, type SecretSeen } from './world.ts';

/** What a decision rests on. */
export interface Seen {
  object: ObjectSeen;
  secret: SecretSeen;
  /** Whether the Secret was read live. */
  live: boolean;
  bot: number;
  issuer: number;
}

/** The open reservation, or 0. */
export function openReservation(object: ObjectSeen, rules: Rules): number {
  if (object.issuing !== 0) return object.issuing;
  return finalizerReserves(rules) && object.revision === 0 && object.finalizer === 1 ? 1 : 0;
}

/** The next step of an operator that has seen this; idle where nothing is to be done. */
export function decide(seen: Seen, rules: Rules): Operator {
  const { object } = seen;
  if (object.uid === 0) return idle;
  if (object.deleting === 1) return object.finalizer === 1 ? next('revokes before the end', seen, rules) : idle;
  return rules.firstVersion ? decideFirst(seen, rules) : decideNow(seen, rules);
}

function next(step: keyof typeof at, { object, secret }: Seen, rules: Rules, more: Partial<Operator> = {}): Operator {
  const patch = isMine(object, secret) ? 1 : 0;
  const issuing = openReservation(object, rules);
  return { ...idle, step: at[step], uid: object.uid, revision: issuing, patch, ...more };
}

function isMine(object: ObjectSeen, secret: SecretSeen): boolean {
  return secret.state === 2 && secret.owner === object.uid;
}

function decideNow(seen: Seen, rules: Rules): Operator {
  const { object, secret } = seen;
  const pure = isPure(rules);
  const mine = isMine(object, secret);
  const good = mine && secret.holds !== 0;
  const open = openReservation(object, rules);
  const exists = secret.state === 0 ? 0 : 1;
  if (object.finalizer === 0 && (object.revision !== 0 || object.issuing !== 0)) {
    return next('adds the finalizer', seen, rules);
  }
  const otherSecret = !pure && good && secret.holds !== object.recorded;
  if (object.revoked === 1) {
    return object.finalizer === 1 && (object.served !== ended || otherSecret) ? end(seen, rules) : idle;
  }
  if (seen.bot !== 0) return suspend(seen, rules, open);
  const notOurs = secret.state === 1 || (secret.state === 2 && !mine && !rules.takeover);
  if (object.finalizer === 0) {
    if (notOurs || seen.issuer !== 0) return idle;
    return next('adds the finalizer', seen, rules, { patch: exists });
  }
  const record = { cred: secret.holds, madeFrom: secret.madeFrom };
  if (good) {
    if (open !== 0 && secret.revision === open) {
      const sweepFirst = rules.sweepBeforeRecord && !pure && open > object.revision + 1;
      return next(sweepFirst ? 'lists below its revision' : 'records', seen, rules, record);
    }
    if (secret.revision > Math.max(object.revision, open) + (pure && open === 0 ? 1 : 0)) {
      return next('records', seen, rules, record);
    }
    if (open === 0 && secret.holds === object.recorded) return serve(seen, rules);
    if (pure && object.issuing === 0 && secret.revision === object.revision + 1)
      return next('records', seen, rules, record);
  }
  if (notOurs) return foreign(seen, rules, open);
  if (!seen.live && rules.liveRead) return next('looks whether the Secret is lost', seen, rules);
  if (seen.issuer !== 0) return open === 0 ? idle : close(seen, rules);
  const after = open === 0 ? object.revision + 1 : rules.exclusive ? open + 1 : open;
  if (pure) return next('writes the Secret', seen, rules, { revision: after, madeFrom: object.want, patch: exists });
  const revision = mine ? Math.max(after, secret.revision + 1) : after;
  return next('reserves', seen, rules, { revision, patch: exists });
}

/** The Secret holds what is recorded. */
function serve(seen: Seen, rules: Rules): Operator {
  const { object } = seen;
  if (object.want > object.served && seen.issuer === 0) {
    const revision = object.revision + 1;
    if (!isPure(rules)) return next('reserves', seen, rules, { revision });
    return next('writes the Secret', seen, rules, { revision, madeFrom: object.want });
  }
  return object.due === 0 ? idle : next('revokes what is due', seen, rules, { set: object.due });
}

/** Nothing will come of the open reservation. */
function close(seen: Seen, rules: Rules): Operator {
  const first = rules.sweepBeforeRecord && !isPure(rules);
  return next(first ? 'deletes what is not recorded' : 'closes the reservation', seen, rules);
}

/**
 * Disabled, or without a bot: this may turn round, so that what is to end is recorded first, by compare-and-swap, and then
 * revoked by id. Whoever is enabled in between finds nothing recorded, and issues anew.
 */
function suspend(seen: Seen, rules: Rules, open: number): Operator {
  const { object, secret } = seen;
  if (object.finalizer === 0) return idle;
  const unrecorded =
    !isPure(rules) && isMine(object, secret) && secret.holds !== 0 && secret.revision > object.revision;
  const something = object.served !== 0 || open !== 0 || object.previous !== 0 || unrecorded;
  if (something) return rules.recordsFirst ? next('lists before the end', seen, rules) : end(seen, rules);
  return object.due === 0 ? idle : next('revokes what is due', seen, rules, { set: object.due });
}

/** Revokes everything; what the Secret holds now is recorded as seen to, and what it holds later is not. */
function end(seen: Seen, rules: Rules): Operator {
  const { object, secret } = seen;
  const remembered = rules.sweepBeforeRecord && !isPure(rules) && isMine(object, secret);
  return next('revokes all', seen, rules, remembered ? { cred: secret.holds } : {});
}

function foreign(seen: Seen, rules: Rules, open: number): Operator {
  const { object, secret } = seen;
  if (secret.state !== 1) return idle; // of a dead UID: the garbage collector takes it
  if (open !== 0 && rules.closeOnForeign) return close(seen, rules);
  return open === 0 && object.due !== 0 ? next('revokes what is due', seen, rules, { set: object.due }) : idle;
}

/** The first version of the protocol. */
function decideFirst(seen: Seen, rules: Rules): Operator {
  const { object, secret } = seen;
  const mine = isMine(object, secret);
  const good = mine && secret.holds !== 0;
  const held = object.recorded !== 0 || object.previous !== 0 || object.due !== 0 || object.issuing !== 0;
  if (object.revoked === 1) return object.finalizer === 1 && held ? end(seen, rules) : idle;
  if (object.finalizer === 0) return next('adds the finalizer', seen, rules);
  const revision = object.revision + 1;
  if (good && secret.revision === revision) {
    const madeFrom = rules.inputsFromSecret ? secret.madeFrom : object.want;
    return next('records', seen, rules, { cred: secret.holds, madeFrom });
  }
  const served = good && secret.revision === object.revision;
  if (object.revision === 0 || object.want > object.served || !served) {
    if (secret.state === 1 || (secret.state === 2 && !mine)) return idle;
    if (isPure(rules)) return next('writes the Secret', seen, rules, { revision, madeFrom: object.want });
    if (object.issuing !== revision) return next('reserves', seen, rules, { revision });
    return next('issues', seen, rules, { revision, madeFrom: object.want });
  }
  return object.due === 0 ? idle : next('revokes what is due', seen, rules, { set: object.due });
}
