import type { BotToken } from '../api/bot-token.ts';
import type { BotUser } from '../api/bot-user.ts';
import { type ClusterTokenIssuer, type IssuerOf, isOfType } from '../api/cluster-token-issuer.ts';
import type { Reason, Verdict } from '../api/conditions.ts';
import { isOlder } from '../api/object.ts';
import {
  askedBy,
  exceeds,
  type Grant,
  hasEnded,
  type IssuerSeen,
  isReadable,
  issuerGrant,
  stalledIssuer,
  stalls,
  type TokenWish,
  waits,
  wholeEnd,
} from './grant.ts';
import { excessOf } from './limits.ts';
import { namesHost } from './secret-data.ts';
import { allowsNamespace, type Labels } from './selector.ts';

/** Whether a BotUser may be used: its end, its issuer, its namespace and its username, of which `rivals` are the other BotUsers. */
export function botUserGrant(
  botUser: BotUser,
  rivals: readonly BotUser[],
  seen: IssuerSeen,
  now: Date,
): Grant<IssuerOf<'jwt'>> {
  const { issuerRef, notAfter } = botUser.spec;
  if (hasEnded(botUser, now)) {
    return stalls('Expired', `spec.notAfter ${notAfter} has passed: move it, and new tokens are issued`);
  }
  const found = issuerGrant(issuerRef.name, botUser.metadata.namespace, seen);
  if (!found.allowed) return found;
  const issuer = found.value;
  if (!isOfType(issuer, 'jwt')) {
    const of = `ClusterTokenIssuer ${issuer.metadata.name}`;
    return stalls('UnsupportedByIssuer', `${of} issues no BotTokens: make the BotUser anew with an issuer of type jwt`);
  }
  const first = rivals.find(rival => isOlder(rival, botUser));
  if (first !== undefined) {
    const username = usernameOf(botUser);
    return stalls(
      'UsernameTaken',
      `the older BotUser ${first.metadata.name} has the username ${username}: delete it, or make this one anew with another spec.username`,
    );
  }
  return { allowed: true, value: issuer };
}

export interface TokenSeen extends IssuerSeen {
  /** The labels of the token's namespace: asked for only where the BotUser is in another one. */
  tokenNamespaceLabels?: Labels | undefined;
}

/** Whether a token may be issued for a BotUser, and from what. */
export function tokenGrant(
  token: BotToken,
  botUser: BotUser,
  rivals: readonly BotUser[],
  seen: TokenSeen,
  now: Date,
): Grant<TokenWish> {
  const found = usable(token, botUser, rivals, seen, now);
  if (!found.allowed) return { ...found, ...refused(token, botUser, seen) };
  const issuer = found.value;
  const wish = wishOf(token, botUser, issuer);
  const excess =
    audienceExcess(wish, issuer) ?? excessOf({ ...wish, namespace: wish.botUser.namespace }, issuer.spec.limits);
  return excess === undefined ? { allowed: true, value: wish } : exceeds(excess, issuer, wish);
}

/** What is wished for, where its issuer is there. */
function refused(token: BotToken, botUser: BotUser, { issuer }: TokenSeen): { wish?: TokenWish } {
  return isReadable(issuer) && isOfType(issuer, 'jwt') ? { wish: wishOf(token, botUser, issuer) } : {};
}

/** The BotUser and its issuer, whatever is wished for. */
function usable(
  token: BotToken,
  botUser: BotUser,
  rivals: readonly BotUser[],
  seen: TokenSeen,
  now: Date,
): Grant<IssuerOf<'jwt'>> {
  const own = botUserBars(token, botUser, seen);
  if (own !== undefined) return own;
  const bot = botUserGrant(botUser, rivals, seen, now);
  if (!bot.allowed) return botUserBlocks(botUser, bot.blocked);
  const issuer = bot.value;
  const { stalled, signs } = standingOf(issuer);
  if (stalled !== undefined) return stalledIssuer(issuer, stalled);
  if (!signs) {
    return waits('IssuerNotReady', `ClusterTokenIssuer ${issuer.metadata.name} has not published a signing key yet`);
  }
  const entry = token.spec.secret.data.find(namesHost);
  if (entry !== undefined) {
    const of = `ClusterTokenIssuer ${issuer.metadata.name}`;
    return stalls('UnsupportedByIssuer', `spec.secret.data ${entry.key} names a host, and ${of} has none: take it out`);
  }
  return bot;
}

