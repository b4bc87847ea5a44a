import type { BotToken } from '../../../src/api/bot-token.ts';
import { parseInputsText, type TokenInputs } from '../../../src/api/inputs.ts';
import { inputsAnnotation, ownerUIDAnnotation, revisionAnnotation, tokenIDAnnotation } from '../../../src/api/names.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { type Minted, rendered } from '../../../src/controllers/secret-writes.ts';
import type { Step } from '../../../src/decide/credential-seen.ts';
import { tokenInputsOf } from '../../../src/decide/inputs-of.ts';
import type { BotTokenClaims } from '../../../src/issuers/jwt/claims.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import { textOf } from '../../decide/signing.ts';

export const digestKey = new SecretValue('the key of the operator');

/** A credential that was in the Secret once: whoever copied it may show it. */
export interface Published {
  tokenID: string;
  revision: number;
  inputs: TokenInputs;
  claims: BotTokenClaims;
}

/** A credential as the controller mints it; a number in place of the random part of its id. */
export function minted(token: BotToken, step: Step & { do: 'issue' }, nonce: number, now: Date): Minted {
  const inputs = tokenInputsOf(token, step, { keyID: 'key-1', now });
  const tokenID = `${token.metadata.uid}.${step.revision}.${nonce}`;
  return rendered(textOf(tokenID), { revision: step.revision, tokenID, inputs }, digestKey);
}

/** The credential that a Secret of ours says it holds; undefined where it says nothing. */
export function publishedBy(
  { metadata }: StoredSecret,
  token: { namespace: string; name: string },
): Published | undefined {
  const { annotations } = metadata;
  const recorded = parseInputsText(annotations?.[inputsAnnotation]);
  const tokenID = annotations?.[tokenIDAnnotation];
  const uid = annotations?.[ownerUIDAnnotation];
  if (recorded === undefined || recorded.robot !== undefined || tokenID === undefined || uid === undefined)
    return undefined;
  // However it is rendered, it is the same credential.
  const inputs = { ...recorded, digest: '', secret: { data: [], labels: {}, annotations: {} } };
  const claims = {
    iss: 'https://tokens.example.com',
    sub: `bot:${token.namespace}:${inputs.username}`,
    aud: inputs.audiences,
    iat: Date.parse(inputs.issuedAt) / 1000,
    ...(inputs.expiresAt === undefined ? {} : { exp: Date.parse(inputs.expiresAt) / 1000 }),
    jti: tokenID,
    'botmint.dev': { ...token, uid, botUser: inputs.botUser },
  } as BotTokenClaims;
  return { tokenID, revision: Number(annotations?.[revisionAnnotation]), inputs, claims };
}
