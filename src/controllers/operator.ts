import { botTokenKind } from '../api/bot-token.ts';
import { botUserKind } from '../api/bot-user.ts';
import { clusterTokenIssuerKind, isOfType } from '../api/cluster-token-issuer.ts';
import { revokeFinalizer } from '../api/names.ts';
import { revocationKind } from '../api/revocation.ts';
import { robotAccountKind } from '../api/robot-account.ts';
import type { Flags } from '../base/flags.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { numbersAt } from '../decide/robot-account.ts';
import { Controller, type ControllerOptions, type Outcome } from '../kube/controller.ts';
import { ControllerMetrics } from '../kube/controller-metrics.ts';
import { secretMetadata } from '../kube/core-kinds.ts';
import { type Key, type KubeObject, keyOf } from '../kube/objects.ts';
import type { Shards } from '../kube/shards.ts';
import type { Store } from '../kube/store.ts';
import { BotTokens } from './bot-tokens.ts';
import { BotUsers } from './bot-users.ts';
import { HandOver } from './hand-over.ts';
import type { Installation } from './installation.ts';
import { OrphanedCopies } from './orphaned-copies.ts';
import { RegistryIssuers } from './registry-issuers.ts';
import { Revocations, revokersOf } from './revocations.ts';
import { RobotAccounts } from './robot-accounts.ts';
import type { RobotIDs } from './robot-ids.ts';
import type { SigningChains } from './signing-chains.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { StatusLists } from './status-lists.ts';
import { TokenIssuers } from './token-issuers.ts';
import { addCredential, connect } from './triggers.ts';
import { reconcileUnreadable, type UnreadableKind } from './unreadable.ts';
import type { VerifierKeys } from './verifier-keys.ts';
import type { World } from './world.ts';

/** A kind and what is done for its objects. */
interface Kind<T extends KubeObject> extends UnreadableKind<T> {
  reconcile: (key: Key, signal: AbortSignal) => Promise<Outcome>;
  /** Puts an object on the queue that has become this replica's; left out: by its key. */
  add?: (controller: Controller, object: T) => void;
}

/** A kind under control, whatever its objects are. */
interface Controlled {
  name: string;
  controller: Controller;
  isLost: (key: Key) => boolean;
  addShards: (shards: ReadonlySet<number>) => void;
}

/** The controllers of all kinds, each working on the objects of the shards that this replica holds. */
export class Operator {
  readonly #controlled: Controlled[] = [];

