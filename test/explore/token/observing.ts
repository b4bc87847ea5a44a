import type { BotToken } from '../../../src/api/bot-token.ts';
import type { BotUser } from '../../../src/api/bot-user.ts';
import type { ClusterTokenIssuer } from '../../../src/api/cluster-token-issuer.ts';
import { managedLabel } from '../../../src/api/names.ts';
import { SecretReadings } from '../../../src/controllers/secret-readings.ts';
import { botTokens, botUserNameOf } from '../../../src/decide/bot-token.ts';
import { botUserGrant, tokenGrant } from '../../../src/decide/bot-token-grant.ts';
import {
  claimsSecret,
  type Observed,
  type PrincipalSeen,
  type SecretSeen,
  secretNameOf,
} from '../../../src/decide/credential-seen.ts';
import { issuerOf, livePrevious, recordOf } from '../../../src/decide/credential-status.ts';
import { isOlder } from '../../../src/decide/grant.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import { type Contents, secretUID } from './contents.ts';
import { cached, type Layout } from './layout.ts';

/** What one operator sees: its caches, and what its pass has found out. */
export class Sight {
  readonly #contents: Contents;
  readonly #layout: Layout;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly now: Date;

  constructor(contents: Contents, layout: Layout, words: Int32Array, operator: number, now: Date) {
    this.#contents = contents;
    this.#layout = layout;
    this.#words = words;
    this.#base = layout.operator(operator);
    this.now = now;
  }

  word(offset: number): number {
    return this.#words[this.#base + offset] ?? 0;
  }

  token(t: number): BotToken | undefined {
    return tokenAt(this.#contents, this.#words, this.#base + cached.tokens + 4 * t);
  }

  bot(): BotUser | undefined {
    const content = this.word(cached.bot);
    return content === 0 ? undefined : this.#contents.botOf(content, this.word(cached.bot + 1));
  }

  issuer(): ClusterTokenIssuer | undefined {
    const content = this.word(cached.issuer);
    return content === 0 ? undefined : this.#contents.issuerOf(content, this.word(cached.issuer + 1));
  }

  tokens(): BotToken[] {
    return Array.from({ length: this.#layout.tokens }, (_, t) => this.token(t)).filter(token => token !== undefined);
  }

  readings(): SecretReadings {
    const readings = new SecretReadings();
    const from = cached.reading;
    if (this.word(from) === 0) return readings;
    const { digest, keys } = this.#contents.readings.valueOf(this.word(from + 2));
    const metadata = { uid: secretUID(this.word(from)), resourceVersion: String(this.word(from + 1)) };
    readings.remember({ metadata } as never, digest, keys);
    return readings;
  }

  /** The Secret as the watch shows it, or as it was read live in this pass, whichever is newer. */
  newestSecret(): { secret: StoredSecret; isLive: boolean } | undefined {
    const live = this.word(cached.live) === 2 ? this.#secretAt(cached.live + 1) : undefined;
    const seen = this.#secretAt(cached.secret);
    const newer = live !== undefined && (seen === undefined || versionOf(live) >= versionOf(seen));
    if (newer) return { secret: live, isLive: true };
    return seen && { secret: seen, isLive: false };
  }

  observed(token: BotToken): Observed {
    const found = this.word(cached.found);
    const others = this.tokens().filter(other => other.metadata.name !== token.metadata.name);
    const rivals = others.filter(other => secretNameOf(other) === secretNameOf(token) && claimsSecret(other));
    const earlier = rivals.find(other => isOlder(other, token));
    const refused = (found & 12) === 0 ? undefined : (found & 4) !== 0 ? ('Write' as const) : ('Delete' as const);
    return {
      kind: botTokens,
      object: token,
      principal: this.#botUser(token),
      secret: this.#secret(token),
      confirmed: { principal: (found & 1) !== 0, issuer: (found & 2) !== 0 },
      revocations: [],
      lostIssuer: undefined,
      listed: new Map(),
      targets: new Map(),
      earlierClaim: earlier && `BotToken/${earlier.metadata.name}`,
      refused:
        refused === undefined
          ? {}
          : { [refused]: { operation: refused, reason: 'WriteRefused', message: 'an admission policy says no' } },
    };
  }

  /** What was counted live in this pass. */
  counted(): number | undefined {
    const counted = this.word(cached.counted);
    return counted === 0 ? undefined : counted - 1;
  }

  botGrant(bot: BotUser) {
    return botUserGrant(bot, [], { issuer: this.issuer(), namespaceLabels: {} }, this.now);
  }

  #botUser(token: BotToken): PrincipalSeen {
    const bot = this.bot();
    if (bot === undefined) return { state: 'absent', name: botUserNameOf(token) };
    const { deletionTimestamp: since } = bot.metadata;
    if (since !== undefined) return { state: 'deleted', name: botUserNameOf(token), since };
    const grant = tokenGrant(token, bot, [], { issuer: this.issuer(), namespaceLabels: {} }, this.now);
    return { state: 'found', uid: bot.metadata.uid, suspended: bot.spec.disabled === true, grant };
  }

  #secret(token: BotToken): SecretSeen {
    const newest = this.newestSecret();
    if (newest === undefined) return { state: 'absent', confirmed: this.word(cached.live) !== 0 };
    const seen = this.readings().seen(token, newest.secret, newest.isLive);
    if (seen.state !== 'ours') return seen;
    return { ...seen, unreadable: this.word(cached.unreadableAt) === versionOf(newest.secret) };
  }

  #secretAt(offset: number): StoredSecret | undefined {
    const content = this.word(offset);
    return content === 0 ? undefined : this.#contents.secretOf(content, this.word(offset + 1), this.word(offset + 2));
  }
}

export function tokenAt(contents: Contents, words: Int32Array, from: number): BotToken | undefined {
  const content = words[from] ?? 0;
  if (content === 0) return undefined;
  const [version = 0, recordUID = 0, recordVersion = 0] = words.subarray(from + 1, from + 4);
  return contents.tokenOf({ content, version, recordUID, recordVersion });
}

function versionOf({ metadata }: StoredSecret): number {
  return Number(metadata.resourceVersion);
}

/** What the metadata watch of our label shows of a Secret. */
export function isWatched({ metadata }: StoredSecret): boolean {
  return metadata.labels?.[managedLabel] !== undefined;
}

/** As the controller of BotUsers counts: credentials that were issued for this very one. */
export function countsForBot(bot: BotUser, token: BotToken, now: Date): boolean {
  const record = recordOf(token);
  if (record === undefined) return livePrevious(token, now).length > 0;
  if (record === 'unknown' || record.inputs.botUser?.uid !== bot.metadata.uid) return false;
  const { expiresAt } = record.inputs;
  const going = bot.metadata.deletionTimestamp !== undefined;
  return going || expiresAt === undefined || Date.parse(expiresAt) > now.getTime();
}

/** As the controller of issuers counts. */
export function countsForIssuer(issuer: ClusterTokenIssuer, token: BotToken): boolean {
  return issuerOf(token)?.uid === issuer.metadata.uid;
}
