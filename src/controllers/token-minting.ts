import type { BotToken } from '../api/bot-token.ts';
import { isOfType } from '../api/cluster-token-issuer.ts';
import type { TokenInputs } from '../api/inputs.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Refused, Step } from '../decide/credential-seen.ts';
import { statusListTag } from '../decide/digest.ts';
import { tokenInputsOf } from '../decide/inputs-of.ts';
import { type SigningKey, SigningKeyInvalid } from '../issuers/jwt/keys.ts';
import { signBotToken } from '../issuers/jwt/sign.ts';
import { newTokenID } from '../issuers/token-id.ts';
import { isRefusal, KubeError } from '../kube/errors.ts';
import type { Mint } from './credential-secret.ts';
import { type Minted, rendered } from './secret-writes.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { StatusLists } from './status-lists.ts';
import type { World } from './world.ts';

export interface TokenMintingOptions {
  world: World;
  keys: SigningKeys;
  statusLists: Pick<StatusLists, 'take'>;
  digestKey: SecretValue;
}

/** How tokens are made: signed with the active key of their issuer, each with an index of its status lists. */
export function tokenMinting({ world, keys, statusLists, digestKey }: TokenMintingOptions): Mint<BotToken> {
  return async (token, step, signal) => {
    const issuer = world.caches.issuers.get(step.wish.issuer.name);
    if (issuer?.metadata.uid !== step.wish.issuer.uid || !isOfType(issuer, 'jwt')) return undefined;
    try {
      const key = await keys.active(issuer, signal);
      const statusListIndex = await statusLists.take(issuer, token, signal);
      const { issuerURL } = issuer.spec.jwt;
      return await mint(token, step, { issuerURL, key, statusListIndex, digestKey, now: world.clock.now() });
    } catch (error) {
      const refused = refusalOf(error, issuer.metadata.name);
      if (refused === undefined) throw error;
      if (refused.reason === 'WriteRefused') world.metrics.failed.inc({ reason: refused.reason });
      return { refused };
    }
  };
}

/** No index of the status lists, no token: it could not be revoked for those who verify offline. */
function refusalOf(error: unknown, issuer: string): Refused | undefined {
  if (error instanceof KubeError && isRefusal(error)) {
    const message = `the API server refused a status list of ClusterTokenIssuer ${issuer}: ${error.reason}: ${error.message}`;
    return { operation: 'Write', reason: 'WriteRefused', message };
  }
  if (!(error instanceof SigningKeyInvalid)) return undefined;
  const message = `ClusterTokenIssuer ${issuer} cannot sign: ${error.message}`;
  return { operation: 'Write', reason: 'IssuerNotReady', message };
}

/** Signs a credential for an issue step. Nothing of it is visible to anybody until its Secret is written. */
async function mint(
  token: BotToken,
  step: Step & { do: 'issue' },
  o: { issuerURL: string; key: SigningKey; statusListIndex: number; digestKey: SecretValue; now: Date },
): Promise<Minted> {
  const { name, uid, namespace = '' } = token.metadata;
  const { statusListIndex } = o;
  const tokenID = newTokenID(uid, step.revision);
  const tag = statusListTag({ namespace, tokenID, index: statusListIndex }, o.digestKey);
  const made = tokenInputsOf(token, step, { keyID: o.key.kid, now: o.now });
  const unsigned: TokenInputs = { ...made, statusListIndex, statusListTag: tag };
  const signed = await signBotToken(o.key, {
    issuerURL: o.issuerURL,
    tokenID,
    token: { namespace, name, uid },
    inputs: unsigned,
  });
  return rendered(signed, { revision: step.revision, tokenID, inputs: unsigned }, o.digestKey);
}
