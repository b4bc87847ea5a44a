import type { BotToken } from '../../../src/api/bot-token.ts';
import { ownerAnnotation } from '../../../src/api/names.ts';
import { type Recorded, recordOf } from '../../../src/decide/credential-status.ts';
import { isLive } from '../../../src/issuers/jwt/live.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import { WordSet } from '../word-set.ts';
import { Interned } from './contents.ts';
import { at, job, lateKind } from './layout.ts';
import { tokenAt } from './observing.ts';
import { wrongAtRest, wrongDeaths, wrongNow } from './rules.ts';
import { type Published, publishedBy } from './signing.ts';
import type { Turns } from './turn.ts';

/** What relying parties and people see of a world. */
export interface View {
  now: Date;
  tokens: readonly (BotToken | undefined)[];
  bot: ReturnType<Turns['contents']['botOf']> | undefined;
  issuer: ReturnType<Turns['contents']['issuerOf']> | undefined;
  secret: StoredSecret | undefined;
  published: readonly Published[];
  live: readonly Published[];
  /** By the UID of the token. */
  records: ReadonlyMap<string, Recorded>;
}

const mostRounds = 40;
/** As many steps as the controller allows in one pass. */
const mostSteps = 24;

/** Which credentials live in a world, whether that is right, and where the world comes to rest. Equal worlds are asked once. */
export class Standing {
  readonly #turns: Turns;
  readonly #keepsBackup: boolean;
  readonly #published = new Interned<Published>();
  readonly #sets = new Interned<number[]>();
  /** The worlds that were asked about, by number, without what does not matter to credentials. */
  readonly #worlds: WordSet;
  readonly #world: Int32Array;
  readonly #views: View[] = [];
  readonly #ends: ({ says: string | undefined } | undefined)[] = [];
  readonly #wrong: ({ says: string | undefined } | undefined)[] = [];
  readonly #kept = new Map<string, number>();
  /** Where the operators begin in a state: what is before is the world. */
  readonly #outside: number;

  constructor(turns: Turns, keepsBackup: boolean) {
    this.#turns = turns;
    this.#keepsBackup = keepsBackup;
    this.#outside = turns.layout.operator(0);
    this.#worlds = new WordSet(this.#outside);
    this.#world = new Int32Array(this.#outside);
  }

  #numberOf(words: Int32Array): number {
    for (let i = 0; i < this.#outside; i++) this.#world[i] = words[i] ?? 0;
    this.#world.fill(0, at.backup, at.bot);
    return this.#worlds.add(this.#world);
  }

  viewOf(words: Int32Array): View {
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

  #look(words: Int32Array): View {
    const { contents, layout } = this.#turns;
    const now = this.#turns.nowOf(words);
    const tokens = Array.from({ length: layout.tokens }, (_, t) => tokenAt(contents, words, layout.token(t)));
    const plain = (from: number) => [words[from] ?? 0, words[from + 1] ?? 0] as const;
    const [bot, issuer] = [plain(at.bot), plain(at.issuer)];
    const [content = 0, version = 0, uid = 0] = words.subarray(at.secret, at.secret + 3);
    const botUser = bot[0] === 0 ? undefined : contents.botOf(...bot);
    const tokenIssuer = issuer[0] === 0 ? undefined : contents.issuerOf(...issuer);
    const secret = content === 0 ? undefined : contents.secretOf(content, version, uid);
    const published = this.#publishedIn(words);
    const live = published.filter(({ claims }) => {
      const token = tokens.find(one => one?.metadata.uid === claims['botmint.dev'].uid);
      return isLive(claims, { token, botUser, issuer: tokenIssuer, secret }, now).live === true;
    });
    return { now, tokens, bot: botUser, issuer: tokenIssuer, secret, published, live, records: recordsOf(tokens) };
  }

