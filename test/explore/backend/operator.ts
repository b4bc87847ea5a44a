import { decide, openReservation, type Seen } from './decide.ts';
import { kept, live } from './live.ts';
import { finalizerReserves, isPure, type Rules } from './rules.ts';
import {
  allOf,
  at,
  below,
  bit,
  credential,
  ended,
  has,
  idle,
  type Operator,
  packObject,
  packSecret,
  revisionOf,
  type State,
  secretOf,
  uidOf,
  unpackObject,
  unpackSecret,
  type World,
} from './world.ts';

/** Told what one step makes of the world and of the operator, and which resourceVersions it moved. */
export type Done = (world: World, operator: Operator, wrote?: 'object' | 'Secret', violation?: string) => void;

const both = (uid: number, revision: number) => [credential(uid, revision, 0), credential(uid, revision, 1)] as const;

/** The steps of one operator in one state; `done` is called for every way that a step can go. */
export class Turn {
  readonly #rules: Rules;
  readonly #state: State;
  readonly #index: number;
  readonly #w: World;
  readonly #op: Operator;
  readonly #done: Done;

  constructor(rules: Rules, state: State, index: number, done: Done) {
    this.#rules = rules;
    this.#state = state;
    this.#index = index;
    this.#w = state.world;
    this.#op = state.operators[index] ?? idle;
    this.#done = done;
  }

