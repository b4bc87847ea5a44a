import type { BotToken } from '../../../src/api/bot-token.ts';
import type { BotUser } from '../../../src/api/bot-user.ts';
import { timestamp } from '../../../src/api/conditions.ts';
import {
  managedLabel,
  pausedAnnotation,
  replaceAnnotation,
  revokeFinalizer,
  rotateAnnotation,
} from '../../../src/api/names.ts';
import { applyMergePatch } from '../../base/apply-merge-patch.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import { at, type Layout } from './layout.ts';
import { tokenAt } from './observing.ts';
import { next, type Turns } from './turn.ts';

/** What users, admins and time do to a world, in place. False: there is nothing to do it to. */
type Event = (world: Users) => boolean;

/** The hands of everybody but the operators. */
export class Users {
  readonly words: Int32Array;
  readonly #turns: Turns;
  readonly #layout: Layout;

  constructor(turns: Turns, words: Int32Array) {
    this.#turns = turns;
    this.#layout = turns.layout;
    this.words = words;
  }

  token(t = 0): BotToken | undefined {
    return tokenAt(this.#turns.contents, this.words, this.#layout.token(t));
  }

  #putToken(t: number, token: BotToken): boolean {
    const { content, recordUID, recordVersion } = this.#turns.contents.snapshotOf(token);
    this.words.set([content, next(this.words), recordUID, recordVersion], this.#layout.token(t));
    return true;
  }

  changeToken(change: (token: BotToken) => BotToken | undefined, t = 0): boolean {
    const token = this.token(t);
    if (token === undefined || token.metadata.deletionTimestamp !== undefined) return false;
    const after = change(token);
    return after !== undefined && this.#putToken(t, after);
  }

  changeSpec(spec: Partial<BotToken['spec']>, t = 0): boolean {
    return this.changeToken(token => {
      if (token.spec.revoked === true) return undefined;
      const generation = (token.metadata.generation ?? 0) + 1;
      return { ...token, metadata: { ...token.metadata, generation }, spec: { ...token.spec, ...spec } };
    }, t);
  }

  annotate(name: string, value: string): boolean {
    return this.changeToken(token => {
      const annotations = { ...token.metadata.annotations, [name]: value };
      return { ...token, metadata: { ...token.metadata, annotations } };
    });
  }

  deleteToken(t = 0): boolean {
    const token = this.token(t);
    if (token === undefined || token.metadata.deletionTimestamp !== undefined) return false;
    if (token.metadata.finalizers?.length)
      return this.#putToken(t, { ...token, metadata: { ...token.metadata, deletionTimestamp: this.#now() } });
    this.words.fill(0, this.#layout.token(t), this.#layout.token(t) + 4);
    return true;
  }

  /** The same manifest again: another UID, and no status. */
  applyToken(manifest: BotToken, t = 0): boolean {
    if (this.token(t) !== undefined) return false;
    const number = Number(manifest.metadata.uid.replace('token-', '')) + 2;
    return this.#putToken(t, { ...manifest, metadata: { ...manifest.metadata, uid: `token-${number}` } });
  }

  #bot(): BotUser | undefined {
    const content = this.words[at.bot] ?? 0;
    return content === 0 ? undefined : this.#turns.contents.botOf(content, 0);
  }

  putBot(bot: BotUser | undefined): boolean {
    this.words[at.bot] = bot === undefined ? 0 : this.#turns.contents.numberOfBot(bot);
    this.words[at.bot + 1] = bot === undefined ? 0 : next(this.words);
    return true;
  }

  changeBot(change: (bot: BotUser) => BotUser | undefined): boolean {
    const bot = this.#bot();
    const after = bot?.metadata.deletionTimestamp === undefined ? bot && change(bot) : undefined;
    return after !== undefined && this.putBot(after);
  }

  deleteBot(): boolean {
    const bot = this.#bot();
    if (bot === undefined || bot.metadata.deletionTimestamp !== undefined) return false;
    const deletionTimestamp = this.#now();
    return this.putBot(
      bot.metadata.finalizers?.length ? { ...bot, metadata: { ...bot.metadata, deletionTimestamp } } : undefined,
    );
  }

  applyBot(manifest: BotUser): boolean {
    if (this.#bot() !== undefined) return false;
    return this.putBot({ ...manifest, metadata: { ...manifest.metadata, uid: 'bot-2', finalizers: [] } });
  }

  deleteIssuer(): boolean {
    const content = this.words[at.issuer] ?? 0;
    if (content === 0) return false;
    const issuer = this.#turns.contents.issuerOf(content, 0);
    if (issuer.metadata.deletionTimestamp !== undefined) return false;
    const after = { ...issuer, metadata: { ...issuer.metadata, deletionTimestamp: this.#now() } };
    this.words.set([this.#turns.contents.numberOfIssuer(after), next(this.words)], at.issuer);
    return true;
  }

  secret(): StoredSecret | undefined {
    const [content = 0, version = 0, uid = 0] = this.words.subarray(at.secret, at.secret + 3);
    return content === 0 ? undefined : this.#turns.contents.secretOf(content, version, uid);
  }

  putSecret(secret: StoredSecret | undefined): boolean {
    const uid = this.words[at.secret] === 0 ? next(this.words) : (this.words[at.secret + 2] ?? 0);
    if (secret === undefined) this.words.fill(0, at.secret, at.secret + 3);
    else this.words.set([this.#turns.contents.numberOfSecret(secret), next(this.words) + 1, uid], at.secret);
    return true;
  }

  patchSecret(patch: object): boolean {
    const secret = this.secret();
    return secret !== undefined && this.putSecret(applyMergePatch(secret, patch) as StoredSecret);
  }

  /** The old Secret comes back, as it was when it was first written. */
  restoreSecret(): boolean {
    const backup = this.words[at.backup] ?? 0;
    if (backup === 0 || backup === this.words[at.secret]) return false;
    return this.putSecret(this.#turns.contents.secrets.valueOf(backup));
  }

  passTime(minutes: number): boolean {
    this.words[at.time] = (this.words[at.time] ?? 0) + minutes * 60;
    return true;
  }

  #now(): string {
    return timestamp(this.#turns.nowOf(this.words));
  }
}

const foreign = { metadata: { labels: {}, annotations: {} }, data: { theirs: 'eA==' } } as unknown as StoredSecret;

/** Everything that can happen to the objects of a token, by name. `manifests` are what users apply. */
export function eventsOf(manifests: { token: BotToken; bot: BotUser }): { readonly [name: string]: Event } {
  return {
    'asks for more': world => world.changeSpec({ scopes: ['a', 'b', 'c'] }),
    'asks for less': world => world.changeSpec({ scopes: ['a'] }),
    'wants another entry': world =>
      world.changeSpec({
        secret: { ...manifests.token.spec.secret, data: [{ key: 'OTHER', template: 'x $(token)' }] },
      }),
    revokes: world => world.changeSpec({ revoked: true }),
    'asks for a rotation': world => world.annotate(rotateAnnotation, 'once'),
    'asks for a replacement': world => world.annotate(replaceAnnotation, 'leaked'),
    pauses: world => world.annotate(pausedAnnotation, 'true'),
    resumes: world => world.annotate(pausedAnnotation, 'false'),
    'deletes the token': world => world.deleteToken(),
    'applies the token again': world => world.applyToken(manifests.token),
    'takes off the finalizer': world =>
      world.changeToken(({ metadata, ...token }) =>
        metadata.finalizers?.includes(revokeFinalizer)
          ? { ...token, metadata: { ...metadata, finalizers: [] } }
          : undefined,
      ),
    'restores an empty status': world =>
      world.changeToken(token =>
        token.status?.issued === undefined ? undefined : { ...token, status: { observedGeneration: -1 } },
      ),
    'deletes the Secret': world => world.secret() !== undefined && world.putSecret(undefined),
    'edits the Secret': world => world.patchSecret({ data: { BUF_TOKEN: 'ZWRpdGVk' } }),
    'empties the Secret': world => {
      const secret = world.secret();
      return secret !== undefined && world.putSecret({ ...secret, data: {} });
    },
    'strips the Secret’s marks': world => world.patchSecret({ metadata: { annotations: null } }),
    'strips the Secret’s owner and label': world =>
      world.patchSecret({ metadata: { ownerReferences: null, labels: { [managedLabel]: null } } }),
    'puts a foreign Secret there': world => world.secret() === undefined && world.putSecret(foreign),
    'restores the first Secret': world => world.restoreSecret(),
    'disables the bot': world =>
      world.changeBot(bot =>
        bot.spec.disabled === true ? undefined : { ...bot, spec: { ...bot.spec, disabled: true } },
      ),
    'enables the bot': world =>
      world.changeBot(bot => (bot.spec.disabled === true ? { ...bot, spec: manifests.bot.spec } : undefined)),
    'deletes the bot': world => world.deleteBot(),
    'applies the bot again': world => world.applyBot(manifests.bot),
    'deletes the issuer': world => world.deleteIssuer(),
    'lets 45 minutes pass': world => world.passTime(45),
    'lets 90 minutes pass': world => world.passTime(90),
    'deletes the other token': world => world.deleteToken(1),
    'revokes the other token': world => world.changeSpec({ revoked: true }, 1),
  };
}