  #publishedIn(words: Int32Array): Published[] {
    const set = words[at.published] ?? 0;
    return set === 0 ? [] : this.#sets.valueOf(set).map(number => this.#published.valueOf(number));
  }

  /** Takes the credential in the Secret into the published ones, and forgets those that nothing names any more. */
  forget(words: Int32Array): void {
    if (!this.#keepsBackup) words[at.backup] = 0;
    const { layout } = this.#turns;
    const contents = Array.from({ length: layout.tokens }, (_, t) => words[layout.token(t)]);
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
    const add = (kind: 'tokens' | 'secrets', content: number) => {
      for (const id of contents.mentionedBy(kind, content)) named.add(id);
    };
    for (let t = 0; t < layout.tokens; t++) add('tokens', words[layout.token(t)] ?? 0);
    add('secrets', words[at.secret] ?? 0);
    add('secrets', words[at.backup] ?? 0);
    const late = words[at.late] ?? 0;
    if (late !== 0 && late !== lateKind.deleteSecret)
      add(late === lateKind.token ? 'tokens' : 'secrets', words[at.late + 1] ?? 0);
    const inSecret = words[at.secret] === 0 ? undefined : this.#inSecret(words[at.secret] ?? 0);
    const all = [...this.#publishedIn(words), ...(inSecret === undefined ? [] : [inSecret])];
    const kept = all.filter(({ tokenID }) => named.has(tokenID)).map(one => this.#published.numberOf(one));
    return kept.length === 0 ? 0 : this.#sets.numberOf([...new Set(kept)].sort((a, b) => a - b));
  }

  #inSecret(content: number): Published | undefined {
    const secret = this.#turns.contents.secrets.valueOf(content);
    const name = secret.metadata.annotations?.[ownerAnnotation]?.replace('BotToken/', '');
    return name === undefined ? undefined : publishedBy(secret, { namespace: 'team-a', name });
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
    const numbers = Array.from({ length: layout.tokens }, (_, t) => words[layout.token(t)] ?? 0);
    return numbers.filter(number => number !== 0).map(number => contents.tokens.valueOf(number).metadata.uid);
  }

  /** Credentials that died of an operator's step, against the rules. */
  wrongStep(before: View, words: Int32Array, raced: boolean): string | undefined {
    const after = this.viewOf(words);
    return before === after ? undefined : wrongDeaths(before, after, raced);
  }

  wrongState(words: Int32Array): string | undefined {
    const number = this.#numberOf(words);
    const known = this.#wrong[number] ?? { says: wrongNow(this.viewOf(words)) };
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
    words.fill(0, at.backup, at.bot);
    if (words[at.late] !== 0) this.#turns.arrive(words);
    this.forget(words);
    for (const isLater of [false, true]) {
      if (isLater) words[at.time] = (words[at.time] ?? 0) + 3 * 3600;
      const says = this.#settle(words) ?? wrongAtRest(this.viewOf(words), isLater);
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
    const tokens = Array.from({ length: this.#turns.layout.tokens }, (_, t) => t + 1);
    for (const about of [job.bot, ...tokens, job.issuer]) {
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
    for (let t = 0; t < layout.tokens; t++) {
      const content = words[layout.token(t)] ?? 0;
      const retry = content === 0 ? undefined : contents.tokens.valueOf(content).status?.retry?.at;
      const seconds = retry === undefined ? 0 : (Date.parse(retry) - now) / 1000;
      if (seconds > 0) {
        words[at.time] = (words[at.time] ?? 0) + Math.ceil(seconds);
        return true;
      }
    }
    return false;
  }

  show(words: Int32Array): string {
    const { tokens, bot, secret, live } = this.viewOf(words);
    const ids = (token: BotToken | undefined) =>
      token === undefined
        ? 'none'
        : `${token.metadata.uid}${token.metadata.deletionTimestamp === undefined ? '' : ' (going)'} records ${token.status?.tokenID ?? 'nothing'}`;
    const inSecret =
      secret === undefined ? 'none' : (secret.metadata.annotations?.['botmint.dev/token-id'] ?? 'unmarked');
    const who = bot === undefined ? '; no bot' : bot.metadata.deletionTimestamp === undefined ? '' : '; bot going';
    return `${tokens.map(ids).join(', ')}; Secret ${inSecret}; live [${live.map(({ tokenID }) => tokenID).join(' ')}]${who}`;
  }
}

function recordsOf(tokens: readonly (BotToken | undefined)[]): Map<string, Recorded> {
  const records = new Map<string, Recorded>();
  for (const token of tokens) {
    const record = token && recordOf(token);
    if (record === 'unknown') throw new Error('a record that its writer cannot read');
    if (token !== undefined && record !== undefined) records.set(token.metadata.uid, record);
  }
  return records;
}
