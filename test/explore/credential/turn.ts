import type { Credentialed } from '../../../src/api/credentialed.ts';
import { digestOfSecret } from '../../../src/controllers/secret-readings.ts';
import { whole } from '../../decide/api-server.ts';
import { WordSet } from '../word-set.ts';
import { digestKey, type Effect, type Making, objectEffect, type Written } from './acting.ts';
import type { Beside, Contents } from './contents.ts';
import type { Ablation, Walked } from './kind.ts';
import { at, cached, job, type Layout, lateKind } from './layout.ts';
import { countsForIssuer, isWatched, objectAt, Sight } from './observing.ts';

/** What becomes of a write. */
export type Fault = 'none' | 'lost' | 'unanswered' | 'late' | 'refused' | 'crash after';

/** What operators do in a world of words: look, decide for real, and one write or one live read, as the controllers do it. */
export class Turns<T extends Credentialed, B extends Beside> {
  readonly of: Walked<T, B>;
  readonly contents: Contents<T, B>;
  readonly layout: Layout;
  readonly start: Date;
  readonly #without: Ablation;
  /** What was observed, and what was decided then. */
  readonly #observed: WordSet;
  readonly #effects: Effect<B>[] = [];
  readonly #look: Int32Array;
  /** How often a real decision was taken, and how often it was known from before. */
  decisions = 0;
  remembered = 0;

  constructor(of: Walked<T, B>, o: { contents: Contents<T, B>; layout: Layout; start: Date; without?: Ablation }) {
    const { contents, layout, start, without = {} } = o;
    this.of = of;
    this.contents = contents;
    this.layout = layout;
    this.start = start;
    this.#without = without;
    this.#observed = new WordSet(layout.operatorWidth + 2);
    this.#look = new Int32Array(layout.operatorWidth + 2);
  }

  nowOf(words: Int32Array): Date {
    return new Date(this.start.getTime() + (words[at.time] ?? 0) * 1000);
  }

  /** What an operator does next about an object (from 1 on), what is beside it or the issuer. Equal observations are decided once. */
  effect(words: Int32Array, operator: number, about: number): Effect<B> {
    const look = this.#look;
    const base = this.layout.operator(operator);
    look[0] = about;
    look[1] = words[at.time] ?? 0;
    for (let i = 0; i < this.layout.operatorWidth; i++) look[i + 2] = words[base + i] ?? 0;
    const before = this.#observed.size;
    const index = this.#observed.add(look);
    if (index === before) {
      this.decisions++;
      this.#effects.push(this.#decide(words, operator, about));
    } else this.remembered++;
    return this.#effects[index] ?? { do: 'rest' };
  }

  #decide(words: Int32Array, operator: number, about: number): Effect<B> {
    const sight = this.#sight(words, operator);
    if (about === job.beside) return this.of.besideEffect(sight, this.contents);
    if (about === job.issuer) return this.of.issuerEffect(sight, this.contents);
    return objectEffect(this.of, sight, about - 1, { contents: this.contents, without: this.#without });
  }

  #sight(words: Int32Array, operator: number): Sight<T, B> {
    return new Sight(this.of, this.contents, { layout: this.layout, words, operator, now: this.nowOf(words) });
  }

  /** A process that starts: its caches are full, and it remembers nothing. */
  restart(words: Int32Array, operator: number) {
    const base = this.layout.operator(operator);
    words.fill(0, base, base + this.layout.operatorWidth);
    for (let t = 0; t < this.layout.objects; t++) this.hearObject(words, operator, t);
    this.hear(words, operator, 'beside');
    this.hear(words, operator, 'issuer');
    this.hearSecret(words, operator);
  }

  hearObject(words: Int32Array, operator: number, t: number) {
    const own = this.layout.operator(operator);
    const slot = own + cached.objects + 4 * t;
    const hasMoved = words[slot + 1] !== words[this.layout.object(t) + 1];
    // A pass takes a live read of its principal or the issuer only for the version of the object that it was made for.
    if (hasMoved) words[own + cached.found] = (words[own + cached.found] ?? 0) & ~3;
    const from = this.layout.object(t);
    words.copyWithin(this.layout.operator(operator) + cached.objects + 4 * t, from, from + 4);
  }

  hear(words: Int32Array, operator: number, kind: 'beside' | 'issuer') {
    words.copyWithin(this.layout.operator(operator) + cached[kind], at[kind], at[kind] + 2);
  }

