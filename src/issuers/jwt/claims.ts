import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import * as z from 'zod';
import type { PublicJWK } from './keys.ts';

/**
 * Explicit typing (RFC 8725 section 3.11): no verifier of ID tokens, access tokens (`at+jwt`) or status lists that looks
 * at `typ` can take a bot token for one of those, nor can we take one of those for a bot token.
 */
export const tokenType = 'bot+jwt';

/** What a bot token says. docs/reference/token.md explains each claim. Unknown claims of a later version are let through. */
export const BotTokenClaims = z.looseObject({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  iat: z.number(),
  /** Left out for a token that never ends. */
  exp: z.number().exactOptional(),
  /** The token id. */
  jti: z.string(),
  /** Where its status is for those who verify offline. Tokens of earlier versions have none. */
  status: z.looseObject({ status_list: z.looseObject({ idx: z.number(), uri: z.string() }) }).exactOptional(),
  identities: z.array(z.looseObject({ service: z.string(), id: z.string() })).exactOptional(),
  scope: z.string().exactOptional(),
  /** Where the objects are found: names are hints, UIDs decide. */
  'botmint.dev': z.looseObject({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    botUser: z.looseObject({ name: z.string(), uid: z.string() }),
  }),
});
export type BotTokenClaims = z.infer<typeof BotTokenClaims>;

/** Who a token stands for: `bot:<namespace>:<username>`, the namespace being the BotUser's. */
export function subjectOf(bot: { namespace: string; username: string }): string {
  return `bot:${bot.namespace}:${bot.username}`;
}

/** The parts of a subject. A namespace has no colon, so the rest is the username. */
export function parseSubject(subject: string): { namespace: string; username: string } | undefined {
  const [, namespace, username] = /^bot:([^:]+):(.+)$/.exec(subject) ?? [];
  return namespace === undefined || username === undefined ? undefined : { namespace, username };
}

/** The verified claims, or the reason why the text is not a token of this issuer; the reason never quotes the token. */
export type Verified = { valid: true; claims: BotTokenClaims } | { valid: false; because: string };

/**
 * Verifies a token as its issuer: signed by a key that this issuer published, with that key's own algorithm, `typ`, `iss`
 * and `exp`. The audience is left to the relying party, which alone knows its own name. `keys` is what jose's
 * createLocalJWKSet makes of the published keys.
 */
export async function verifyBotToken(
  token: string,
  issuer: { issuerURL: string; published: readonly PublicJWK[]; keys: JWTVerifyGetKey },
  now: Date,
): Promise<Verified> {
  // RFC 8725 section 3.1: the algorithms come from our keys, never from the token. That each key is used with its own
  // algorithm only is checked by the JWK set, by the key's `alg`.
  const algorithms = [...new Set(issuer.published.map(key => key.alg))];
  try {
    const { payload, protectedHeader } = await jwtVerify(token, issuer.keys, {
      algorithms,
      typ: tokenType,
      issuer: issuer.issuerURL,
      currentDate: now,
    });
    if (protectedHeader.kid === undefined) return { valid: false, because: 'no kid' };
    const { data } = BotTokenClaims.safeParse(payload);
    return data === undefined
      ? { valid: false, because: 'not the claims of a bot token' }
      : { valid: true, claims: data };
  } catch (error) {
    if (error instanceof errors.JOSEError) return { valid: false, because: error.code };
    throw error; // not the token's fault: a published key that cannot be read, for example
  }
}
