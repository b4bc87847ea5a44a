import type { BotToken } from '../../src/api/bot-token.ts';
import type { TokenInputs } from '../../src/api/inputs.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { type Minted, rendered } from '../../src/controllers/secret-writes.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
import { tokenInputsOf } from '../../src/decide/inputs-of.ts';
import { type BotTokenClaims, subjectOf } from '../../src/issuers/jwt/claims.ts';
import type { ApiServer } from './api-server.ts';

/** A credential that was signed at some time, whether or not anybody ever saw it. */
export interface Signed {
  tokenID: string;
  revision: number;
  inputs: TokenInputs;
  claims: BotTokenClaims;
}

/** The credential of an id: what a pod presents. No key is needed to see whether it lives. */
export function textOf(tokenID: string): SecretValue {
  return new SecretValue(`signed:${tokenID}`);
}

/** A credential as the controller mints it, but with a nonce that counts, so that a walk can be repeated. */
export function minted(
  server: ApiServer,
  token: BotToken,
  step: Step & { do: 'issue' },
  digestKey: SecretValue,
): Minted {
  const { name, namespace = '', uid } = token.metadata;
  // As the controller takes one: no other signing has it.
  const statusListIndex = server.signed.length + 1;
  const inputs = { ...tokenInputsOf(token, step, { keyID: 'key-1', now: server.time }), statusListIndex };
  const tokenID = `${uid}.${step.revision}.${server.signed.length}`;
  const claims = {
    iss: server.issuer.spec.jwt.issuerURL,
    sub: subjectOf({ namespace, username: inputs.username }),
    aud: inputs.audiences,
    iat: Date.parse(inputs.issuedAt) / 1000,
    ...(inputs.expiresAt === undefined ? {} : { exp: Date.parse(inputs.expiresAt) / 1000 }),
    jti: tokenID,
    'botmint.dev': { namespace, name, uid, botUser: inputs.botUser },
  };
  server.signed.push({ tokenID, revision: step.revision, inputs, claims });
  return rendered(textOf(tokenID), { revision: step.revision, tokenID, inputs }, digestKey);
}
