import { type BotToken, botTokenKind } from '../api/bot-token.ts';
import { type BotUser, botUserKind } from '../api/bot-user.ts';
import { type ClusterTokenIssuer, clusterTokenIssuerKind, isOfType } from '../api/cluster-token-issuer.ts';
import type { Credentialed } from '../api/credentialed.ts';
import { managedLabel, managedStatusList, ownerUIDAnnotation } from '../api/names.ts';
import { type Revocation, revocationKind } from '../api/revocation.ts';
import { type RobotAccount, robotAccountKind } from '../api/robot-account.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { usernameOf } from '../decide/bot-token-grant.ts';
import { issuerInUse, recordOf } from '../decide/credential-record.ts';
import { secretNameOf } from '../decide/credential-seen.ts';
import type { IssuerSeen } from '../decide/grant.ts';
import { accountKeyOf } from '../issuers/registry/live.ts';
import type { Client } from '../kube/client.ts';
import { type Metadata, namespaces, secretMetadata } from '../kube/core-kinds.ts';
import { type Key, type KubeObject, keyOf, type Ref } from '../kube/objects.ts';
import { Reflector } from '../kube/reflector.ts';
import { Store } from '../kube/store.ts';
import { copyIndexes, copyingIndexes } from './copy-triggers.ts';
import { ServiceAccounts } from './service-accounts.ts';
import { type StatusShard, statusShards } from './status-shard.ts';

const statusListLabel = `${managedLabel}=${managedStatusList}`;

type Following = Pick<Reflector<KubeObject>, 'run' | 'whenSynced' | 'synced' | 'age'>;

/** Those that follow the cluster from the start. */
export type CacheName =
  | 'tokens'
  | 'robots'
  | 'botUsers'
  | 'issuers'
  | 'namespaces'
  | 'secrets'
  | 'revocations'
  | 'statusLists';

/** What the operator knows of the cluster. Of Secrets only metadata, and only of those with botmint's label. */
export class Caches {
  readonly tokens = new Store<BotToken>({
    botUser: token => [botUserKeyOf(token)],
    secret: token => [secretKeyOf(token)],
    issuerUID: token => issuerUIDs(token),
    ...copyingIndexes,
  });
  readonly robots = new Store<RobotAccount>({
    secret: robot => [secretKeyOf(robot)],
    issuer: robot => [robot.spec.issuerRef.name],
    issuerUID: robot => issuerUIDs(robot),
    account: robot => [accountKeyOf(robot)],
    namespace: robot => [robot.metadata.namespace ?? ''],
    ...copyingIndexes,
  });
  readonly botUsers = new Store<BotUser>({
    issuer: botUser => [botUser.spec.issuerRef.name],
    username: botUser => [usernameKeyOf(botUser)],
    namespace: botUser => [botUser.metadata.namespace ?? ''],
  });
  readonly issuers = new Store<ClusterTokenIssuer>({
    url: issuer => (isOfType(issuer, 'jwt') ? [issuer.spec.jwt.issuerURL] : []),
  });
  readonly namespaces = new Store<KubeObject>({});
  readonly secrets = new Store<Metadata>(copyIndexes);
  /** Of the operator's namespace alone: one in another namespace is nobody's wish. */
  readonly revocations = new Store<Revocation>({ owner: ({ spec }) => [spec.owner.uid] });
  readonly statusLists = new Store<StatusShard>({ issuer: ({ issuerUID }) => [issuerUID] });
  /** Empty until an object names one. */
  readonly accounts: ServiceAccounts;
  readonly #reflectors: Readonly<Record<CacheName, Following>>;