  hearSecret(words: Int32Array, operator: number) {
    const to = this.layout.operator(operator) + cached.secret;
    if (this.#isWatched(words)) words.copyWithin(to, at.secret, at.secret + 3);
    else words.fill(0, to, to + 3);
  }

  #isWatched(words: Int32Array): boolean {
    const content = words[at.secret] ?? 0;
    return content !== 0 && isWatched(this.contents.secrets.valueOf(content));
  }

  /** The pass is over, by rest or by an error: what it found out is forgotten. */
  endPass(words: Int32Array, operator: number) {
    const from = this.layout.operator(operator) + cached.job;
    words.fill(0, from, from + cached.objects - cached.job);
  }

  /** Does it, in place. */
  perform(words: Int32Array, operator: number, about: number, effect: Effect<B>, fault: Fault) {
    if (effect.do === 'rest') return this.endPass(words, operator);
    const isRead = effect.do === 'confirm';
    if (!isRead && fault === 'lost') return this.endPass(words, operator);
    const base = this.layout.operator(operator);
    const before = words.slice(base, base + this.layout.operatorWidth);
    if (!isRead && fault === 'late') this.#sendLate(words, operator, about, effect);
    else if (!isRead && fault === 'refused') this.#refuse(words, operator, effect);
    else this.#carryOut(words, operator, about, effect);
    if (fault === 'unanswered') words.set(before, base); // it was done, and nobody heard the answer
    if (fault === 'crash after') this.restart(words, operator);
    else if (fault === 'late' || fault === 'unanswered') this.endPass(words, operator);
    else this.#keepPass(words, operator, about);
  }