  constructor(
    world: World,
    o: {
      flags: Flags;
      installation: Installation;
      shards: Shards;
      keys: SigningKeys;
      statusLists: StatusLists;
      chains: SigningChains;
      robotIDs: RobotIDs;
      verifierKeys: VerifierKeys;
      log: Log;
      metrics: Metrics;
    },
  ) {
    const { caches } = world;
    const { keys, statusLists } = o;
    const { clusterID, digestKey } = o.installation;
    const handOver = new HandOver(world, { namespace: o.flags.namespace, clusterID });
    const tokens = new BotTokens(world, { keys, statusLists, digestKey, handOver });
    const botUsers = new BotUsers(world);
    const robots = new RobotAccounts(world, {
      statusLists,
      handOver,
      digestKey,
      verifiers: o.verifierKeys.verifiers,
      refreshKeys: signal => o.verifierKeys.refresh(signal),
      takeID: (issuer, signal) => o.robotIDs.take(issuer, () => numbersAt(caches.robots.values(), issuer), signal),
    });
    const jwtIssuers = new TokenIssuers(world, keys);
    const registryIssuers = new RegistryIssuers(world, o.chains);
    const issuersOf = (key: Key) => {
      const issuer = caches.issuers.get(key);
      return issuer !== undefined && isOfType(issuer, 'registry') ? registryIssuers : jwtIssuers;
    };
    const revocations = new Revocations(world, {
      revokers: revokersOf(world, statusLists),
      clusterID,
      owns: uid => o.shards.owns(uid),
    });
    const orphans = new OrphanedCopies({ ...world, log: o.log });
    const metrics = new ControllerMetrics(o.metrics);
    const control = <T extends KubeObject>(of: Kind<T>) => {
      const controlled = underControl(of, o.shards, {
        concurrency: o.flags.concurrency,
        reconcile: (key, signal) =>
          of.store.unreadable(key) === undefined
            ? of.reconcile(key, signal)
            : reconcileUnreadable({ ...world, log: o.log }, of, key, signal),
        log: o.log,
        clock: world.clock,
        metrics,
      });
      this.#controlled.push(controlled);
      return controlled.controller;
    };
    const controllers = {
      issuers: control({
        resource: clusterTokenIssuerKind,
        store: caches.issuers,
        // Its finalizer stays: credentials that nobody revoked depend on what it publishes.
        finalizer: undefined,
        reconcile: (key, signal) => issuersOf(key).reconcile(key, signal),
      }),
      botUsers: control({
        resource: botUserKind,
        store: caches.botUsers,
        finalizer: revokeFinalizer,
        reconcile: (key, signal) => botUsers.reconcile(key, signal),
      }),
      tokens: control({
        resource: botTokenKind,
        store: caches.tokens,
        finalizer: revokeFinalizer,
        end: (live, signal) => statusLists.revokeAllOf(live, signal),
        reconcile: (key, signal) => tokens.reconcile(key, signal),
        add: addCredential,
      }),
      robots: control({
        resource: robotAccountKind,
        store: caches.robots,
        finalizer: revokeFinalizer,
        reconcile: (key, signal) => robots.reconcile(key, signal),
        add: addCredential,
      }),
      revocations: control({
        resource: revocationKind,
        store: caches.revocations,
        // Without one: who may delete a Revocation may give it up.
        finalizer: undefined,
        reconcile: (key, signal) => revocations.reconcile(key, signal),
      }),
    };
    const orphaned = control({
      resource: secretMetadata,
      store: caches.secrets,
      finalizer: undefined,
      reconcile: (key, signal) => orphans.reconcile(key, signal),
      add: (controller, secret) => orphans.addTo(controller, secret),
    });
    connect(caches, controllers);
    orphans.connect(orphaned);
    o.verifierKeys.onChange(() => {
      for (const robot of caches.robots.values()) addCredential(controllers.robots, robot);
    });
    o.shards.onChange(({ gained, lost }) => this.#sharesChanged(gained, lost.length > 0));
  }

  /** The loops of the controllers by name; each ends when the signal has aborted and running work is done. */
  run(signal: AbortSignal): readonly (readonly [string, Promise<void>])[] {
    return this.#controlled.map(({ name, controller }) => [name, controller.run(signal)] as const);
  }

  #sharesChanged(gained: readonly number[], anyLost: boolean): void {
    const shards = new Set(gained);
    for (const { addShards, controller, isLost } of this.#controlled) {
      addShards(shards);
      if (anyLost) controller.abort(isLost);
    }
  }
}

function underControl<T extends KubeObject>(
  { resource, store, add = (controller, object) => controller.add(keyOf(object)) }: Kind<T>,
  shards: Shards,
  o: Omit<ControllerOptions, 'name' | 'owns'>,
): Controlled {
  const name = resource.kind;
  const owns = (key: Key) => isOwned(store, key, shards);
  const controller = new Controller({ ...o, name, owns });
  return {
    name,
    controller,
    isLost: key => !owns(key),
    addShards: gained => {
      const isGained = ({ metadata }: KubeObject) => gained.has(shards.shardOf(metadata.uid));
      for (const object of store.values()) if (isGained(object)) add(controller, object);
      for (const object of store.unreadables()) if (isGained(object)) controller.add(keyOf(object));
    },
  };
}

function isOwned<T extends KubeObject>(store: Store<T>, key: Key, shards: Shards): boolean {
  const object = store.get(key) ?? store.unreadable(key);
  return object !== undefined && shards.owns(object.metadata.uid);
}
