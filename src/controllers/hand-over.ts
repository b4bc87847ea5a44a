import type { Credentialed } from '../api/credentialed.ts';
import { apiVersion } from '../api/names.ts';
import { type Revocation, revocationKind } from '../api/revocation.ts';
import { BotmintError, type Retry } from '../base/errors.ts';
import type { Step } from '../decide/credential-seen.ts';
import { type Estate, joined, revocationNameOf } from '../decide/hand-over.ts';
import { placeOf } from '../issuers/jwt/status-list.ts';
import { isAlreadyExists } from '../kube/errors.ts';
import { keyOf } from '../kube/objects.ts';
import { Kept } from './kept.ts';
import { shardName } from './status-shard.ts';
import type { World } from './world.ts';

/** Hands over to a Revocation what an object that goes has not been able to revoke. */
export class HandOver {
  readonly #world: World;
  readonly #of: { namespace: string; clusterID: string };
  readonly #revocations: Kept<Revocation>;

  /** `namespace` is the operator's own, where Revocations are. */
  constructor(world: World, of: { namespace: string; clusterID: string }) {
    this.#world = world;
    this.#of = of;
    this.#revocations = new Kept(world.client, revocationKind, world.caches.revocations);
  }

  /** The Revocations that have taken something over from this object. */
  seen({ metadata }: Credentialed): readonly Revocation[] {
    return this.#world.caches.revocations.byIndex('owner', metadata.uid);
  }

  /**
   * Who issued the superseded tokens of one that has no record any more: it went with a Secret that was lost. The status list
   * knows; without list or issuer nobody can verify them.
   */
  lostIssuer({ status }: Credentialed): Estate['issuer'] | undefined {
    const index = status?.previous?.find(old => old.statusListIndex !== undefined)?.statusListIndex;
    if (status?.issued !== undefined || index === undefined) return undefined;
    const { statusLists, issuers } = this.#world.caches;
    const list = statusLists.get(keyOf({ namespace: this.#of.namespace, name: shardName(placeOf(index).list) }));
    const issuer = list && issuers.byUID(list.issuerUID);
    return issuer && { kind: 'ClusterTokenIssuer', name: issuer.metadata.name, uid: issuer.metadata.uid, type: 'jwt' };
  }

  /** Makes the Revocation, or adds to the one that stands. After a crash or a conflict the next look sees what is there. */
  async carryOut(object: Credentialed, step: Step & { do: 'hand-over' }, signal: AbortSignal): Promise<void> {
    const done = step.over === undefined ? await this.#make(step, signal) : await this.#add(step.over, step, signal);
    if (done) this.#world.report(step.estate.owner.kind, object, step.verdict, { always: true, action: 'Revoke' });
  }

  async #make({ estate }: Step & { do: 'hand-over' }, signal: AbortSignal): Promise<boolean> {
    const { namespace, clusterID } = this.#of;
    const metadata = { name: revocationNameOf(estate), namespace };
    try {
      const object = { apiVersion, kind: revocationKind.kind, metadata, spec: { ...estate, clusterID } };
      this.#world.caches.revocations.put(await this.#world.client.create(revocationKind, object, { signal }));
      return true;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await this.#revocations.refresh(metadata, signal);
      const name = keyOf(metadata);
      if (this.#world.caches.revocations.unreadable(name) === undefined) return false;
      throw new RevocationUnreadable(`Revocation ${name} is in a form that this version does not know`);
    }
  }

  #add(over: Revocation, { estate }: Step & { do: 'hand-over' }, signal: AbortSignal): Promise<boolean> {
    const { credentials, notAfter = null } = joined(over.spec, estate);
    return this.#revocations.patch(over, { spec: { credentials, notAfter } }, signal);
  }
}

/** One stands that a newer version wrote: whether it has taken everything over cannot be said, so nothing is let go. */
class RevocationUnreadable extends BotmintError {
  readonly reason = 'UnknownFormat';
  readonly retry: Retry = { kind: 'backoff' };
}
