import type { Credentialed } from '../../../src/api/credentialed.ts';
import { now } from '../../decide/healthy.ts';
import type { Emit, Model } from '../explore.ts';
import { type Beside, Contents } from './contents.ts';
import { Users } from './events.ts';
import type { Ablation, Manifests, Walked } from './kind.ts';
import { at, cached, job, Layout } from './layout.ts';
import { Standing } from './standing.ts';
import { type Fault, Turns } from './turn.ts';

/** A small world: which things may happen, each so often, and at most so many in all. */
export interface Scenario<T extends Credentialed> {
  name: string;
  operators: 1 | 2;
  /** Two objects that name one Secret. */
  objects?: 1 | 2;
  kinds: { readonly [event: string]: 1 | 2 };
  events: number;
  /** A user takes away what credentials live by: only where it comes to rest is looked at. */
  onlyEnd?: boolean;
  /** `late`: writes may land long after their sender has given up. `refused`: so many may be refused. */
  late?: boolean;
  refused?: number;
  /** Whether each kind is heard of by itself, in any order, or all caches at once. */
  lag?: 'each' | 'all';
  /** What is different in the specs. */
  spec?: Partial<T['spec']>;
  /** What is put there or changed before anything else happens, by the names of events. */
  before?: readonly string[];
  without?: Ablation;
}

/** A scenario, and how much of it the tests walk: as many events as they say, and `full` where everything is asked for. */
export interface Run<T extends Credentialed> extends Scenario<T> {
  full?: Partial<Scenario<T>>;
  /** Too large for the tests. */
  onlyFull?: true;
}

const faults: readonly Fault[] = ['lost', 'unanswered', 'crash after'];

/** One or two objects with a credential, their Secret, their issuer, what is beside them, and operators whose decisions are those of src/decide. */
export class CredentialModel<T extends Credentialed, B extends Beside> implements Model {
  readonly width: number;
  readonly turns: Turns<T, B>;
  readonly #of: Walked<T, B>;
  readonly #scenario: Scenario<T>;
  readonly #layout: Layout;
  readonly #events: readonly { name: string; happens: (world: Users<T, B>) => boolean }[];
  readonly #start: Int32Array;
  readonly #standing: Standing<T, B>;
  readonly #next: Int32Array;

