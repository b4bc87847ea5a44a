import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose';
import type { BotToken } from '../api/bot-token.ts';
import type { BotUser } from '../api/bot-user.ts';
import type { IssuerOf } from '../api/cluster-token-issuer.ts';
import type { Clock } from '../base/clock.ts';
import { SecretValue } from '../base/secret-value.ts';
import { type BotTokenClaims, parseSubject, verifyBotToken } from '../issuers/jwt/claims.ts';
import { type PublicJWK, parsePublicJWK } from '../issuers/jwt/keys.ts';
import { isLive, type SecretMetadata } from '../issuers/jwt/live.ts';

/** How the objects behind a token are read from the API server itself; undefined: there is none of that name. */
export interface LiveReads {
  botToken(ref: Ref, signal: AbortSignal): Promise<BotToken | undefined>;
  botUser(ref: Ref, signal: AbortSignal): Promise<BotUser | undefined>;
  /** Its metadata only. */
  secret(ref: Ref, signal: AbortSignal): Promise<SecretMetadata | undefined>;
}

export interface Ref {
  namespace: string;
  name: string;
}

/** Caches that are known to be fresh enough, and the way around them. */
export interface IntrospectionDeps {
  botTokens: { byUID(uid: string): BotToken | undefined };
  botUsers: { byUID(uid: string): BotUser | undefined };
  read: LiveReads;
  clock: Clock;
}

/** The answer of RFC 7662 section 2.2 for a live token. */
export interface Active {
  active: true;
  token_type: 'Bearer';
  iss: string;
  sub: string;
  aud: string | string[];
  iat: number;
  exp?: number;
  jti: string;
  username: string;
  scope?: string;
  identities?: { service: string; id: string }[];
}

/** For every other token exactly this (section 2.2): why it is dead is nobody's business but its owner's. */
export type Introspected = Active | { active: false };

/** Says whether a token of an issuer is live: the signature first, then the caches, then, where they cannot know, the API server. */
export class Introspection {
  readonly #deps: IntrospectionDeps;
  /** Imported keys, for as long as the list of published keys is the same object in the cache. */
  readonly #published = new WeakMap<object, Published>();

  constructor(deps: IntrospectionDeps) {
    this.#deps = deps;
  }

  /** Fails when the API server has to be asked and does not answer: the token is then neither active nor inactive. */
  async introspect(token: SecretValue, issuer: IssuerOf<'jwt'>, signal: AbortSignal): Promise<Introspected> {
    const { issuerURL } = issuer.spec.jwt;
    const now = this.#deps.clock.now();
    const verified = await verifyBotToken(token.reveal(), { issuerURL, ...this.#keysOf(issuer) }, now);
    if (!verified.valid) return { active: false };
    return (await this.#isLive(verified.claims, issuer, signal)) ? activeAnswer(verified.claims) : { active: false };
  }

  #keysOf(issuer: IssuerOf<'jwt'>): Published {
    const listed = issuer.status?.keys ?? [];
    const known = this.#published.get(listed);
    if (known !== undefined) return known;
    const published = publishedKeys(issuer);
    const fresh = { published, keys: createLocalJWKSet({ keys: [...published] }) };
    this.#published.set(listed, fresh);
    return fresh;
  }

  async #isLive(claims: BotTokenClaims, issuer: IssuerOf<'jwt'>, signal: AbortSignal): Promise<boolean> {
    const { botTokens, botUsers, clock } = this.#deps;
    const { uid, botUser: user } = claims['botmint.dev'];
    const cached = { issuer, token: botTokens.byUID(uid), botUser: botUsers.byUID(user.uid) };
    const first = isLive(claims, cached, clock.now());
    if (first.live !== 'unread') return first.live;
    const read = await this.#read(claims, cached.botUser, signal);
    return isLive(claims, { issuer, ...read }, clock.now()).live === true;
  }

  /**
   * The Secret is read between two reads of the token: a token that is in the Secret but not in the first record is in the second
   * one if the Secret has moved on to the next, and so it cannot slip through between the two.
   */
  async #read(claims: BotTokenClaims, botUser: BotUser | undefined, signal: AbortSignal) {
    const { read } = this.#deps;
    const { namespace, name, uid, botUser: user } = claims['botmint.dev'];
    const found = await read.botToken({ namespace, name }, signal);
    if (found?.metadata.uid !== uid) return {};
    const userRef = { namespace: parseSubject(claims.sub)?.namespace ?? namespace, name: user.name };
    const [secret, foundUser] = await Promise.all([
      read.secret({ namespace, name: found.spec.secret.name ?? name }, signal),
      botUser ?? read.botUser(userRef, signal),
    ]);
    return { token: await read.botToken({ namespace, name }, signal), botUser: foundUser, secret };
  }
}

interface Published {
  published: readonly PublicJWK[];
  keys: JWTVerifyGetKey;
}

/** The keys that an issuer has published: only their public members, whatever somebody wrote into the status. */
export function publishedKeys(issuer: IssuerOf<'jwt'>): PublicJWK[] {
  return (issuer.status?.keys ?? []).map(key => parsePublicJWK(key.publicJWK)).filter(key => key !== undefined);
}

/** The token in an introspection request (RFC 7662 section 2.1), or undefined unless there is exactly one. `token_type_hint` may be ignored, and is. */
export function parseIntrospectionRequest(form: string): SecretValue | undefined {
  const [token, ...others] = new URLSearchParams(form).getAll('token');
  return token === undefined || token === '' || others.length > 0 ? undefined : new SecretValue(token);
}

function activeAnswer(claims: BotTokenClaims): Active {
  const { iss, sub, aud, iat, exp, jti, scope, identities } = claims;
  return {
    active: true,
    token_type: 'Bearer',
    iss,
    sub,
    aud,
    iat,
    ...(exp === undefined ? {} : { exp }),
    jti,
    username: parseSubject(sub)?.username ?? sub,
    ...(scope === undefined ? {} : { scope }),
    ...(identities === undefined ? {} : { identities }),
  };
}
