import { type ClusterTokenIssuer, clusterTokenIssuerKind, type IssuerOf } from '../api/cluster-token-issuer.ts';
import { permissions } from '../api/permissions.ts';
import { type RobotAccount, robotAccountKind } from '../api/robot-account.ts';
import type { PrincipalSeen } from '../decide/credential-seen.ts';
import { isSuspended, uidOf } from '../decide/grant.ts';
import { robotAccounts } from '../decide/robot-account.ts';
import { robotGrant } from '../decide/robot-grant.ts';
import { type Claim, holderOf } from '../decide/robot-name.ts';
import { accountKeyOf } from '../issuers/registry/live.ts';
import { withoutEffect } from '../issuers/registry/permissions.ts';
import type { Verifiers } from '../issuers/registry/verifiers.ts';
import type { Outcome } from '../kube/controller.ts';
import type { Key } from '../kube/objects.ts';
import { type Caches, claimantsOf, issuerSeen, labelsOf } from './caches.ts';
import { Credentials, type CredentialsOptions } from './credentials.ts';
import { Kept } from './kept.ts';
import { type RobotMintingOptions, robotMinting, robotRemaking } from './robot-minting.ts';
import { RobotSources } from './robot-sources.ts';
import type { World } from './world.ts';

/** How often the Secret of an own secret is looked at: no watch covers it. */
const sourcePollMilliseconds = 30_000;

/** The same for every registry. */
const ineffective = withoutEffect(permissions);

export interface RobotAccountsOptions
  extends Omit<RobotMintingOptions, 'world' | 'sources'>,
    Pick<CredentialsOptions<RobotAccount>, 'statusLists' | 'handOver'> {
  /** Reads the keys of verifiers live. */
  refreshKeys: (signal: AbortSignal) => Promise<void>;
}

/** The controller of RobotAccounts: each speaks for itself, and its issuer checks its secret. */
export class RobotAccounts {
  readonly #world: World;
  readonly #issuers: Kept<ClusterTokenIssuer>;
  readonly #sources: RobotSources;
  readonly #credentials: Credentials<RobotAccount>;
  readonly #verifiers: Verifiers;

  constructor(world: World, o: RobotAccountsOptions) {
    const { client, caches } = world;
    this.#world = world;
    this.#issuers = new Kept(client, clusterTokenIssuerKind, caches.issuers);
    this.#sources = new RobotSources(client, o.verifiers);
    this.#verifiers = o.verifiers;
    this.#credentials = new Credentials(world, {
      ...o,
      kind: robotAccounts,
      resource: robotAccountKind,
      store: caches.robots,
      claimants: claimantsOf(caches),
      mint: robotMinting({ ...o, world, sources: this.#sources }),
      remake: robotRemaking(o.verifiers),
      principal: robot => this.#self(robot),
      refresh: async (what, robot, signal) => {
        if (what === 'issuer') await this.#issuers.refresh({ name: robot.spec.issuerRef.name }, signal);
        else await o.refreshKeys(signal); // it speaks for itself, and no cache has these
      },
    });
    caches.robots.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) this.#sources.forget(before.metadata.uid);
    });
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const robot = this.#world.caches.robots.get(key);
    if (robot !== undefined) await this.#sources.look(robot, signal);
    const outcome = await this.#credentials.reconcile(key, signal);
    return robot?.spec.secret.valueFrom === undefined ? outcome : this.#lookAgain(outcome);
  }

  #lookAgain(outcome: Outcome): Outcome {
    const time = new Date(this.#world.clock.now().getTime() + sourcePollMilliseconds);
    return outcome.next === 'at' && outcome.time < time ? outcome : { next: 'at', time };
  }

  #self(robot: RobotAccount): PrincipalSeen {
    const { caches, clock } = this.#world;
    const now = clock.now();
    const rivals = caches.robots.byIndex('account', accountKeyOf(robot)).filter(rival => rival !== robot);
    const seen = {
      ...issuerSeen(caches, robot),
      rivals: rivals.map(rival => claimOf(caches, rival)),
      source: this.#sources.seen(robot),
      withoutEffect: ineffective,
    };
    const grant = robotGrant(robot, seen, now);
    return {
      state: 'self',
      suspended: isSuspended(robot, now),
      issuerUID: uidOf(seen),
      grant,
      verifierKeys: this.#verifiers,
    };
  }
}

/** Who of several robots of one full name has it: the answer that their conditions give, for who looks an account up. */
export function holderIn(caches: Caches) {
  return (robots: readonly RobotAccount[], issuer: IssuerOf<'registry'>): RobotAccount | undefined =>
    holderOf(
      robots.map(robot => claimOf(caches, robot)),
      issuer,
    );
}

function claimOf({ namespaces }: Caches, robot: RobotAccount): Claim {
  return { robot, namespaceLabels: labelsOf(namespaces, robot.metadata.namespace) };
}
