import { WordSet } from './word-set.ts';

/** Told of every state that can come next. The words are copied; `violation` is a step that may never be done. */
export type Emit = (next: Int32Array, by: string, violation?: string) => void;

/** A world that the explorer can walk: every state of it is a fixed number of 32-bit words. */
export interface Model {
  readonly width: number;
  start(): Int32Array;
  /** Everything that can happen next, by anybody. */
  successors(state: Int32Array, emit: Emit): void;
  /** Brings equal worlds to equal words, in place: operators that are alike are put in order, and so on. */
  canonical(state: Int32Array): void;
  /** Whether the state is beyond what is looked at, for example by its revision. */
  isBeyond(state: Int32Array): boolean;
  /** The invariants: what is wrong with this state. */
  check(state: Int32Array): string | undefined;
  /** The end condition: what is wrong once faults stop and everybody has come to rest. */
  settles(state: Int32Array): string | undefined;
  show(state: Int32Array): string;
}

/** What an exploration has covered, and the shortest path to the first violation. */
export interface Report {
  states: number;
  transitions: number;
  /** States beyond the bound, counted as often as they were reached. */
  beyond: number;
  /** Whether everything within the bounds was looked at. */
  complete: boolean;
  /** Of processor time. */
  seconds: number;
  violation?: { says: string; path: readonly string[] };
}

/**
 * Breadth first over all interleavings: every state once, in the order of its distance from the start, so that the first
 * violation has a shortest path. Ends there, or when everything within the bounds was seen.
 */
export function explore(model: Model, o: { mostStates?: number } = {}): Report {
  return new Exploration(model, o.mostStates ?? Number.POSITIVE_INFINITY).run();
}

function secondsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(began);
  return (user + system) / 1e6;
}

class Exploration {
  readonly #model: Model;
  readonly #mostStates: number;
  readonly #seen: WordSet;
  #parents = new Int32Array(1 << 16);
  #current = -1;
  /** The start is reached without any. */
  #transitions = -1;
  #beyond = 0;
  /** A step that may never be done, from the current state. */
  #badStep: { by: string; says: string } | undefined;
  readonly #next: Int32Array;

  constructor(model: Model, mostStates: number) {
    this.#model = model;
    this.#mostStates = mostStates;
    this.#seen = new WordSet(model.width);
    this.#next = new Int32Array(model.width);
  }

  run(): Report {
    const began = process.threadCpuUsage();
    const violation = this.#search();
    return {
      states: this.#seen.size,
      transitions: this.#transitions,
      beyond: this.#beyond,
      complete: violation === undefined && this.#current + 1 >= this.#seen.size,
      seconds: secondsSince(began),
      ...(violation && { violation }),
    };
  }

  #search(): Report['violation'] {
    const model = this.#model;
    const state = new Int32Array(model.width);
    const emit: Emit = (next, by, violation) => this.#reached(next, by, violation);
    this.#reached(model.start(), 'start', undefined);
    for (let index = 0; index < this.#seen.size && index < this.#mostStates; index++) {
      this.#current = index;
      this.#seen.read(index, state);
      const says = model.check(state) ?? model.settles(state);
      if (says !== undefined) return { says, path: this.#pathTo(index) };
      model.successors(state, emit);
      const bad = this.#badStep;
      if (bad !== undefined) return { says: bad.says, path: [...this.#pathTo(index), bad.by] };
    }
    return undefined;
  }

  #reached(words: Int32Array, by: string, violation: string | undefined): void {
    this.#transitions++;
    if (violation !== undefined) this.#badStep ??= { by, says: violation };
    this.#next.set(words);
    this.#model.canonical(this.#next);
    if (this.#model.isBeyond(this.#next)) {
      this.#beyond++;
      return;
    }
    const before = this.#seen.size;
    const index = this.#seen.add(this.#next);
    if (index === before) this.#remember(index);
  }

  #remember(index: number): void {
    if (index >= this.#parents.length) {
      const longer = new Int32Array(this.#parents.length * 2);
      longer.set(this.#parents);
      this.#parents = longer;
    }
    this.#parents[index] = this.#current;
  }

  /** Walks from the start again, this time with names: two operators that were put in order keep theirs. */
  #pathTo(index: number): string[] {
    const chain: number[] = [];
    for (let at = index; at > 0; at = this.#parents[at] ?? -1) chain.unshift(at);
    let here = this.#model.start();
    const path: string[] = [];
    const wanted = new Int32Array(this.#model.width);
    for (const at of chain) {
      this.#seen.read(at, wanted);
      const step = this.#stepTo(here, wanted);
      path.push(`${step.by}  →  ${this.#model.show(step.state)}`);
      here = step.state;
    }
    return path;
  }

  #stepTo(from: Int32Array, wanted: Int32Array): { by: string; state: Int32Array } {
    let found: { by: string; state: Int32Array } | undefined;
    this.#model.successors(from, (next, by) => {
      if (found !== undefined) return;
      const canonical = next.slice();
      this.#model.canonical(canonical);
      if (canonical.every((word, i) => word === wanted[i])) found = { by, state: next.slice() };
    });
    if (found === undefined) throw new Error('the model does not give the same successors twice');
    return found;
  }
}
