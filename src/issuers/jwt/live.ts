import type { BotToken } from '../../api/bot-token.ts';
import type { BotUser } from '../../api/bot-user.ts';
import type { ClusterTokenIssuer } from '../../api/cluster-token-issuer.ts';
import { ownerUIDAnnotation, tokenIDAnnotation } from '../../api/names.ts';
import { isPast } from '../../api/object.ts';
import { parseTokenID } from '../token-id.ts';
import type { BotTokenClaims } from './claims.ts';

/** The metadata of the Secret that a BotToken's spec names. Its values are never needed here. */
export interface SecretMetadata {
  metadata: { annotations?: Record<string, string> | undefined };
}

/** What is known of the objects behind a token; what is left out is not known. */
export interface Evidence {
  token?: BotToken | undefined;
  botUser?: BotUser | undefined;
  issuer?: ClusterTokenIssuer | undefined;
  secret?: SecretMetadata | undefined;
}

export type Liveness =
  | { live: true }
  | { live: false; because: DeadBecause }
  /** This evidence cannot settle it: to be asked again with what the API server says now. If that cannot either, the token is dead. */
  | { live: 'unread' };

export type DeadBecause =
  | 'TokenIDInvalid'
  | 'Expired'
  | 'IssuerNotFound'
  | 'BotTokenDeleted'
  | 'Revoked'
  | 'BotUserDeleted'
  | 'BotUserDisabled'
  | 'BotUserEnded'
  | 'Superseded';

/**
 * Whether a token is live: recorded, or in its overlap, or named by the Secret with a revision above the recorded one
 * (then the record is still to come), and nothing behind it is revoked or on its way out. The claims must have been verified.
 *
 * A cache may lag, so only what cannot turn round counts against a token there: a deletion, a revocation, a record that has
 * gone past its revision. An object that is not known, or has another UID, and a revision that is not recorded yet, are `unread`.
 */
export function isLive(claims: BotTokenClaims, seen: Evidence, now: Date): Liveness {
  return endOf(claims, now) ?? endOfIssuer(seen) ?? endOfOwners(claims, seen, now) ?? standing(claims, seen, now);
}

function endOf({ exp }: BotTokenClaims, now: Date): Liveness | undefined {
  return exp !== undefined && now.getTime() >= exp * 1000 ? dead('Expired') : undefined;
}

/** One that is being deleted is there until the last credential that depends on it has ended. */
function endOfIssuer({ issuer }: Evidence): Liveness | undefined {
  return issuer === undefined ? dead('IssuerNotFound') : undefined;
}

/** UIDs decide: under the same name may stand an object that was made later, or, in a cache that lags, one that was there before. */
function endOfOwners(claims: BotTokenClaims, { token, botUser }: Evidence, now: Date): Liveness | undefined {
  const { uid, botUser: user } = claims['botmint.dev'];
  const tokenKnown = token?.metadata.uid === uid;
  const userKnown = botUser?.metadata.uid === user.uid;
  if (tokenKnown && isDeleting(token)) return dead('BotTokenDeleted');
  if (tokenKnown && token.spec.revoked === true) return dead('Revoked');
  if (userKnown && isDeleting(botUser)) return dead('BotUserDeleted');
  // These two may turn round. The cache is asked all the same: a disabled bot that keeps trying must not cost a read each time.
  if (userKnown && botUser.spec.disabled === true) return dead('BotUserDisabled');
  if (userKnown && isPast(botUser.spec.notAfter, now)) return dead('BotUserEnded');
  return tokenKnown && userKnown ? undefined : { live: 'unread' };
}

function standing(claims: BotTokenClaims, { token, secret }: Evidence, now: Date): Liveness {
  const id = parseTokenID(claims.jti);
  if (id === undefined || id.uid !== claims['botmint.dev'].uid) return dead('TokenIDInvalid');
  const { tokenID, revision = 0, previous = [] } = token?.status ?? {};
  if (claims.jti === tokenID) return { live: true };
  if (previous.some(old => old.tokenID === claims.jti && now.getTime() < Date.parse(old.revokeAt)))
    return { live: true };
  if (id.revision <= revision) return dead('Superseded');
  return names(secret, claims) ? { live: true } : { live: 'unread' };
}

function names(secret: SecretMetadata | undefined, claims: BotTokenClaims): boolean {
  const annotations = secret?.metadata.annotations ?? {};
  return annotations[ownerUIDAnnotation] === claims['botmint.dev'].uid && annotations[tokenIDAnnotation] === claims.jti;
}

function isDeleting(object: { metadata: { deletionTimestamp?: string | undefined } }): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

function dead(because: DeadBecause): Liveness {
  return { live: false, because };
}
