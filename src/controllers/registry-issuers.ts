import {
  type ClusterTokenIssuer,
  clusterTokenIssuerKind,
  type IssuerOf,
  isOfType,
} from '../api/cluster-token-issuer.ts';
import { inUseFinalizer } from '../api/names.ts';
import { type RobotAccount, robotAccountKind } from '../api/robot-account.ts';
import { unreachable } from '../base/errors.ts';
import { dependsOn } from '../decide/credential-record.ts';
import { decide } from '../decide/registry-issuer.ts';
import type { Observed, Step } from '../decide/registry-issuer-seen.ts';
import { earliest } from '../decide/times.ts';
import type { Outcome } from '../kube/controller.ts';
import type { Key } from '../kube/objects.ts';
import { unknownIssuer } from './caches.ts';
import { ChainWrites } from './chain-writes.ts';
import { Kept } from './kept.ts';
import type { SigningChains } from './signing-chains.ts';
import { countLive, restOf, restUntil, Unsettled, type World } from './world.ts';

/** More steps than making and publishing a chain takes, with a conflict at each. */
const mostSteps = 24;

/** Makes, publishes and renews the signing chains of the registry issuers. */
export class RegistryIssuers {
  readonly #world: World;
  readonly #issuers: Kept<ClusterTokenIssuer>;
  readonly #chains: SigningChains;
  readonly #writes: ChainWrites;

  constructor(world: World, chains: SigningChains) {
    this.#world = world;
    this.#issuers = new Kept(world.client, clusterTokenIssuerKind, world.caches.issuers);
    this.#chains = chains;
    this.#writes = new ChainWrites({ ...world, readings: chains.readings });
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const { caches, clock } = this.#world;
    let confirmed: number | undefined;
    for (let steps = 0; steps < mostSteps; steps++) {
      const issuer = caches.issuers.get(key);
      if (issuer === undefined || !isOfType(issuer, 'registry')) return { next: 'on-change' };
      const step = decide(this.#observe(issuer, confirmed), clock.now());
      if (step.do === 'rest') return this.#rest(issuer, step.until);
      if (step.do === 'confirm-credentials') confirmed = await this.#countLive(issuer, signal);
      else await this.#act(issuer, step, signal);
    }
    throw new Unsettled(`ClusterTokenIssuer ${key} did not settle in ${mostSteps} steps`);
  }

  #observe(issuer: IssuerOf<'registry'>, confirmedCredentials: number | undefined): Observed {
    const { robots } = this.#world.caches;
    return {
      issuer,
      ...this.#chains.seen(issuer),
      credentials: robots.byIndex('issuerUID', issuer.metadata.uid).length,
      unknownCredentials: robots.byIndex('issuerUID', unknownIssuer).length + [...robots.unreadables()].length,
      confirmedCredentials,
    };
  }

  async #act(
    issuer: IssuerOf<'registry'>,
    step: Exclude<Step, { do: 'rest' | 'confirm-credentials' }>,
    signal: AbortSignal,
  ): Promise<void> {
    switch (step.do) {
      case 'add-finalizer':
        return this.#issuers.finalize(issuer, inUseFinalizer, signal);
      case 'remove-finalizer':
        await this.#issuers.release(issuer, inUseFinalizer, signal);
        return;
      case 'read':
        await this.#chains.readings.read(issuer.metadata.uid, step.what, signal);
        return;
      case 'make':
        return this.#writes.make(issuer, step.what, signal);
      case 'promote':
        return this.#writes.promote(issuer, signal);
      case 'write-status': {
        const written = await this.#issuers.patchStatus(issuer, step.patch, signal);
        const always = step.because === 'bundle';
        if (written) this.#world.report('ClusterTokenIssuer', issuer, step.verdict, { always, action: 'Reconcile' });
        return;
      }
      default:
        return unreachable(step);
    }
  }

  #rest(issuer: ClusterTokenIssuer, until: Date | undefined): Outcome {
    const outcome = restOf(issuer, this.#world.clock);
    return restUntil(earliest(until, outcome.next === 'at' ? outcome.time : undefined));
  }

  /** With those that cannot be read: nobody knows what they depend on. */
  async #countLive({ metadata }: ClusterTokenIssuer, signal: AbortSignal): Promise<number> {
    const depends = (robot: RobotAccount) => dependsOn(robot, metadata);
    const { matching, unreadable } = await countLive(this.#world.client, robotAccountKind, {}, depends, signal);
    return matching + unreadable;
  }
}
