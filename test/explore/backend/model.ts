import type { Emit, Model } from '../explore.ts';
import { endWithout, violationOf } from '../invariants.ts';
import { Drain } from './drain.ts';
import { environment, kindsOf, normal, overtaken } from './events.ts';
import { Turn } from './operator.ts';
import type { Rules } from './rules.ts';
import {
  at,
  idle,
  type Operator,
  operatorWords,
  pack,
  revisionOf,
  type State,
  steps,
  uidOf,
  unpackOperator,
  unpackWorld,
  type World,
  worldWords,
} from './world.ts';

const turnNames = [0, 1, 2].map(i => steps.map(name => `operator ${i + 1} ${name}`));
const crashNames = [0, 1, 2].map(i => `operator ${i + 1} crashes`);

/** The world at the start: one object that was applied and seen by nobody. */
export function startOf(rules: Rules): World {
  return {
    uid: 1,
    finalizer: 0,
    deleting: 0,
    revoked: 0,
    want: 1,
    revision: 0,
    issuing: 0,
    served: 0,
    recorded: 0,
    previous: 0,
    due: 0,
    state: 0,
    owner: 0,
    secretRevision: 0,
    holds: 0,
    madeFrom: 0,
    backend: 0,
    expired: 0,
    robot: 0,
    revocations: 0,
    lost: 0,
    bot: 0,
    issuer: 0,
    outage: 0,
    eventsLeft: rules.events,
    kindsLeft: kindsOf(rules.kinds),
  };
}

/** The protocol of section 3 of the design with a backend, as a world to explore. */
export class BackendModel implements Model {
  readonly width: number;
  readonly #rules: Rules;
  readonly #drain: Drain;
  readonly #next: Int32Array;

  readonly #only: RegExp;

  /** `only`: violations that are looked for; others are passed over. */
  constructor(rules: Rules, only = /./) {
    this.#rules = rules;
    this.#only = only;
    this.#drain = new Drain(rules);
    this.width = worldWords + rules.operators * operatorWords;
    this.#next = new Int32Array(this.width);
  }

  start(): Int32Array {
    const words = new Int32Array(this.width);
    pack({ world: startOf(this.#rules), operators: Array.from({ length: this.#rules.operators }, () => idle) }, words);
    return words;
  }

  successors(words: Int32Array, emit: Emit): void {
    const state = this.#unpack(words);
    const { world, operators } = state;
    const send = (by: string, next: World, who: readonly Operator[], violation?: string) => {
      pack({ world: next, operators: who }, this.#next);
      emit(this.#next, by, violation);
    };
    environment(world, this.#rules, (by, next, moved) =>
      send(by, next, moved === undefined ? operators : operators.map(op => overtaken(op, moved, this.#rules))),
    );
    operators.forEach((op, i) => {
      if (operators.slice(0, i).some(other => equal(other, op))) return;
      const by = turnNames[i]?.[op.step] ?? '';
      new Turn(this.#rules, state, i, (next, then, wrote, violation) => {
        const who = operators.map((other, j) =>
          j === i ? normal(then, this.#rules) : overtaken(other, wrote, this.#rules),
        );
        send(by, next, who, violation);
      }).take();
      if (op.step !== at.idle && this.#rules.crashes) {
        send(
          crashNames[i] ?? '',
          world,
          operators.map((other, j) => (j === i ? idle : other)),
        );
      }
    });
  }

  /** Operators are alike: they are put in order. */
  canonical(words: Int32Array): void {
    const count = this.#rules.operators;
    for (let pass = 1; pass < count; pass++) {
      for (let i = 0; i + 1 < count; i++) order(words, worldWords + i * operatorWords);
    }
  }

  isBeyond(words: Int32Array): boolean {
    const object = words[0] ?? 0;
    return Math.max((object >> 8) & 15, (object >> 12) & 15) > this.#rules.revisionBound;
  }

  check(words: Int32Array): string | undefined {
    return this.#wanted(violationOf(unpackWorld(words), this.#rules));
  }

  settles(words: Int32Array): string | undefined {
    if (!this.#rules.checks.includes('end')) return undefined;
    if (this.#rules.endOnlyIdle && !this.#unpack(words).operators.every(({ step }) => step === at.idle))
      return undefined;
    return this.#wanted(this.#drain.end(unpackWorld(words), w => endWithout(w, this.#rules)));
  }

  #wanted(says: string | undefined): string | undefined {
    return says !== undefined && this.#only.test(says) ? says : undefined;
  }

  show(words: Int32Array): string {
    const w = unpackWorld(words);
    const names: string[] = [];
    for (let cred = 1; cred <= 32; cred++) if ((w.backend & (1 << (cred - 1))) !== 0) names.push(nameOf(cred));
    const object = w.uid === 0 ? 'no object' : `object ${w.uid}: recorded ${nameOf(w.recorded)}, issuing ${w.issuing}`;
    const secret = ['no Secret', 'foreign Secret', `Secret holds ${nameOf(w.holds)}`][w.state];
    return `${object}; ${secret}; backend [${names.join(' ')}]`;
  }

  #unpack(words: Int32Array): State {
    const operators: Operator[] = [];
    for (let i = 0; i < this.#rules.operators; i++) operators.push(unpackOperator(words, i));
    return { world: unpackWorld(words), operators };
  }
}

function nameOf(cred: number): string {
  return cred === 0 ? 'nothing' : `${uidOf(cred)}/${revisionOf(cred)}${(cred - 1) % 2 === 1 ? "'" : ''}`;
}

function equal(a: Operator, b: Operator): boolean {
  return (
    a.step === b.step &&
    a.read === b.read &&
    a.set === b.set &&
    a.set2 === b.set2 &&
    a.uid === b.uid &&
    a.revision === b.revision &&
    a.madeFrom === b.madeFrom &&
    a.patch === b.patch &&
    a.cred === b.cred &&
    a.objectFresh === b.objectFresh &&
    a.secretFresh === b.secretFresh
  );
}

/** Exchanges two neighbors in place where the second one's words come first. */
function order(words: Int32Array, first: number): void {
  const second = first + operatorWords;
  for (let i = 0; i < operatorWords; i++) {
    const difference = (words[first + i] ?? 0) - (words[second + i] ?? 0);
    if (difference < 0) return;
    if (difference > 0) break;
  }
  for (let i = 0; i < operatorWords; i++) {
    const kept = words[first + i] ?? 0;
    words[first + i] = words[second + i] ?? 0;
    words[second + i] = kept;
  }
}