  constructor(of: Walked<T, B>, scenario: Scenario<T>) {
    const contents = new Contents<T, B>();
    const { objects = 1, operators, spec, without = {} } = scenario;
    this.#of = of;
    this.#scenario = scenario;
    this.#layout = new Layout(objects, operators);
    this.width = this.#layout.width;
    this.turns = new Turns(of, { contents, layout: this.#layout, start: now, without });
    const manifests = of.manifests({ objects, spec });
    const all = of.events(manifests);
    const named = (name: string) => {
      const happens = all[name];
      if (happens === undefined) throw new Error(`nothing is called ${name}`);
      return { name: `somebody ${name}`, happens };
    };
    this.#events = Object.keys(scenario.kinds).map(named);
    this.#standing = new Standing(this.turns, 'restores the first Secret' in scenario.kinds);
    this.#start = this.#startOf(manifests);
    for (const { happens } of (scenario.before ?? []).map(named)) happens(new Users(this.turns, this.#start));
    for (let i = 0; i < operators; i++) this.turns.restart(this.#start, i);
    this.#next = new Int32Array(this.width);
  }

  start(): Int32Array {
    return this.#start.slice();
  }

  #startOf({ objects, beside, issuer }: Manifests<T, B>): Int32Array {
    const words = new Int32Array(this.width);
    const { contents } = this.turns;
    objects.forEach((object, t) => {
      words.set([contents.snapshotOf(object).content, 1, 0, 0], this.#layout.object(t));
    });
    if (beside !== undefined) words.set([contents.numberOfBeside(beside), 1], at.beside);
    words.set([contents.numberOfIssuer(issuer), 1], at.issuer);
    words[at.eventsLeft] = this.#scenario.events;
    words[at.refusalsLeft] = this.#scenario.refused ?? 0;
    Object.values(this.#scenario.kinds).forEach((times, i) => {
      const word = at.kindsLeft + (i >> 4);
      words[word] = (words[word] ?? 0) | (times << (2 * (i & 15)));
    });
    return words;
  }

  successors(words: Int32Array, emit: Emit): void {
    const before = this.#standing.viewOf(words);
    const send = (by: string, isUser: boolean) => {
      if (this.#standing.isSameWorld(words, this.#next)) {
        emit(this.#next, by);
        return;
      }
      this.#standing.forget(this.#next);
      emit(
        this.#next,
        by,
        isUser || this.#scenario.onlyEnd ? undefined : this.#standing.wrongStep(before, this.#next, this.#raced(words)),
      );
    };
    this.#environment(words, send);
    for (let i = 0; i < this.#layout.operators; i++) {
      if (i === 1 && this.#alike(words)) break;
      this.#hear(words, i, send);
      this.#operate(words, i, send);
    }
  }

  /** Two operators act at once, or a write is late: then an unrecorded credential may die, until the next reconcile. */
  #raced(words: Int32Array): boolean {
    return this.#layout.operators > 1 || words[at.late] !== 0 || this.#scenario.late === true;
  }

  #alike(words: Int32Array): boolean {
    const [first, second] = [this.#layout.operator(0), this.#layout.operator(1)];
    for (let i = 0; i < this.#layout.operatorWidth; i++) if (words[first + i] !== words[second + i]) return false;
    return true;
  }

  #environment(words: Int32Array, send: (by: string, isUser: boolean) => void): void {
    if ((words[at.eventsLeft] ?? 0) > 0) {
      this.#events.forEach(({ name, happens }, i) => {
        const word = at.kindsLeft + (i >> 4);
        if ((((words[word] ?? 0) >> (2 * (i & 15))) & 3) === 0) return;
        this.#next.set(words);
        this.#next[word] = (words[word] ?? 0) - (1 << (2 * (i & 15)));
        this.#next[at.eventsLeft] = (words[at.eventsLeft] ?? 0) - 1;
        if (happens(new Users(this.turns, this.#next))) send(name, true);
      });
    }
    if (words[at.late] !== 0) {
      this.#next.set(words);
      this.turns.arrive(this.#next);
      send('the late write arrives', false);
    }
    if (this.#standing.isGarbage(words)) {
      this.#next.set(words);
      this.#next.fill(0, at.secret, at.secret + 3);
      send('the garbage collector takes the Secret', true);
    }
  }

  /** A watch catches up, of one kind or of all. */
  #hear(words: Int32Array, i: number, send: (by: string, isUser: boolean) => void): void {
    const { turns } = this;
    const all = this.#scenario.lag === 'all';
    const heard = (what: string, hear: () => void) => {
      if (!all) this.#next.set(words);
      hear();
      if (!all && this.#moved(words)) send(`operator ${i + 1} hears of the ${what}`, false);
    };
    if (all) this.#next.set(words);
    const { words: called } = this.#of;
    for (let t = 0; t < this.#layout.objects; t++) heard(called.object, () => turns.hearObject(this.#next, i, t));
    heard(called.beside, () => turns.hear(this.#next, i, 'beside'));
    heard('issuer', () => turns.hear(this.#next, i, 'issuer'));
    heard('Secret', () => turns.hearSecret(this.#next, i));
    if (all && this.#moved(words)) send(`operator ${i + 1} hears of everything`, false);
    this.#next.set(words);
    turns.restart(this.#next, i);
    if (this.#moved(words)) send(`operator ${i + 1} crashes and starts`, false);
  }

  #moved(words: Int32Array): boolean {
    for (let i = 0; i < this.width; i++) if (words[i] !== this.#next[i]) return true;
    return false;
  }

  #operate(words: Int32Array, i: number, send: (by: string, isUser: boolean) => void): void {
    const current = words[this.#layout.operator(i) + cached.job] ?? 0;
    const jobs =
      current !== 0
        ? [current]
        : [...Array.from({ length: this.#layout.objects }, (_, t) => t + 1), job.beside, job.issuer];
    for (const about of jobs) {
      const effect = this.turns.effect(words, i, about);
      if (effect.do === 'rest' && current === 0) continue;
      const { object, beside } = this.#of.words;
      const of = about === job.beside ? beside : about === job.issuer ? 'issuer' : `${object} ${about}`;
      const what = effect.do === 'confirm' ? `confirms the ${effect.what}` : effect.do;
      for (const fault of ['none', ...this.#faultsFor(words, effect.do)] as const) {
        this.#next.set(words);
        this.turns.perform(this.#next, i, about, effect, fault);
        send(`operator ${i + 1}: ${of}: ${what}${fault === 'none' ? '' : ` (${fault})`}`, false);
      }
    }
  }

  #faultsFor(words: Int32Array, what: string): Fault[] {
    if (what === 'rest' || what === 'confirm') return [];
    const isPlain = what === 'write-beside' || what === 'write-issuer';
    const late = this.#scenario.late === true && words[at.late] === 0 && !isPlain;
    const refused = (words[at.refusalsLeft] ?? 0) > 0 && what.endsWith('-secret');
    return [...faults, ...(late ? (['late'] as const) : []), ...(refused ? (['refused'] as const) : [])];
  }

  canonical(words: Int32Array): void {
    this.#layout.canonical(words);
  }

  isBeyond(): boolean {
    return false;
  }

  check(words: Int32Array): string | undefined {
    return this.#scenario.onlyEnd ? undefined : this.#standing.wrongState(words);
  }

  settles(words: Int32Array): string | undefined {
    return this.#standing.wrongEnd(words);
  }

  show(words: Int32Array): string {
    return this.#standing.show(words);
  }
}
