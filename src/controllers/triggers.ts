import { isDeepStrictEqual } from 'node:util';
import type { BotToken } from '../api/bot-token.ts';
import type { BotUser } from '../api/bot-user.ts';
import { type ClusterTokenIssuer, isOfType } from '../api/cluster-token-issuer.ts';
import type { Credentialed } from '../api/credentialed.ts';
import { managedLabel, managedSigningKey, ownerAnnotation } from '../api/names.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import { standingOf } from '../decide/bot-token-grant.ts';
import { issuerInUse } from '../decide/credential-record.ts';
import { claimsSecret } from '../decide/credential-seen.ts';
import { issuedAt } from '../decide/robot-name.ts';
import { accountKeyOf } from '../issuers/registry/live.ts';
import type { Controller } from '../kube/controller.ts';
import type { Metadata } from '../kube/core-kinds.ts';
import { type KubeObject, keyOf } from '../kube/objects.ts';
import { botUserKeyOf, type Caches, isOwnedBy, secretKeyOf, usernameKeyOf } from './caches.ts';
import { connectCopies, waking } from './copy-triggers.ts';

export interface Controllers {
  tokens: Pick<Controller, 'add'>;
  robots: Pick<Controller, 'add'>;
  botUsers: Pick<Controller, 'add'>;
  issuers: Pick<Controller, 'add'>;
  revocations: Pick<Controller, 'add'>;
}

/** `status.activeTokens` follows its tokens after so long: a courtesy, for which a wave of tokens over many bots must not pay. */
const countAfterMilliseconds = 5000;

/** What a change of one object gives to look at again. Only that: what is to be done is decided from the state. */
export function connect(caches: Caches, controllers: Controllers): void {
  caches.tokens.onChange(({ before, after }) => tokenChanged(caches, controllers, before, after));
  caches.robots.onChange(({ before, after }) => robotChanged(caches, controllers, before, after));
  caches.botUsers.onChange(({ before, after }) => botUserChanged(caches, controllers, before, after));
  caches.issuers.onChange(({ before, after }) => issuerChanged(caches, controllers, before, after));
  connectUnreadables(caches, controllers);
  connectBrokenLists(caches, controllers);
  connectCopies(caches, [
    waking({ store: caches.tokens, add: token => addToken(controllers, token) }),
    waking({ store: caches.robots, add: robot => addRobot(controllers, robot) }),
  ]);
  // A list that is new, or gone: one that somebody edited, restored or deleted looks like that.
  caches.statusLists.onChange(({ before, after }) => {
    const uid = (before === undefined ? after : after === undefined ? before : undefined)?.issuerUID;
    for (const token of uid === undefined ? [] : caches.tokens.byIndex('issuerUID', uid)) addToken(controllers, token);
    const issuer = uid === undefined ? undefined : caches.issuers.byUID(uid);
    if (issuer !== undefined) controllers.issuers.add(keyOf(issuer));
  });
  caches.revocations.onChange(({ after }) => after && controllers.revocations.add(keyOf(after)));
  caches.namespaces.onChange(({ before, after }) => {
    const object = after ?? before;
    if (object === undefined || isDeepStrictEqual(before?.metadata.labels, after?.metadata.labels)) return;
    for (const botUser of caches.botUsers.byIndex('namespace', object.metadata.name))
      wakeBotUser(caches, controllers, botUser);
    for (const robot of caches.robots.byIndex('namespace', object.metadata.name)) wakeName(caches, controllers, robot);
    // Those that refer to a BotUser of another namespace, which may let this one in by its labels.
    for (const token of caches.tokens.values())
      if (token.metadata.namespace === object.metadata.name && token.spec.botUserRef.namespace !== undefined)
        addToken(controllers, token);
  });
  caches.secrets.onChange(({ before, after }) => {
    const secret = after ?? before;
    if (secret === undefined) return;
    for (const issuer of issuersOf(caches, [before, after])) controllers.issuers.add(issuer);
    addClaimants(caches, controllers, keyOf(secret));
  });
}

/** What cannot be read, or could not until it went: itself, to say so, and all that refers to it. */
function connectUnreadables(caches: Caches, controllers: Controllers): void {
  caches.tokens.onUnreadable(token => controllers.tokens.add(keyOf(token)));
  caches.robots.onUnreadable(robot => controllers.robots.add(keyOf(robot)));
  caches.revocations.onUnreadable(revocation => controllers.revocations.add(keyOf(revocation)));
  caches.botUsers.onUnreadable(botUser => {
    controllers.botUsers.add(keyOf(botUser));
    for (const token of caches.tokens.byIndex('botUser', keyOf(botUser))) addToken(controllers, token);
  });
  caches.issuers.onUnreadable(issuer => {
    controllers.issuers.add(keyOf(issuer));
    for (const botUser of caches.botUsers.byIndex('issuer', issuer.metadata.name))
      wakeBotUser(caches, controllers, botUser);
    for (const robot of caches.robots.byIndex('issuer', issuer.metadata.name)) addRobot(controllers, robot);
  });
}

/** A list that cannot be read: its issuer says so. */
function connectBrokenLists({ statusLists, issuers }: Caches, controllers: Controllers): void {
  statusLists.onUnreadable(list => {
    for (const issuer of issuers.values())
      if (isOwnedBy(list, issuer.metadata.uid)) controllers.issuers.add(keyOf(issuer));
  });
}

/** First issues go before renewals and everything else: somebody is waiting for them. */
export function addCredential(controller: Pick<Controller, 'add'>, object: Credentialed): void {
  controller.add(keyOf(object), { priority: object.status?.tokenID === undefined ? 'first' : 'normal' });
}

