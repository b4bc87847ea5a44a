import { type ClusterTokenIssuer, type IssuerOf, isOfType } from '../api/cluster-token-issuer.ts';
import { parseDuration } from '../api/durations.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import type { Account } from '../issuers/registry/account.ts';
import { accountOf, type SecretMetadata } from '../issuers/registry/live.ts';
import { keyOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import type { RegistryIssuer, RegistryTokenDeps } from './registry-token.ts';

export interface RegistryAccountsOptions {
  issuers: Pick<Store<ClusterTokenIssuer>, 'get' | 'unreadable'>;
  /** With an index `account` by `accountKeyOf`. */
  robots: Pick<Store<RobotAccount>, 'byIndex' | 'unreadables'>;
  secrets: { get(key: string): SecretMetadata | undefined };
}

/** Which of several robots with a secret has their full name, by whoever gives secrets out; undefined for none of them. */
export type Holder = (robots: readonly RobotAccount[], issuer: IssuerOf<'registry'>) => RobotAccount | undefined;

/** What the token endpoint knows of issuers and accounts, straight from the caches. */
export function registryAccounts(
  of: RegistryAccountsOptions,
  holder: Holder,
): Pick<RegistryTokenDeps, 'issuers' | 'accounts'> {
  const accounts = new Accounts(of, holder);
  return {
    issuers: { byName: name => issuerOf(of.issuers.get(name)) ?? (of.issuers.unreadable(name) && 'unreadable') },
    accounts: { byName: (issuer, fullName) => accounts.byName(issuer, fullName) },
  };
}

const issuersSeen = new WeakMap<ClusterTokenIssuer, RegistryIssuer>();

function issuerOf(issuer: ClusterTokenIssuer | undefined): RegistryIssuer | undefined {
  if (issuer === undefined || !isOfType(issuer, 'registry')) return undefined;
  const known = issuersSeen.get(issuer);
  if (known !== undefined) return known;
  const { service, issuer: name, tokenLifetime, anonymous } = issuer.spec.registry;
  const seconds = parseDuration(tokenLifetime);
  const seen = {
    name: issuer.metadata.name,
    service,
    issuer: name,
    tokenLifetimeSeconds: seconds === 'never' ? 300 : seconds, // the schema has no such lifetime
    anonymousProjects: anonymous?.projects ?? [],
  };
  issuersSeen.set(issuer, seen);
  return seen;
}

interface Seen {
  issuerUID: string;
  secret: SecretMetadata | undefined;
  account: Account | undefined;
}

class Accounts {
  readonly #of: RegistryAccountsOptions;
  readonly #holder: Holder;
  /** What was made of a robot and its Secret: both are frozen, so it holds until the cache has others. */
  readonly #seen = new WeakMap<RobotAccount, Seen>();

  constructor(of: RegistryAccountsOptions, holder: Holder) {
    this.#of = of;
    this.#holder = holder;
  }

  byName(issuerName: string, fullName: string): Account | 'unreadable' | undefined {
    const issuer = this.#of.issuers.get(issuerName);
    if (issuer === undefined || !isOfType(issuer, 'registry')) return undefined;
    const { robotPrefix } = issuer.spec.registry;
    if (!fullName.startsWith(robotPrefix)) return undefined;
    const name = fullName.slice(robotPrefix.length);
    const robots = this.#of.robots.byIndex('account', `${issuerName}/${name}`);
    return this.#accountAmong(robots, fullName, issuer) ?? (this.#mayBeUnreadable(name) ? 'unreadable' : undefined);
  }

  /** Of robots that claim one name, one has it, and the others get no secret. Two may have been issued at the same moment, before either was recorded. */
  #accountAmong(robots: readonly RobotAccount[], fullName: string, issuer: IssuerOf<'registry'>): Account | undefined {
    const found = robots.flatMap(robot => {
      const account = this.#accountOf(robot, issuer.metadata.uid);
      return account?.fullName === fullName ? [{ robot, account }] : [];
    });
    if (found.length < 2) return found[0]?.account;
    const all = found.map(({ robot }) => robot);
    const holder = this.#holder(all, issuer);
    return found.find(({ robot }) => robot === holder)?.account;
  }

  /** One that nobody can read is not absent (docs/decisions/0005). Only its metadata is known, and most robots are called as their objects are. */
  #mayBeUnreadable(name: string): boolean {
    const own = name.slice(name.indexOf('+') + 1);
    for (const { metadata } of this.#of.robots.unreadables()) if (metadata.name === own) return true;
    return false;
  }

  #accountOf(robot: RobotAccount, issuerUID: string): Account | undefined {
    const { metadata, spec } = robot;
    const secret = this.#of.secrets.get(
      keyOf({ namespace: metadata.namespace, name: spec.secret.name ?? metadata.name }),
    );
    const known = this.#seen.get(robot);
    if (known !== undefined && known.secret === secret && known.issuerUID === issuerUID) return known.account;
    const account = accountOf(robot, { uid: issuerUID }, secret);
    this.#seen.set(robot, { issuerUID, secret, account });
    return account;
  }
}