  #keepPass(words: Int32Array, operator: number, about: number) {
    const base = this.layout.operator(operator);
    const kept = [cached.live, cached.unreadableAt, cached.found, cached.counted].some(
      slot => words[base + slot] !== 0,
    );
    words[base + cached.job] = kept ? about : 0;
  }

  #carryOut(words: Int32Array, operator: number, about: number, effect: Exclude<Effect<B>, { do: 'rest' }>) {
    switch (effect.do) {
      case 'confirm':
        return this.#confirm(words, operator, about, effect.what);
      case 'write-object':
        this.#writeObject(words, operator, about - 1, effect);
        return this.hearObject(words, operator, about - 1);
      case 'write-beside':
        this.#writePlain(words, operator, 'beside', effect.content);
        return this.hear(words, operator, 'beside');
      case 'write-issuer':
        this.#writePlain(words, operator, 'issuer', effect.content);
        return this.hear(words, operator, 'issuer');
      case 'create-secret':
      case 'patch-secret':
        return this.#writeSecret(words, operator, about, effect);
      case 'delete-secret':
        return this.#deleteSecret(words, operator, about, effect);
    }
  }

  #confirm(words: Int32Array, operator: number, about: number, what: 'principal' | 'issuer' | 'secret' | 'count') {
    const base = this.layout.operator(operator);
    const found = base + cached.found;
    if (what === 'secret') return this.#readSecret(words, operator, about);
    if (what === 'count') {
      words[base + cached.counted] = 1 + this.#countLive(words, operator, about);
      return;
    }
    this.hear(words, operator, what === 'issuer' ? 'issuer' : 'beside');
    words[found] = (words[found] ?? 0) | (what === 'issuer' ? 2 : 1);
  }

  #countLive(words: Int32Array, operator: number, about: number): number {
    const now = this.nowOf(words);
    let count = 0;
    for (let t = 0; t < this.layout.objects; t++) {
      const object = objectAt(this.contents, words, this.layout.object(t));
      if (object === undefined) continue;
      const sees = this.#sight(words, operator);
      const [beside, issuer] = [sees.beside(), sees.issuer()];
      if (about === job.beside && beside !== undefined && this.of.countsForBeside(beside, object, now)) count++;
      if (about === job.issuer && issuer !== undefined && countsForIssuer(issuer, object)) count++;
    }
    return count;
  }

  #writeObject(words: Int32Array, operator: number, t: number, { after, onto }: Effect<B> & { do: 'write-object' }) {
    const own = this.layout.operator(operator) + cached.objects + 4 * t;
    const slot = this.layout.object(t);
    const [content = 0, version = 0, recordUID = 0, recordVersion = 0] = words.subarray(slot, slot + 4);
    if (content === 0) return;
    if (version === words[own + 1]) this.#storeObject(words, t, after);
    else if (this.#without.ignoresVersions === 'objects')
      this.#storeObject(words, t, onto({ content, version, recordUID, recordVersion }));
  }

  #storeObject(words: Int32Array, t: number, after: Written) {
    const slot = this.layout.object(t);
    if (after === 'gone') words.fill(0, slot, slot + 4);
    else words.set([after.content, next(words), after.recordUID, after.recordVersion], slot);
  }

  #writePlain(words: Int32Array, operator: number, kind: 'beside' | 'issuer', content: number) {
    const own = this.layout.operator(operator) + cached[kind];
    if (words[at[kind]] === 0 || words[at[kind] + 1] !== words[own + 1]) return;
    words[at[kind]] = content;
    words[at[kind] + 1] = content === 0 ? 0 : next(words);
  }

  #writeSecret(
    words: Int32Array,
    operator: number,
    about: number,
    effect: Effect<B> & { do: 'create-secret' | 'patch-secret' },
  ) {
    const made = this.#made(words, effect);
    if (made === undefined) return this.#readSecret(words, operator, about);
    // It was read live, and is seen at the next look.
    if (made === 'gone') return this.hear(words, operator, 'beside');
    const base = this.layout.operator(operator);
    if (made === 'unreadable') {
      words[base + cached.unreadableAt] = words[at.secret + 1] ?? 0;
      return;
    }
    this.#storeSecret(words, made.content);
    const known = made.known === undefined ? 0 : this.contents.readings.numberOf(made.known);
    if (known !== 0) words.set([words[at.secret + 2] ?? 0, words[at.secret + 1] ?? 0, known], base + cached.reading);
    words.fill(0, base + cached.live, base + cached.live + 4);
    // The answer goes into the cache whatever its labels: the watch takes it away again.
    words.copyWithin(base + cached.secret, at.secret, at.secret + 3);
  }

  /** What the Secret would be after this write; undefined where its precondition does not hold. */
  #made(words: Int32Array, effect: Effect<B> & { do: 'create-secret' | 'patch-secret' }) {
    const [content = 0, version = 0, uid = 0] = words.subarray(at.secret, at.secret + 3);
    if (effect.do === 'create-secret') return content !== 0 ? undefined : effect.body(this.#making(words, effect.id));
    if (content === 0 || (version !== effect.version && this.#without.ignoresVersions !== 'secrets')) return undefined;
    return effect.body(this.contents.secretOf(content, version, uid), this.#making(words, effect.id));
  }

  #making(words: Int32Array, id: string | undefined): Making<B> {
    const [content = 0, version = 0] = words.subarray(at.beside, at.beside + 2);
    const beside = content === 0 ? undefined : this.contents.besideOf(content, version);
    return { nonce: id === undefined ? 0 : this.#nonce(words, id), beside };
  }

  #storeSecret(words: Int32Array, content: number) {
    const uid = words[at.secret] === 0 ? next(words) : (words[at.secret + 2] ?? 0);
    const version = next(words);
    words.set([content, version, uid], at.secret);
    if (words[at.backup] === 0) words[at.backup] = content;
  }

  /** The smallest number that makes of this prefix the id of no credential that is named anywhere. */
  #nonce(words: Int32Array, prefix: string): number {
    const named = new Set<string>();
    const add = (kind: 'objects' | 'secrets', content: number) => {
      for (const id of this.contents.mentionedBy(kind, content)) named.add(id);
    };
    for (let t = 0; t < this.layout.objects; t++) add('objects', words[this.layout.object(t)] ?? 0);
    add('secrets', words[at.secret] ?? 0);
    add('secrets', words[at.backup] ?? 0);
    const late = words[at.late] ?? 0;
    if (late !== 0 && late !== lateKind.deleteSecret)
      add(late === lateKind.object ? 'objects' : 'secrets', words[at.late + 1] ?? 0);
    for (let i = 0; i < this.layout.operators; i++) {
      const base = this.layout.operator(i);
      for (let t = 0; t < this.layout.objects; t++) add('objects', words[base + cached.objects + 4 * t] ?? 0);
      add('secrets', words[base + cached.secret] ?? 0);
      add('secrets', words[base + cached.live + 1] ?? 0);
    }
    let nonce = 0;
    while (named.has(`${prefix}${nonce}`)) nonce++;
    return nonce;
  }

  /** A live read: the metadata, and the data only where it is ours and not known. */
  #readSecret(words: Int32Array, operator: number, about: number) {
    const base = this.layout.operator(operator);
    const [content = 0, version = 0, uid = 0] = words.subarray(at.secret, at.secret + 3);
    if (content === 0) {
      words.set([1, 0, 0, 0], base + cached.live);
      words.fill(0, base + cached.secret, base + cached.secret + 3);
      return;
    }
    words.set([2, content, version, uid], base + cached.live);
    const sight = this.#sight(words, operator);
    const object = sight.object(about - 1);
    const secret = this.contents.secretOf(content, version, uid);
    if (object === undefined) return;
    const seen = sight.readings().seen(object, secret, true);
    if (seen.state !== 'ours' || seen.digest !== undefined) return;
    const known = this.contents.readings.numberOf(digestOfSecret(whole(secret), digestKey));
    words.set([uid, version, known], base + cached.reading);
  }

  #deleteSecret(words: Int32Array, operator: number, about: number, effect: Effect<B> & { do: 'delete-secret' }) {
    const base = this.layout.operator(operator);
    if (effect.predecessor) {
      const own = base + cached.objects + 4 * (about - 1);
      const before = words[own] === 0 ? '' : this.contents.objects.valueOf(words[own] ?? 0).metadata.uid;
      this.hearObject(words, operator, about - 1);
      const after = words[own] === 0 ? '' : this.contents.objects.valueOf(words[own] ?? 0).metadata.uid;
      if (before !== after) return;
    }
    const [content = 0, version = 0, uid = 0] = words.subarray(at.secret, at.secret + 3);
    const isIt = version === effect.version && `secret-${uid}` === effect.uid;
    if (content !== 0 && !isIt) return this.#readSecret(words, operator, about);
    words.fill(0, at.secret, at.secret + 3);
    words.fill(0, base + cached.secret, base + cached.secret + 3);
    words.set([1, 0, 0, 0], base + cached.live);
  }

  // Faults -----------------------------------------------------------------------------------------------------

  #refuse(words: Int32Array, operator: number, effect: Effect<B>) {
    const found = this.layout.operator(operator) + cached.found;
    const deletes = effect.do === 'delete-secret' && !effect.predecessor;
    words[found] = (words[found] ?? 0) | (deletes ? 8 : 4);
    words[at.refusalsLeft] = (words[at.refusalsLeft] ?? 0) - 1;
  }

  /** On its way while its sender has given up. What cannot be done any more is not kept. */
  #sendLate(words: Int32Array, operator: number, about: number, effect: Effect<B>) {
    const own = this.layout.operator(operator) + cached.objects + 4 * (about - 1);
    if (effect.do === 'write-object') {
      const { after } = effect;
      const target = [words[own + 1] ?? 0, 0, 0, about - 1];
      if (words[this.layout.object(about - 1) + 1] !== words[own + 1]) return;
      if (after === 'gone') words.set([lateKind.object, 0, ...target], at.late);
      else {
        const { content, recordUID, recordVersion } = after;
        words.set([lateKind.object, content, words[own + 1] ?? 0, recordUID, recordVersion, about - 1], at.late);
      }
    } else if (effect.do === 'create-secret') {
      const made = effect.body(this.#making(words, effect.id));
      if (made === 'gone') return;
      words.set([lateKind.createSecret, made.content, 0, 0, 0, 0], at.late);
    } else if (effect.do === 'patch-secret') {
      const made = this.#made(words, effect);
      if (made === undefined || made === 'unreadable' || made === 'gone') return;
      words.set([lateKind.patchSecret, made.content, effect.version, 0, 0, 0], at.late);
    } else if (effect.do === 'delete-secret' && words[at.secret + 1] === effect.version) {
      words.set([lateKind.deleteSecret, 0, effect.version, words[at.secret + 2] ?? 0, 0, 0], at.late);
    }
  }

  /** The late write arrives: it is done where its precondition holds, and nobody hears the answer. */
  arrive(words: Int32Array) {
    const [kind = 0, content = 0, version = 0, uid = 0, recordVersion = 0, t = 0] = words.subarray(
      at.late,
      at.late + 6,
    );
    words.fill(0, at.late, at.late + 6);
    const secret = words[at.secret] ?? 0;
    if (kind === lateKind.object) {
      const slot = this.layout.object(t);
      if (words[slot] === 0 || words[slot + 1] !== version) return;
      this.#storeObject(words, t, content === 0 ? 'gone' : { content, recordUID: uid, recordVersion });
    } else if (kind === lateKind.createSecret) {
      if (secret === 0) this.#storeSecret(words, content);
    } else if (secret !== 0 && words[at.secret + 1] === version) {
      if (kind === lateKind.patchSecret) this.#storeSecret(words, content);
      else words.fill(0, at.secret, at.secret + 3);
    }
  }
}

/** A number above every version and UID there is. */
export function next(words: Int32Array): number {
  let highest = 0;
  for (const word of words.subarray(at.beside)) if (word > highest) highest = word;
  return highest + 1;
}