function addToken({ tokens }: Controllers, token: BotToken): void {
  addCredential(tokens, token);
}

function addRobot({ robots }: Controllers, robot: RobotAccount): void {
  addCredential(robots, robot);
}

/** All that name a Secret. */
function addClaimants(caches: Caches, controllers: Controllers, secret: string, except?: Credentialed): void {
  for (const token of caches.tokens.byIndex('secret', secret)) if (token !== except) addToken(controllers, token);
  for (const robot of caches.robots.byIndex('secret', secret)) if (robot !== except) addRobot(controllers, robot);
}

/** What a change of an object with a credential gives to look at again, of every kind: rivals for its Secret, and its issuer. */
function credentialChanged(
  caches: Caches,
  controllers: Controllers,
  before: Credentialed | undefined,
  after: Credentialed | undefined,
): void {
  const object = after ?? before;
  const [had, has] = [before, after].map(each => each !== undefined && claimsSecret(each));
  if (object !== undefined && had !== has) addClaimants(caches, controllers, secretKeyOf(object), object);
  // By the record: whom it speaks for may be gone, or another one.
  const uid = before && issuerInUse(before);
  const issuer = uid === undefined ? undefined : caches.issuers.byUID(uid);
  if (issuer !== undefined && uid !== (after && issuerInUse(after))) controllers.issuers.add(keyOf(issuer));
}

function robotChanged(
  caches: Caches,
  controllers: Controllers,
  before: RobotAccount | undefined,
  after: RobotAccount | undefined,
): void {
  const robot = after ?? before;
  if (robot === undefined) return;
  addRobot(controllers, robot);
  credentialChanged(caches, controllers, before, after);
  // What takes a name, or gives it free: who asks for it and for what, and who is recorded.
  const [was, is] = [before, after].map(each => each && issuedAt(each));
  if (was !== is || !sameWish(before, after)) wakeName(caches, controllers, robot);
}

/** All robots of one full name: one of them has it. */
function wakeName(caches: Caches, controllers: Controllers, robot: RobotAccount): void {
  for (const each of caches.robots.byIndex('account', accountKeyOf(robot))) addRobot(controllers, each);
}

function tokenChanged(
  caches: Caches,
  controllers: Controllers,
  before: BotToken | undefined,
  after: BotToken | undefined,
): void {
  const token = after ?? before;
  if (token === undefined) return;
  addToken(controllers, token);
  credentialChanged(caches, controllers, before, after);
  if (before?.status?.tokenID === after?.status?.tokenID && before?.status?.conditions === after?.status?.conditions)
    return;
  const botUser = caches.botUsers.get(botUserKeyOf(token));
  if (botUser === undefined) return;
  const going = botUser.metadata.deletionTimestamp !== undefined;
  controllers.botUsers.add(keyOf(botUser), { afterMilliseconds: going ? 0 : countAfterMilliseconds });
}

/** The issuers that a Secret holds a key of. The annotation says so before the key is published, the status when somebody took it off. */
function* issuersOf({ issuers }: Caches, versions: readonly (Metadata | undefined)[]): Iterable<string> {
  for (const { metadata } of versions.filter(version => version !== undefined)) {
    if (metadata.labels?.[managedLabel] !== managedSigningKey) continue;
    const [kind, name] = metadata.annotations?.[ownerAnnotation]?.split('/') ?? [];
    if (kind === 'ClusterTokenIssuer' && name !== undefined) yield name;
    for (const issuer of issuers.values())
      if (issuer.status?.keys?.some(({ secretName }) => secretName === metadata.name)) yield issuer.metadata.name;
  }
}

function botUserChanged(
  caches: Caches,
  controllers: Controllers,
  before: BotUser | undefined,
  after: BotUser | undefined,
): void {
  const botUser = after ?? before;
  if (botUser === undefined) return;
  controllers.botUsers.add(keyOf(botUser));
  if (sameWish(before, after)) return;
  wakeBotUser(caches, controllers, botUser);
  for (const rival of caches.botUsers.byIndex('username', usernameKeyOf(botUser))) {
    if (rival !== after) wakeBotUser(caches, controllers, rival);
  }
}

/** A BotUser and the tokens that refer to it. */
function wakeBotUser(caches: Caches, controllers: Controllers, botUser: BotUser): void {
  controllers.botUsers.add(keyOf(botUser));
  for (const token of caches.tokens.byIndex('botUser', keyOf(botUser))) addToken(controllers, token);
}

function issuerChanged(
  caches: Caches,
  controllers: Controllers,
  before: ClusterTokenIssuer | undefined,
  after: ClusterTokenIssuer | undefined,
): void {
  const issuer = after ?? before;
  if (issuer === undefined) return;
  controllers.issuers.add(keyOf(issuer));
  // A new key is nothing to its tokens: they go on with what they have.
  if (sameWish(before, after) && isDeepStrictEqual(standingOf(before), standingOf(after))) return;
  const rivals = isOfType(issuer, 'jwt') ? caches.issuers.byIndex('url', issuer.spec.jwt.issuerURL) : [];
  for (const rival of rivals) controllers.issuers.add(keyOf(rival));
  for (const botUser of caches.botUsers.byIndex('issuer', issuer.metadata.name))
    wakeBotUser(caches, controllers, botUser);
  for (const robot of caches.robots.byIndex('issuer', issuer.metadata.name)) addRobot(controllers, robot);
}

/** The same object with the same spec, neither of them newly on its way out: a mere status change wakes nobody else. */
function sameWish(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  const [x, y] = [before?.metadata, after?.metadata];
  return x?.uid === y?.uid && x?.generation === y?.generation && x?.deletionTimestamp === y?.deletionTimestamp;
}
