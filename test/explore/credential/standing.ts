import type { Credentialed } from '../../../src/api/credentialed.ts';
import { parseInputsText } from '../../../src/api/inputs.ts';
import {
  inputsAnnotation,
  ownerAnnotation,
  ownerUIDAnnotation,
  revisionAnnotation,
  tokenIDAnnotation,
} from '../../../src/api/names.ts';
import { type Recorded, recordOf } from '../../../src/decide/credential-record.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import { WordSet } from '../word-set.ts';
import { type Beside, Interned } from './contents.ts';
import type { Published, View, Walked } from './kind.ts';
import { at, job, lateKind } from './layout.ts';
import { objectAt } from './observing.ts';
import type { Turns } from './turn.ts';

const mostRounds = 40;
/** As many steps as the controller allows in one pass. */
const mostSteps = 24;

/** Which credentials live in a world, whether that is right, and where the world comes to rest. Equal worlds are asked once. */
export class Standing<T extends Credentialed, B extends Beside> {
  readonly #of: Walked<T, B>;
  readonly #turns: Turns<T, B>;
  readonly #keepsBackup: boolean;
  readonly #published = new Interned<Published>();
  readonly #sets = new Interned<number[]>();
  /** The worlds that were asked about, by number, without what does not matter to credentials. */
  readonly #worlds: WordSet;
  readonly #world: Int32Array;
  readonly #views: View<T, B>[] = [];
  readonly #ends: ({ says: string | undefined } | undefined)[] = [];
  readonly #wrong: ({ says: string | undefined } | undefined)[] = [];
  readonly #kept = new Map<string, number>();
  /** Where the operators begin in a state: what is before is the world. */
  readonly #outside: number;

  constructor(turns: Turns<T, B>, keepsBackup: boolean) {
    this.#of = turns.of;
    this.#turns = turns;
    this.#keepsBackup = keepsBackup;
    this.#outside = turns.layout.operator(0);
    this.#worlds = new WordSet(this.#outside);
    this.#world = new Int32Array(this.#outside);
  }

  #numberOf(words: Int32Array): number {
    for (let i = 0; i < this.#outside; i++) this.#world[i] = words[i] ?? 0;
    this.#world.fill(0, at.backup, at.beside);
    return this.#worlds.add(this.#world);
  }

  viewOf(words: Int32Array): View<T, B> {
    const number = this.#numberOf(words);
    const known = this.#views[number];
    if (known !== undefined) return known;
    const view = this.#look(words);
    this.#views[number] = view;
    return view;
  }

