import { SignJWT } from 'jose';
import type { TokenInputs } from '../../api/inputs.ts';
import { SecretValue } from '../../base/secret-value.ts';
import { type BotTokenClaims, subjectOf, tokenType } from './claims.ts';
import type { SigningKey } from './keys.ts';
import { statusClaim } from './status-list.ts';

/** What a token is signed from: nothing of it is read from the spec of the moment. */
export interface Signing {
  issuerURL: string;
  tokenID: string;
  /** The BotToken. */
  token: { namespace: string; name: string; uid: string };
  inputs: TokenInputs;
}

/** A signed bot token. The same key and the same words give the same claims, with any number of retries. */
export async function signBotToken(key: SigningKey, signing: Signing): Promise<SecretValue> {
  const jwt = await new SignJWT(claimsOf(signing))
    .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: tokenType })
    .sign(key.privateKey);
  return new SecretValue(jwt);
}

function claimsOf({ issuerURL, tokenID, token, inputs }: Signing): BotTokenClaims {
  const [first, ...others] = inputs.audiences;
  return {
    iss: issuerURL,
    sub: subjectOf({ namespace: inputs.botUser.namespace, username: inputs.username }),
    aud: first !== undefined && others.length === 0 ? first : inputs.audiences,
    iat: seconds(inputs.issuedAt),
    ...endOf(inputs),
    jti: tokenID,
    ...(inputs.statusListIndex === undefined ? {} : { status: statusClaim(issuerURL, inputs.statusListIndex) }),
    ...(inputs.identities.length === 0
      ? {}
      : { identities: inputs.identities.map(({ service, id }) => ({ service, id })) }),
    ...(inputs.scopes.length === 0 ? {} : { scope: inputs.scopes.join(' ') }),
    'botmint.dev': {
      namespace: token.namespace,
      name: token.name,
      uid: token.uid,
      botUser: { name: inputs.botUser.name, uid: inputs.botUser.uid },
    },
  };
}

/** Only a token that was asked for as `never` is without an end: inputs that lack it by mistake must not make one. */
function endOf({ expiresIn, expiresAt }: TokenInputs): { exp?: number } {
  if (expiresAt !== undefined) return { exp: seconds(expiresAt) };
  if (expiresIn === 'never') return {};
  throw new RangeError('the inputs of a token lack its end');
}

/** RFC 7519 NumericDate. A time that cannot be read must not become a token without an end. */
function seconds(time: string): number {
  const milliseconds = Date.parse(time);
  if (Number.isNaN(milliseconds)) throw new RangeError('a time in the inputs of a token is not RFC 3339');
  return Math.floor(milliseconds / 1000);
}
