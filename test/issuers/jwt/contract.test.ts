import { createLocalJWKSet } from 'jose';
import type { BotToken } from '../../../src/api/bot-token.ts';
import type { SecretValue } from '../../../src/base/secret-value.ts';
import { verifyBotToken } from '../../../src/issuers/jwt/claims.ts';
import { generateSigningKey, importSigningKey } from '../../../src/issuers/jwt/keys.ts';
import { isLive } from '../../../src/issuers/jwt/live.ts';
import { signBotToken } from '../../../src/issuers/jwt/sign.ts';
import { newTokenID } from '../../../src/issuers/token-id.ts';
import { holdToContract, type Situation } from '../contract.ts';
import { botUser, deleting, inputs, issuer, issuerURL, naming, token, tokenUID } from './healthy.ts';

interface Made {
  tokenID: string;
  jwt: SecretValue;
}

function tokenSeen({ object, recorded, previous = [] }: Situation<Made>): BotToken | undefined {
  if (object === 'gone') return undefined;
  const superseded = previous.map(({ made, until }) => ({ tokenID: made.tokenID, revokeAt: until.toISOString() }));
  const status = {
    observedGeneration: 1,
    ...(recorded && { revision: recorded.revision, tokenID: recorded.made.tokenID }),
    previous: superseded,
  };
  const seen = { ...token, status };
  if (object === 'another') return { ...seen, metadata: { ...seen.metadata, uid: 'another' } };
  return object === 'deleting' ? deleting(seen) : seen;
}

holdToContract<Made>('jwt', async () => {
  const [made, others] = await Promise.all([generateSigningKey('ES256'), generateSigningKey('ES256')]);
  const { key } = await importSigningKey(made.privateKey, 'ES256');
  return {
    mint: async revision => {
      const tokenID = newTokenID(tokenUID, revision);
      const { name, namespace = '', uid } = token.metadata;
      const jwt = await signBotToken(key, { issuerURL, tokenID, token: { namespace, name, uid }, inputs });
      return { revision, made: { tokenID, jwt } };
    },
    admits: async ({ made: { jwt } }, seen, now) => {
      // One that was made anew has keys of its own.
      const published = [(seen.issuer === 'another' ? others : made).publicJWK];
      const keys = createLocalJWKSet({ keys: published });
      const verified = await verifyBotToken(jwt.reveal(), { issuerURL, published, keys }, now);
      if (!verified.valid) return false;
      const { inSecret, principal } = seen;
      const bars = { disabled: { disabled: true }, ended: { notAfter: now.toISOString() } };
      const evidence = {
        token: tokenSeen(seen),
        botUser: principal === undefined ? botUser : { ...botUser, spec: { ...botUser.spec, ...bars[principal] } },
        issuer: seen.issuer === 'gone' ? undefined : issuer,
        secret: inSecret && naming(inSecret.made.tokenID, inSecret.owner),
      };
      return isLive(verified.claims, evidence, now).live === true;
    },
  };
});