  constructor({ namespace, ...o }: { client: Client; namespace: string; log: Log; clock: Clock }) {
    this.accounts = new ServiceAccounts(o);
    this.#reflectors = {
      tokens: new Reflector({ ...o, resource: botTokenKind, store: this.tokens }),
      robots: new Reflector({ ...o, resource: robotAccountKind, store: this.robots }),
      botUsers: new Reflector({ ...o, resource: botUserKind, store: this.botUsers }),
      issuers: new Reflector({ ...o, resource: clusterTokenIssuerKind, store: this.issuers }),
      namespaces: new Reflector({ ...o, resource: namespaces, store: this.namespaces, metadataOnly: true }),
      secrets: new Reflector({ ...o, resource: secretMetadata, store: this.secrets, labelSelector: managedLabel }),
      revocations: new Reflector({ ...o, resource: revocationKind, store: this.revocations, namespace }),
      statusLists: new Reflector({
        ...o,
        resource: statusShards,
        store: this.statusLists,
        namespace,
        labelSelector: statusListLabel,
      }),
    };
  }

  /** Follows the cluster until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#all, this.accounts].map(each => each.run(signal)));
  }

  async whenSynced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all.map(reflector => reflector.whenSynced(signal)));
  }

  get synced(): boolean {
    return this.#all.every(reflector => reflector.synced);
  }

  /** Milliseconds since the oldest of these was last proven complete. */
  age(of: readonly CacheName[]): number {
    return Math.max(...of.map(name => this.#reflectors[name].age()));
  }

  get #all(): readonly Following[] {
    return Object.values(this.#reflectors);
  }
}

/** Where the BotUser is that a token refers to. */
export function botUserRefOf({ metadata, spec }: BotToken): Ref {
  return { namespace: spec.botUserRef.namespace ?? metadata.namespace, name: spec.botUserRef.name };
}

/** The BotUser that a token refers to. */
export function botUserKeyOf(token: BotToken): Key {
  return keyOf(botUserRefOf(token));
}

/** The Secret that a spec names. */
export function secretKeyOf(object: Credentialed): Key {
  return keyOf({ namespace: object.metadata.namespace, name: secretNameOf(object) });
}

/** Where the objects are that may name the same Secret. */
export function claimantsOf({ tokens, robots }: Caches) {
  return [
    { kind: 'BotToken', store: tokens },
    { kind: 'RobotAccount', store: robots },
  ] as const;
}

/** What may stand only once: a username at one issuer, within the namespace. */
export function usernameKeyOf(botUser: BotUser): string {
  return `${botUser.spec.issuerRef.name}/${botUser.metadata.namespace}/${usernameOf(botUser)}`;
}

/** Where the index of issuers has the objects whose record cannot be read: no UID is empty. */
export const unknownIssuer = '';

/** The issuer (by UID) on which a credential of the object depends, if it has one. */
function issuerUIDs(object: Credentialed): readonly string[] {
  if (recordOf(object) === 'unknown') return [unknownIssuer];
  const uid = issuerInUse(object);
  return uid === undefined ? [] : [uid];
}

/** What is known of an issuer and of the namespace where a BotUser or RobotAccount wants to use it. */
export function issuerSeen({ issuers, namespaces }: Caches, { metadata, spec }: BotUser | RobotAccount): IssuerSeen {
  const { name } = spec.issuerRef;
  return {
    issuer: issuers.get(name) ?? (issuers.unreadable(name) && 'unreadable'),
    namespaceLabels: labelsOf(namespaces, metadata.namespace),
  };
}

/** The labels of a namespace; undefined while it is not known. */
export function labelsOf(namespaces: Store<KubeObject>, name: string | undefined) {
  const namespace = namespaces.get(name ?? '');
  return namespace && (namespace.metadata.labels ?? {});
}

/** The ConfigMaps of an issuer's status lists that somebody edited into something else, in a fixed order. */
export function brokenLists({ statusLists }: Caches, { metadata }: ClusterTokenIssuer): readonly string[] {
  const own = [...statusLists.unreadables()].filter(list => isOwnedBy(list, metadata.uid));
  return own.map(({ metadata: { name } }) => name).sort();
}

/** By what the metadata says: nothing else of it can be read. */
export function isOwnedBy({ metadata }: KubeObject, uid: string): boolean {
  return metadata.annotations?.[ownerUIDAnnotation] === uid || metadata.ownerReferences?.[0]?.uid === uid;
}
