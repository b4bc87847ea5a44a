import type { BotToken } from '../api/bot-token.ts';
import type { BotUser } from '../api/bot-user.ts';
import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { type Reason, timestamp, type Verdict } from '../api/conditions.ts';
import { replaceAnnotation, rotateAnnotation } from '../api/names.ts';
import { excessOf } from './limits.ts';
import { allowsNamespace, type Labels } from './selector.ts';
import { wholeSeconds } from './times.ts';

/** What a credential should be made from, by the spec of the moment. */
export interface Wish {
  username: string;
  issuer: { kind: 'ClusterTokenIssuer'; name: string; uid: string };
  botUser: { namespace: string; name: string; uid: string };
  expiresIn: string;
  audiences: readonly string[];
  /** True when the token names no audience and takes the issuer's first: a later change of that default is no new wish. */
  audiencesDefaulted: boolean;
  scopes: readonly string[];
  identities: readonly { service: string; id: string }[];
  /** The end of the BotUser, where it has one. */
  notAfter: string | undefined;
  /** The values of the annotations that ask for a new credential. */
  rotate: string | undefined;
  replace: string | undefined;
  /** The ids of keys that may have leaked: it must not be signed with any of them. */
  withdrawnKeys: readonly string[];
}

/** Whether an object may be served now. `blocked` says why not, as the conditions will say it. */
export type Grant<T> =
  | { allowed: true; value: T }
  /** `wish`: what was refused, where it was asked for and is above a ceiling. */
  | { allowed: false; blocked: Verdict & { state: 'reconciling' | 'stalled' }; wish?: Wish };

export interface IssuerSeen {
  /** `unreadable`: it is there, in a form that this version does not know. */
  issuer: ClusterTokenIssuer | 'unreadable' | undefined;
  /** The labels of the BotUser's namespace, undefined while the namespace is not known. */
  namespaceLabels: Labels | undefined;
}

/** Whether a BotUser may be used: its end, its issuer, its namespace and its username. `rivals` are the other BotUsers of that username. */
export function botUserGrant(
  botUser: BotUser,
  rivals: readonly BotUser[],
  seen: IssuerSeen,
  now: Date,
): Grant<ClusterTokenIssuer> {
  const { issuerRef, notAfter } = botUser.spec;
  if (hasEnded(botUser, now)) {
    return stalls('Expired', `spec.notAfter ${notAfter} has passed: move it, and new tokens are issued`);
  }
  const { issuer } = seen;
  const name = `ClusterTokenIssuer ${issuerRef.name}`;
  if (issuer === undefined) return waits('IssuerNotFound', `${name} does not exist; spec.issuerRef names it`);
  if (issuer === 'unreadable') return waits('UnknownFormat', `${name} is in a form that this version does not know`);
  if (issuer.metadata.deletionTimestamp !== undefined) return waits('IssuerDeleted', `${name} is being deleted`);
  if (!allowsNamespace(issuer.spec.allowedNamespaces, seen.namespaceLabels)) {
    return stalls(
      'NamespaceNotAllowed',
      `${name} does not allow the namespace ${botUser.metadata.namespace}: its owner can add it to spec.allowedNamespaces`,
    );
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
): Grant<Wish> {
  const own = botUserBars(token, botUser, seen);
  if (own !== undefined) return own;
  const bot = botUserGrant(botUser, rivals, seen, now);
  if (!bot.allowed) return botUserBlocks(botUser, bot.blocked);
  const issuer = bot.value;
  const { stalled, signs } = standingOf(issuer);
  if (stalled !== undefined) {
    return waits('IssuerNotReady', `ClusterTokenIssuer ${issuer.metadata.name} is stalled: ${stalled}`);
  }
  if (!signs) {
    return waits('IssuerNotReady', `ClusterTokenIssuer ${issuer.metadata.name} has not published a signing key yet`);
  }
  const wish = wishOf(token, botUser, issuer);
  const excess =
    audienceExcess(wish, issuer) ?? excessOf({ ...wish, namespace: wish.botUser.namespace }, issuer.spec.limits);
  if (excess === undefined) return { allowed: true, value: wish };
  const says =
    `${excess.field} asks for ${excess.wish}, ClusterTokenIssuer ${issuer.metadata.name} allows ${excess.ceiling}: ` +
    'ask for less, or have the ceiling raised';
  return { allowed: false, blocked: { state: 'stalled', reason: 'ExceedsIssuerLimit', message: says }, wish };
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

/** Whether no token of a BotUser works for now, as everybody is told who asks: what its spec says may turn round. */
export function isSuspended(botUser: BotUser, now: Date): boolean {
  return botUser.spec.disabled === true || hasEnded(botUser, now);
}

function hasEnded({ spec }: BotUser, now: Date): boolean {
  return spec.notAfter !== undefined && Date.parse(spec.notAfter) <= now.getTime();
}

function wishOf(token: BotToken, botUser: BotUser, issuer: ClusterTokenIssuer): Wish {
  const { audiences, scopes, expiresIn } = token.spec;
  const { notAfter } = botUser.spec;
  const { [rotateAnnotation]: rotate, [replaceAnnotation]: replace } = token.metadata.annotations ?? {};
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
    notAfter: notAfter === undefined ? undefined : timestamp(wholeSeconds(new Date(notAfter))),
    rotate: rotate || undefined,
    replace: replace || undefined,
    withdrawnKeys: standingOf(issuer).withdrawnKeys,
  };
}

function audienceExcess(wish: Wish, issuer: ClusterTokenIssuer) {
  const allowed = issuer.spec.jwt.audiences;
  const foreign = wish.audiences.find(audience => !allowed.includes(audience));
  if (foreign === undefined) return undefined;
  return { field: 'spec.audiences', wish: foreign, ceiling: `jwt.audiences [${allowed.join(', ')}]` };
}

/** The effective username: what `spec.username` says, else the object's name. */
export function usernameOf(botUser: BotUser): string {
  return botUser.spec.username ?? botUser.metadata.name;
}

/** Creation order, and the smaller UID where two were created in the same second. */
export function isOlder(
  a: BotUser | BotToken | ClusterTokenIssuer,
  b: BotUser | BotToken | ClusterTokenIssuer,
): boolean {
  const [x, y] = [a.metadata, b.metadata];
  if (x.creationTimestamp !== y.creationTimestamp) return x.creationTimestamp < y.creationTimestamp;
  return x.uid < y.uid;
}

function botUserBlocks(botUser: BotUser, blocked: Verdict): Grant<never> {
  const message = `BotUser ${botUser.metadata.name} cannot be used (${blocked.reason}): ${blocked.message}`;
  // Whether it goes on by itself is the BotUser's matter; for the token it does, the moment the BotUser can be used.
  const passedOn: Reason[] = ['NamespaceNotAllowed', 'IssuerNotFound', 'IssuerDeleted', 'UnknownFormat', 'Expired'];
  const reason = passedOn.includes(blocked.reason) ? blocked.reason : 'BotUserNotReady';
  return blocked.state === 'stalled' ? stalls(reason, message) : waits(reason, message);
}

function waits(reason: Reason, message: string): Grant<never> {
  return { allowed: false, blocked: { state: 'reconciling', reason, message } };
}

function stalls(reason: Reason, message: string): Grant<never> {
  return { allowed: false, blocked: { state: 'stalled', reason, message } };
}
