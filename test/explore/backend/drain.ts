import { WordSet } from '../word-set.ts';
import { openReservation } from './decide.ts';
import { collectGarbage, normal, passTime } from './events.ts';
import { kept } from './live.ts';
import { Turn, withoutUID } from './operator.ts';
import { isPure, type Rules } from './rules.ts';
import { allOf, at, bit, idle, type Operator, pack, packObject, type World, worldWords } from './world.ts';

const mostRounds = 60;

/**
 * Faults stop: one operator works alone until it rests, time passes, the garbage collector comes, and then one sweep. What
 * became of a world is remembered, so that a million states take as many drains as there are different worlds.
 */
export class Drain {
  readonly #rules: Rules;
  readonly #known = new WordSet(worldWords);
  readonly #verdicts: (string | undefined)[] = [];
  readonly #key = new Int32Array(worldWords);

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** What is wrong with where this world comes to rest, by `judge`. */
  end(world: World, judge: (w: World) => string | undefined): string | undefined {
    const w = { ...world, eventsLeft: 0, kindsLeft: 0 };
    pack({ world: w, operators: [] }, this.#key);
    const before = this.#known.size;
    const index = this.#known.add(this.#key);
    if (index === before) this.#verdicts[index] = this.#run(w, judge);
    return this.#verdicts[index];
  }

  #run(start: World, judge: (w: World) => string | undefined): string | undefined {
    let w = this.#withBackend(start);
    if (start.outage === 1 && w.deleting === 1) return 'END: a deletion waits for a backend that does not answer (I6)';
    let swept = false;
    for (let round = 0; round < mostRounds; round++) {
      const after = this.#pass(w);
      if (!same(after, w)) {
        w = after;
        continue;
      }
      const moved = this.#others(w);
      if (moved !== undefined) {
        w = moved;
        continue;
      }
      if (!this.#rules.sweep || swept) return judge(w);
      swept = true;
      w = sweep(w, this.#rules);
    }
    return 'END: does not settle';
  }

  /** As long as the backend does not answer, deletions go on all the same; then it answers again. */
  #withBackend(start: World): World {
    let w = start;
    for (let round = 0; w.outage === 1 && w.deleting === 1 && round < 3; round++) w = this.#pass(w);
    return { ...w, outage: 0 };
  }

  /** A reconcile of everything there is. */
  #pass(w: World): World {
    let after = w;
    for (const uid of [1, 2]) {
      if ((after.revocations & uid) !== 0)
        after = this.#carry(after, { ...idle, step: at['carries out a Revocation'], uid });
    }
    if (after.uid !== 0) {
      const read = { read: packObject(after), set: after.previous, set2: after.due };
      after = this.#carry(after, { ...idle, step: at['has read the object'], ...read });
    }
    if (after.bot === 2) after = this.#carry(after, { ...idle, step: at['counts credentials for the bot'] });
    if (after.issuer === 1) after = this.#carry(after, { ...idle, step: at['counts credentials for the issuer'] });
    return after;
  }

  #carry(world: World, begin: Operator): World {
    let w = world;
    let op = begin;
    for (let steps = 0; op.step !== at.idle && steps < mostRounds; steps++) {
      let next: { w: World; op: Operator } | undefined;
      new Turn(this.#rules, { world: w, operators: [op] }, 0, (world, then) => {
        next ??= { w: world, op: normal(then, this.#rules) };
      }).take();
      if (next === undefined) return w;
      ({ w, op } = next);
    }
    return w;
  }

  /** The garbage collector, and time. */
  #others(w: World): World | undefined {
    let moved: World | undefined;
    collectGarbage(w, this.#rules, (_, after) => {
      moved ??= after;
    });
    if (moved === undefined) {
      passTime(w, (_, after) => {
        moved ??= after;
      });
    }
    return moved;
  }
}

/** One sweep: what belongs to nobody is deleted; a recorded credential that the backend has not is a reason to issue anew. */
function sweep(w: World, rules: Rules): World {
  if (isPure(rules) || w.issuer === 2) return w;
  let after = w;
  for (const uid of [1, 2]) if (uid !== w.uid) after = withoutUID(after, uid, rules);
  if (w.uid === 0 || openReservation(w, rules) !== 0) return after;
  const inSecret = w.state === 2 && w.holds !== 0 && w.holds === w.recorded;
  const missing = inSecret && (w.backend & bit(w.recorded)) === 0;
  if (missing && w.revoked === 0 && w.bot === 0 && w.issuer === 0) after = { ...after, issuing: w.revision + 1 };
  if (rules.backend === 'patched') {
    const works = w.revoked === 0 && w.state === 2 && (after.backend & bit(w.holds)) !== 0;
    return after.backend !== 0 && !works ? { ...after, backend: 0, robot: 0 } : after;
  }
  const garbage = allOf(w.uid) & ~(w.revoked === 1 || w.bot !== 0 ? 0 : kept(w));
  return { ...after, backend: after.backend & ~garbage };
}

function same(a: World, b: World): boolean {
  return (
    packObject(a) === packObject(b) &&
    a.previous === b.previous &&
    a.due === b.due &&
    a.backend === b.backend &&
    a.robot === b.robot &&
    a.state === b.state &&
    a.owner === b.owner &&
    a.secretRevision === b.secretRevision &&
    a.holds === b.holds &&
    a.madeFrom === b.madeFrom &&
    a.revocations === b.revocations &&
    a.bot === b.bot &&
    a.issuer === b.issuer &&
    a.outage === b.outage
  );
}