/** All that tokens have to do with in the status of their issuer: why it is stalled, whether it signs, which keys are stopped. */
export function standingOf(issuer: ClusterTokenIssuer | undefined) {
  const { conditions, keys, withdrawnKeys = [] } = issuer?.status ?? {};
  return {
    stalled: conditions?.find(({ type, status }) => type === 'Stalled' && status === 'True')?.message,
    signs: keys?.some(({ state }) => state === 'Active') === true,
    withdrawnKeys: withdrawnKeys.map(({ kid }) => kid),
  };
}

/** What the BotUser itself says against this token. */
function botUserBars(token: BotToken, { metadata, spec }: BotUser, seen: TokenSeen): Grant<never> | undefined {
  const { namespace = '' } = token.metadata;
  const name = `BotUser ${metadata.name} in namespace ${metadata.namespace}`;
  if (namespace !== metadata.namespace && !allowsNamespace(spec.allowedNamespaces, seen.tokenNamespaceLabels)) {
    const remedy = 'its owner can let it in by spec.allowedNamespaces';
    return stalls('NamespaceNotAllowed', `${name} does not allow BotTokens of the namespace ${namespace}: ${remedy}`);
  }
  if (spec.disabled !== true) return undefined;
  return stalls('BotUserDisabled', `${name} is disabled: no token of it works until spec.disabled is false`);
}

function wishOf(token: BotToken, botUser: BotUser, issuer: IssuerOf<'jwt'>): TokenWish {
  const { audiences, scopes, expiresIn } = token.spec;
  const { notAfter } = botUser.spec;
  const fallback = issuer.spec.jwt.audiences.slice(0, 1);
  return {
    username: usernameOf(botUser),
    issuer: { kind: 'ClusterTokenIssuer', name: issuer.metadata.name, uid: issuer.metadata.uid },
    botUser: { namespace: botUser.metadata.namespace ?? '', name: botUser.metadata.name, uid: botUser.metadata.uid },
    expiresIn,
    audiences: audiences ?? fallback,
    audiencesDefaulted: audiences === undefined,
    scopes: scopes ?? [],
    identities: (botUser.spec.identities ?? []).map(({ service, id }) => ({ service, id })),
    notAfter: wholeEnd(notAfter),
    ...askedBy(token),
    withdrawnKeys: standingOf(issuer).withdrawnKeys,
  };
}

function audienceExcess(wish: TokenWish, issuer: IssuerOf<'jwt'>) {
  const allowed = issuer.spec.jwt.audiences;
  const foreign = wish.audiences.find(audience => !allowed.includes(audience));
  if (foreign === undefined) return undefined;
  return { field: 'spec.audiences', wish: foreign, ceiling: `jwt.audiences [${allowed.join(', ')}]` };
}

/** The effective username: what `spec.username` says, else the object's name. */
export function usernameOf(botUser: BotUser): string {
  return botUser.spec.username ?? botUser.metadata.name;
}

function botUserBlocks(botUser: BotUser, blocked: Verdict): Grant<never> {
  const message = `BotUser ${botUser.metadata.name} cannot be used (${blocked.reason}): ${blocked.message}`;
  // Whether it goes on by itself is the BotUser's matter; for the token it does, the moment the BotUser can be used.
  const passedOn: Reason[] = [
    'NamespaceNotAllowed',
    'IssuerNotFound',
    'IssuerDeleted',
    'UnsupportedByIssuer',
    'UnknownFormat',
    'Expired',
  ];
  const reason = passedOn.includes(blocked.reason) ? blocked.reason : 'BotUserNotReady';
  return blocked.state === 'stalled' ? stalls(reason, message) : waits(reason, message);
}