  take() {
    const { step } = this.#op;
    const w = this.#w;
    switch (step) {
      case at.idle:
        return this.#begin();
      case at['has read the object']:
        return this.#decides(unpackObject(this.#op.read, this.#op.set, this.#op.set2), secretOf(w), false);
      case at['has read the Secret']:
        return this.#decides(w, unpackSecret(this.#op.read), false);
      case at['looks whether the Secret is lost']:
        return this.#decides(unpackObject(this.#op.read, this.#op.set, this.#op.set2), secretOf(w), true);
      case at['adds the finalizer']:
        return this.#addFinalizer();
      case at.reserves:
        return this.#reserve();
      case at['writes the Secret']:
        return this.#writeSecret();
      case at.records:
        return this.#record();
      case at['records the end of overlaps']:
        return this.#write({ ...w, previous: w.previous & ~this.#op.set, due: w.due & ~this.#op.set });
      case at['records the revocation']:
        return this.#recordRevocation();
      case at['records what is to end']:
        return this.#recordEnd();
      case at['closes the reservation']:
        return this.#write({ ...w, revision: this.#op.revision, issuing: 0 });
      case at['makes a Revocation']:
        return this.#done({ ...w, revocations: w.revocations | this.#op.uid }, this.#then('takes off the finalizer'));
      case at['takes off the finalizer']:
        return w.uid === this.#op.uid ? this.#write(withoutObject(w)) : this.#done(w, idle);
      case at['deletes the Revocation']:
        return this.#done({ ...w, revocations: w.revocations & ~this.#op.uid }, idle);
      case at['counts credentials for the bot']:
        return this.#done(w, this.#dependsOnBot() ? idle : this.#then('lets the bot go'));
      case at['lets the bot go']:
        return this.#done({ ...w, bot: w.bot === 2 ? 3 : w.bot }, idle);
      case at['counts credentials for the issuer']:
        return this.#done(w, this.#dependsOnIssuer() ? idle : this.#then('lets the issuer go'));
      case at['lets the issuer go']:
        // It counts again, when whoever saw the issuer before its deletion has had the time that a holder has.
        if (w.issuer !== 1 || (this.#rules.waitsForHolders && this.#dependsOnIssuer())) return this.#done(w, idle);
        return this.#done({ ...w, issuer: 2 }, idle);
      default:
        return this.#atBackend();
    }
  }

  // Looking ----------------------------------------------------------------------------------------------------

  #begin() {
    const w = this.#w;
    if (w.uid !== 0) {
      const { previous, due } = w;
      this.#done(w, { ...idle, step: at['has read the object'], read: packObject(w), set: previous, set2: due });
      if (this.#rules.secretFirst) {
        this.#done(w, { ...idle, step: at['has read the Secret'], read: packSecret(secretOf(w)) });
      }
    }
    for (const uid of [1, 2]) {
      if ((w.revocations & uid) !== 0) this.#done(w, { ...idle, step: at['carries out a Revocation'], uid });
    }
    if (w.bot === 2) this.#done(w, { ...idle, step: at['counts credentials for the bot'] });
    if (w.issuer === 1) this.#done(w, { ...idle, step: at['counts credentials for the issuer'] });
    if (this.#rules.sweepRuns && this.#reachable()) this.#listMarks();
  }

  #listMarks() {
    for (const uid of [1, 2]) {
      const set = this.#w.backend & allOf(uid);
      if (set !== 0) this.#done(this.#w, { ...idle, step: at['sweeps: has listed'], uid, set });
    }
  }

  #decides(object: Seen['object'], secret: Seen['secret'], live: boolean) {
    const { objectFresh, secretFresh, step } = this.#op;
    const { bot, issuer } = this.#w;
    const next = decide({ object, secret, live, bot, issuer }, this.#rules);
    const fresh =
      step === at['has read the Secret'] ? { objectFresh: 1, secretFresh } : { objectFresh, secretFresh: 1 };
    if (next.step === at['looks whether the Secret is lost']) {
      const { previous, due } = object;
      return this.#done(this.#w, {
        ...next,
        ...fresh,
        read: packObject(object),
        set: previous,
        set2: due,
        revision: 0,
      });
    }
    this.#done(this.#w, next.step === at.idle ? idle : { ...next, ...fresh });
  }

  /** Some object of the bot is not recorded as revoked, by a live read. */
  #dependsOnBot(): boolean {
    const w = this.#w;
    if (w.uid === 0 || w.finalizer === 0) return false;
    return (
      w.served !== ended && (w.served !== 0 || openReservation(w, this.#rules) !== 0 || kept(w) !== bit(w.recorded))
    );
  }

  #dependsOnIssuer(): boolean {
    const w = this.#w;
    if (w.revocations !== 0 || this.#holdersAtWork(0)) return true;
    if (w.uid !== 0 && w.finalizer === 1 && w.served !== ended) return true;
    return !isPure(this.#rules) && (w.outage === 1 || w.backend !== 0);
  }

  // Writing to the API server ----------------------------------------------------------------------------------

  #then(step: keyof typeof at, more: Partial<Operator> = {}): Operator {
    return { ...this.#op, step: at[step], ...more };
  }

  #write(world: World, operator = idle, violation?: string) {
    this.#done(world, operator, 'object', violation);
  }

  #addFinalizer() {
    const w = { ...this.#w, finalizer: 1 };
    const rules = this.#rules;
    const first = w.revision === 0 && w.issuing === 0 && !rules.firstVersion;
    if (!first) return this.#write(w);
    const step = finalizerReserves(rules) ? 'issues' : 'writes the Secret';
    this.#write(w, this.#then(step, { revision: 1, madeFrom: w.want, objectFresh: 1 }));
  }

  #reserve() {
    const w = this.#w;
    const { revision } = this.#op;
    const needless = w.state === 2 && w.holds !== 0 && w.holds === w.recorded && w.want === w.served && w.issuing === 0;
    const works = needless && has(live(w, this.#rules), w.holds);
    const says = works && this.#rules.checks.includes('I5') ? 'I5: issues although there is nothing to do' : undefined;
    this.#write({ ...w, issuing: revision }, this.#then('issues', { madeFrom: w.want, objectFresh: 1 }), says);
  }

  #writeSecret() {
    const w = this.#w;
    const rules = this.#rules;
    const { patch, secretFresh, uid, revision, madeFrom, objectFresh } = this.#op;
    if (rules.secretPrecondition) {
      const refused = patch === 0 ? w.state !== 0 : w.state === 0 || secretFresh === 0;
      if (refused) return this.#done(w, idle);
    } else if (w.state === 1) {
      return this.#done(w, idle, 'Secret', 'I9: a foreign Secret was overwritten');
    }
    const cred = isPure(rules) ? this.#unused(uid, revision) : this.#op.cred;
    if (cred === 0) return; // a third one of one revision: nothing new is learnt
    const secret = { state: 2, owner: uid, secretRevision: revision, holds: cred, madeFrom };
    const backend = rules.derivedIDs ? w.backend | bit(cred) : w.backend;
    const superseding = rules.sweepBeforeRecord && !isPure(rules) && objectFresh === 1 && revision > w.revision + 1;
    const step = superseding ? 'lists below its revision' : 'records';
    this.#done(
      { ...w, ...secret, backend, lost: w.lost & ~bit(cred) },
      this.#then(step, { cred, secretFresh: 1 }),
      'Secret',
    );
  }

  #record() {
    const w = this.#w;
    const rules = this.#rules;
    const { cred, uid } = this.#op;
    if (w.uid === 0 || (!rules.recordPrecondition && w.uid !== uid)) return this.#done(w, idle);
    const one = rules.backend === 'patched' || rules.backend === 'replaced';
    const old = w.recorded !== cred && w.served !== 0 ? bit(w.recorded) & ~w.due : 0;
    const sets = one ? { previous: 0, due: 0 } : { previous: w.previous | old, due: w.due };
    const served = rules.inputsFromSecret ? this.#op.madeFrom : w.want;
    this.#write({ ...w, revision: revisionOf(cred), issuing: 0, recorded: cred, served, ...sets });
  }

  #recordRevocation() {
    const w = this.#w;
    const rules = this.#rules;
    const open = openReservation(w, rules);
    const served = rules.firstVersion ? w.want : w.revoked === 1 ? ended : 0;
    this.#write({
      ...w,
      revision: Math.max(w.revision, open),
      issuing: 0,
      previous: 0,
      due: 0,
      served,
      recorded: this.#op.cred,
    });
  }

  /** Nothing is recorded any more, and everything there is is due. */
  #recordEnd() {
    const w = this.#w;
    const listed = this.#op.set;
    let highest = Math.max(w.revision, openReservation(w, this.#rules));
    for (let cred = 1; cred <= 32; cred++) if (has(listed, cred)) highest = Math.max(highest, revisionOf(cred));
    const due = isPure(this.#rules) ? 0 : kept(w) | listed;
    this.#write({ ...w, revision: highest, issuing: 0, recorded: 0, previous: 0, due, served: 0 });
  }

  // Talking to the backend -------------------------------------------------------------------------------------

  #reachable(): boolean {
    return this.#w.outage === 0 && this.#w.issuer !== 2;
  }

  #atBackend() {
    const w = this.#w;
    const op = this.#op;
    const carries = op.step === at['carries out a Revocation'] && w.outage === 0; // it brings what it needs
    if (!isPure(this.#rules) && !carries && !this.#reachable()) return this.#unanswered();
    switch (op.step) {
      case at.issues:
        return this.#issue();
      case at['issues, second call']:
        return this.#issueAgain();
      case at['deletes the old robot']:
        return this.#deleteRobot();
      case at['posts the robot']:
        if (w.backend !== 0) return this.#done(w, this.#then('issues'));
        return this.#create(this.#unused(op.uid, op.revision), 0);
      case at['lists before the end']:
        return this.#done(w, this.#then('records what is to end', { set: w.backend & allOf(op.uid) }));
      case at['lists below its revision']: {
        const set = w.backend & below(op.uid, revisionOf(op.cred)) & ~kept(w);
        return this.#done(w, this.#then('deletes below its revision', { set }));
      }
      case at['deletes below its revision']:
        return this.#done(this.#without(op.set), this.#then('records', { set: 0 }));
      case at['revokes what is due']:
        return this.#revokeDue();
      case at['revokes all']:
        return this.#done(this.#withoutUID(op.uid), this.#then('records the revocation'));
      case at['deletes what is not recorded']:
        return this.#done(this.#withoutUnrecorded(), this.#then('closes the reservation'));
      case at['revokes before the end']: {
        const open = op.revision !== 0 && this.#rules.revocations && !isPure(this.#rules);
        const step = open ? 'makes a Revocation' : 'takes off the finalizer';
        return this.#done(this.#withoutUID(op.uid), this.#then(step, { revision: 0 }));
      }
      case at['carries out a Revocation']:
        if (this.#holdersAtWork(op.uid)) return;
        return this.#done(this.#withoutUID(op.uid), this.#then('deletes the Revocation'));
      case at['sweeps: has listed']:
        return this.#judge();
      case at['sweeps: deletes']:
        return this.#done({ ...w, backend: w.backend & ~op.set }, idle);
      default:
        throw new Error(`no such step: ${op.step}`);
    }
  }

  /** No answer: an end goes on without the backend, everything else is tried again later. */
  #unanswered() {
    const ends = this.#op.step === at['revokes before the end'] && this.#rules.revocations;
    this.#done(this.#w, ends ? this.#then('makes a Revocation', { revision: 0 }) : idle);
  }

  #issue() {
    const w = this.#w;
    const { uid, revision } = this.#op;
    const { backend, firstVersion, uidCheck } = this.#rules;
    if (firstVersion && (backend === 'many' || backend === 'alternating')) {
      const [first, second] = both(uid, revision);
      const doomed = backend === 'many' ? bit(first) | bit(second) : ofName(revision % 2);
      return this.#done({ ...w, backend: w.backend & ~doomed }, this.#then('issues, second call'));
    }
    if (backend === 'many' || backend === 'alternating') return this.#create(this.#unused(uid, revision), w.backend);
    if (backend === 'patched') return this.#issuePatched();
    if (w.backend === 0) return this.#done(w, this.#then('posts the robot'));
    const there = 32 - Math.clz32(w.backend);
    const later = uidOf(there) === uid && revisionOf(there) >= revision;
    if (later || (uidCheck && uidOf(there) !== uid && w.uid === uidOf(there))) return this.#done(w, idle);
    this.#done(w, this.#then('deletes the old robot', { cred: there }));
  }

  #deleteRobot() {
    const w = this.#w;
    const { cred, uid } = this.#op;
    const foreign = w.backend === bit(cred) && uidOf(cred) !== uid && uidOf(cred) === w.uid;
    const after = w.backend === bit(cred) ? { ...w, backend: 0 } : w;
    const says = foreign ? 'I7: the robot of another object that is alive was deleted' : undefined;
    this.#done(after, this.#then('posts the robot', { cred: 0 }), undefined, says);
  }

  #issuePatched() {
    const w = this.#w;
    const { uid } = this.#op;
    if (w.robot === 0) return this.#done({ ...w, robot: uid, backend: 0 }, this.#then('issues, second call'));
    if (w.robot === uid) return this.#done(w, this.#then('issues, second call'));
    if (this.#rules.firstVersion) return this.#done({ ...w, robot: uid }, this.#then('issues, second call')); // by name
    if (this.#rules.uidCheck && w.uid === w.robot) return this.#done(w, idle);
    this.#done({ ...w, robot: 0, backend: 0 }, this.#op);
  }

  #issueAgain() {
    const w = this.#w;
    const { uid, revision } = this.#op;
    const cred = this.#unused(uid, revision);
    if (this.#rules.backend !== 'patched') return this.#create(cred, w.backend);
    if (w.robot === 0 || (!this.#rules.firstVersion && w.robot !== uid)) return this.#done(w, idle);
    this.#create(cred, 0);
  }

  #create(cred: number, beside: number) {
    if (cred === 0) return; // a third one of one revision: nothing new is learnt
    this.#done({ ...this.#w, backend: beside | bit(cred) }, this.#then('writes the Secret', { cred }));
  }

  #revokeDue() {
    const { set } = this.#op;
    const w = this.#w;
    const after = this.#then('records the end of overlaps');
    if (!this.#rules.revokesByName) return this.#done(this.#without(set), after);
    let names = 0;
    for (let cred = 1; cred <= 32; cred++) if (has(set, cred)) names |= ofName(revisionOf(cred) % 2);
    const hit = w.backend & names & kept(w) & ~set;
    this.#done(
      { ...w, backend: w.backend & ~names },
      after,
      undefined,
      hit === 0 ? undefined : 'I3: by name, the current credential was revoked',
    );
  }

  /** The sweep's live read: what is neither recorded nor superseded of a living object, all of a dead one. */
  #judge() {
    const w = this.#w;
    const { uid, set } = this.#op;
    if (w.uid === uid && openReservation(w, this.#rules) !== 0) return this.#done(w, idle);
    const garbage = w.uid === uid && w.revoked === 0 && w.bot === 0 ? set & ~kept(w) : set;
    this.#done(w, garbage === 0 ? idle : this.#then('sweeps: deletes', { set: garbage }));
  }

  #without(set: number): World {
    const { backend } = this.#rules;
    if (backend === 'patched') return this.#w;
    return { ...this.#w, backend: this.#w.backend & ~set };
  }

  #withoutUID(uid: number): World {
    return withoutUID(this.#w, uid, this.#rules);
  }

  #withoutUnrecorded(): World {
    const w = this.#w;
    const { uid, revision } = this.#op;
    const { backend } = this.#rules;
    if (backend === 'many') {
      const upTo = below(uid, revision + 1) & ~kept(w);
      return { ...w, backend: w.backend & ~upTo };
    }
    const mine = backend === 'patched' ? w.robot === uid : (w.backend & allOf(uid)) !== 0;
    return mine && (w.backend & kept(w)) === 0 ? { ...w, backend: 0, robot: 0 } : w;
  }

  // Questions --------------------------------------------------------------------------------------------------

  /** Whether a request of an earlier holder may still land; 0: of anybody. */
  #holdersAtWork(uid: number): boolean {
    if (!this.#rules.waitsForHolders) return false;
    return this.#state.operators.some(
      (other, i) =>
        i !== this.#index && isIssuing(other) && (uid === 0 || (other.uid === uid && other.step >= at.issues)),
    );
  }

  /** A credential of this revision that nobody has ever had; 0 when there were two. */
  #unused(uid: number, revision: number): number {
    const w = this.#w;
    let used = w.backend | bit(w.holds) | w.lost | kept(w);
    for (const { cred, set, step, uid: owner } of this.#state.operators) {
      used |= bit(cred);
      if (owner === uid && step !== at['looks whether the Secret is lost'] && step !== at['has read the object'])
        used |= set;
    }
    const [first, second] = both(uid, revision);
    if (!has(used, first)) return first;
    if (!has(used, second)) return second;
    // Of a pure issuer, what was lost before it was recorded is dead for ever, and its number may be given again.
    const current = kept(w) | bit(w.holds) | this.#state.operators.reduce((set, { cred }) => set | bit(cred), 0);
    if (!isPure(this.#rules)) return 0;
    return [first, second].find(cred => !has(current, cred)) ?? 0;
  }
}

/** On its way to a credential: what it read before allowed it. */
function isIssuing({ step }: Operator): boolean {
  return step >= at['adds the finalizer'] && step <= at['writes the Secret'];
}

/** Names in turn: all credentials of odd or of even revisions. */
function ofName(parity: number): number {
  return parity === 1 ? 0x33333333 : 0xcccccccc | 0;
}

export function withoutObject(w: World): World {
  return { ...w, ...unpackObject(0, 0, 0) };
}

/** Everything at the backend that carries the marks of a UID is deleted. */
export function withoutUID(w: World, uid: number, rules: Rules): World {
  switch (rules.backend) {
    case 'none':
      return w;
    case 'many':
    case 'alternating':
      return { ...w, backend: w.backend & ~allOf(uid) };
    case 'patched':
      return w.robot === uid || (rules.firstVersion && w.robot !== 0) ? { ...w, robot: 0, backend: 0 } : w;
    case 'replaced':
      return (w.backend & allOf(uid)) === 0 ? w : { ...w, backend: 0 };
  }
}