  /** Whether only operators have moved. */
  isSameWorld(a: Int32Array, b: Int32Array): boolean {
    for (let i = 0; i < this.#outside; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  #look(words: Int32Array): View<T, B> {
    const { contents, layout } = this.#turns;
    const objects = Array.from({ length: layout.objects }, (_, t) => objectAt(contents, words, layout.object(t)));
    const plain = (from: number) => [words[from] ?? 0, words[from + 1] ?? 0] as const;
    const [beside, issuer] = [plain(at.beside), plain(at.issuer)];
    const [content = 0, version = 0, uid = 0] = words.subarray(at.secret, at.secret + 3);
    const seen = {
      now: this.#turns.nowOf(words),
      objects,
      beside: beside[0] === 0 ? undefined : contents.besideOf(...beside),
      issuer: issuer[0] === 0 ? undefined : contents.issuerOf(...issuer),
      secret: content === 0 ? undefined : contents.secretOf(content, version, uid),
      published: this.#publishedIn(words),
      records: recordsOf(objects),
    };
    return { ...seen, live: seen.published.filter(one => this.#of.isLive(one, seen)) };
  }

  #publishedIn(words: Int32Array): Published[] {
    const set = words[at.published] ?? 0;
    return set === 0 ? [] : this.#sets.valueOf(set).map(number => this.#published.valueOf(number));
  }

  /** Takes the credential in the Secret into the published ones, and forgets those that nothing names any more. */
  forget(words: Int32Array): void {
    if (!this.#keepsBackup) words[at.backup] = 0;
    const { layout } = this.#turns;
    const contents = Array.from({ length: layout.objects }, (_, t) => words[layout.object(t)]);
    const key = [
      words[at.published],
      words[at.secret],
      words[at.backup],
      words[at.late],
      words[at.late + 1],
      ...contents,
    ].join();
    let set = this.#kept.get(key);
    if (set === undefined) {
      set = this.#reduced(words);
      this.#kept.set(key, set);
    }
    words[at.published] = set;
  }

  #reduced(words: Int32Array): number {
    const { contents, layout } = this.#turns;
    const named = new Set<string>();
    const add = (kind: 'objects' | 'secrets', content: number) => {
      for (const id of contents.mentionedBy(kind, content)) named.add(id);
    };
    for (let t = 0; t < layout.objects; t++) add('objects', words[layout.object(t)] ?? 0);
    add('secrets', words[at.secret] ?? 0);
    add('secrets', words[at.backup] ?? 0);
    const late = words[at.late] ?? 0;
    if (late !== 0 && late !== lateKind.deleteSecret)
      add(late === lateKind.object ? 'objects' : 'secrets', words[at.late + 1] ?? 0);
    const inSecret = words[at.secret] === 0 ? undefined : this.#inSecret(words[at.secret] ?? 0);
    // Of what is recorded the Secret may have been taken away before.
    const recorded = Array.from({ length: layout.objects }, (_, t) => this.#recordedIn(words[layout.object(t)] ?? 0));
    const all = [...this.#publishedIn(words), ...[inSecret, ...recorded].filter(one => one !== undefined)];
    const kept = all.filter(({ tokenID }) => named.has(tokenID)).map(one => this.#published.numberOf(one));
    return kept.length === 0 ? 0 : this.#sets.numberOf([...new Set(kept)].sort((a, b) => a - b));
  }

  #recordedIn(content: number): Published | undefined {
    if (content === 0) return undefined;
    const object = this.#turns.contents.objects.valueOf(content);
    const record = recordOf(object);
    if (record === undefined || record === 'unknown') return undefined;
    return publishedAs({ ...record, uid: object.metadata.uid, name: object.metadata.name }, this.#of);
  }

  #inSecret(content: number): Published | undefined {
    return publishedBy(this.#turns.contents.secrets.valueOf(content), this.#of);
  }

  isGarbage(words: Int32Array): boolean {
    const content = words[at.secret] ?? 0;
    if (content === 0) return false;
    const owners = this.#turns.contents.secrets.valueOf(content).metadata.ownerReferences ?? [];
    const uids = this.#uids(words);
    return owners.length > 0 && owners.every(({ uid }) => !uids.includes(uid));
  }

  #uids(words: Int32Array): string[] {
    const { contents, layout } = this.#turns;
    const numbers = Array.from({ length: layout.objects }, (_, t) => words[layout.object(t)] ?? 0);
    return numbers.filter(number => number !== 0).map(number => contents.objects.valueOf(number).metadata.uid);
  }

  /** Credentials that died of an operator's step, against the rules. */
  wrongStep(before: View<T, B>, words: Int32Array, raced: boolean): string | undefined {
    const after = this.viewOf(words);
    return before === after ? undefined : this.#of.wrongStep(before, after, raced);
  }

  wrongState(words: Int32Array): string | undefined {
    const number = this.#numberOf(words);
    const known = this.#wrong[number] ?? { says: this.#of.wrongNow(this.viewOf(words)) };
    this.#wrong[number] = known;
    return known.says;
  }

  /** What is wrong with where this world comes to rest: now, and when all overlaps are over. */
  wrongEnd(words: Int32Array): string | undefined {
    const number = this.#numberOf(words);
    const known = this.#ends[number] ?? { says: this.#end(words.slice()) };
    this.#ends[number] = known;
    return known.says;
  }

  #end(words: Int32Array): string | undefined {
    words.fill(0, at.backup, at.beside);
    if (words[at.late] !== 0) this.#turns.arrive(words);
    this.forget(words);
    for (const isLater of [false, true]) {
      if (isLater) words[at.time] = (words[at.time] ?? 0) + 3 * 3600;
      const says = this.#settle(words) ?? this.#of.wrongAtRest(this.viewOf(words), isLater);
      if (says !== undefined) return `END: ${says}${isLater ? ', three hours later' : ''}`;
    }
    return undefined;
  }

  /** One process that is started anew for every round works alone until a whole round writes nothing. */
  #settle(words: Int32Array): string | undefined {
    for (let round = 0; round < mostRounds; round++) {
      for (let i = 0; i < this.#turns.layout.operators; i++) this.#turns.restart(words, i);
      this.#turns.layout.canonical(words);
      const before = words.slice(0, this.#outside);
      const says = this.#round(words);
      if (says !== undefined) return says;
      if (this.isGarbage(words)) words.fill(0, at.secret, at.secret + 3);
      const calm = before.every((word, i) => word === words[i]);
      if (calm && !this.#waitForRetry(words)) return undefined;
    }
    return 'it does not settle (I5)';
  }

  #round(words: Int32Array): string | undefined {
    const objects = Array.from({ length: this.#turns.layout.objects }, (_, t) => t + 1);
    for (const about of [job.beside, ...objects, job.issuer]) {
      for (let steps = 0; ; steps++) {
        if (steps > mostSteps) return 'a pass does not come to rest (I5)';
        const effect = this.#turns.effect(words, 0, about);
        this.#turns.perform(words, 0, about, effect, 'none');
        this.forget(words);
        if (effect.do === 'rest') break;
      }
    }
    return undefined;
  }

  /** Time passes as far as a retry is written down for. */
  #waitForRetry(words: Int32Array): boolean {
    const now = this.#turns.nowOf(words).getTime();
    const { contents, layout } = this.#turns;
    for (let t = 0; t < layout.objects; t++) {
      const content = words[layout.object(t)] ?? 0;
      const retry = content === 0 ? undefined : contents.objects.valueOf(content).status?.retry?.at;
      const seconds = retry === undefined ? 0 : (Date.parse(retry) - now) / 1000;
      if (seconds > 0) {
        words[at.time] = (words[at.time] ?? 0) + Math.ceil(seconds);
        return true;
      }
    }
    return false;
  }

  show(words: Int32Array): string {
    const { objects, beside, secret, live } = this.viewOf(words);
    const ids = (object: T | undefined) =>
      object === undefined
        ? 'none'
        : `${object.metadata.uid}${isGoing(object) ? ' (going)' : ''} records ${object.status?.tokenID ?? 'nothing'}`;
    const inSecret = secret === undefined ? 'none' : (secret.metadata.annotations?.[tokenIDAnnotation] ?? 'unmarked');
    const word = this.#of.words.beside;
    const who = beside === undefined ? `; no ${word}` : isGoing(beside) ? `; ${word} going` : '';
    return `${objects.map(ids).join(', ')}; Secret ${inSecret}; live [${live.map(({ tokenID }) => tokenID).join(' ')}]${who}`;
  }
}

function isGoing({ metadata }: { metadata: { deletionTimestamp?: string | undefined } }): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function recordsOf(objects: readonly (Credentialed | undefined)[]): Map<string, Recorded> {
  const records = new Map<string, Recorded>();
  for (const object of objects) {
    const record = object && recordOf(object);
    if (record === 'unknown') throw new Error('a record that its writer cannot read');
    if (object !== undefined && record !== undefined) records.set(object.metadata.uid, record);
  }
  return records;
}

/** The credential that a Secret of ours says it holds; undefined where it says nothing. */
function publishedBy<T extends Credentialed, B extends Beside>(
  { metadata: { annotations } }: StoredSecret,
  of: Walked<T, B>,
): Published | undefined {
  const name = annotations?.[ownerAnnotation]?.replace(`${of.kind.name}/`, '');
  const recorded = parseInputsText(annotations?.[inputsAnnotation]);
  const { [tokenIDAnnotation]: tokenID, [ownerUIDAnnotation]: uid, [revisionAnnotation]: revision } = annotations ?? {};
  if (name === undefined || recorded === undefined || tokenID === undefined || uid === undefined) return undefined;
  return publishedAs({ uid, name, tokenID, revision: Number(revision), inputs: recorded }, of);
}

function publishedAs<T extends Credentialed, B extends Beside>(
  { uid, name, tokenID, revision, inputs }: Omit<Published, 'shown'>,
  of: Walked<T, B>,
): Published | undefined {
  const bare = { ...inputs, digest: '', secret: { data: [], labels: {}, annotations: {} } };
  const { revisable, revisableOfRobot } = of.kind;
  const robot = inputs.robot && without(inputs.robot, revisableOfRobot);
  const kept = { ...without(bare, revisable), ...(robot && { robot }) } as typeof inputs;
  const shown = of.shownBy(tokenID, inputs);
  return shown === undefined ? undefined : { uid, name, tokenID, revision, inputs: kept, shown };
}

function without(fields: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !names.includes(field)));
}
