import type { BotToken } from '../api/bot-token.ts';
import { apiVersion } from '../api/names.ts';
import { type Revocation, revocationKind } from '../api/revocation.ts';
import type { Step } from '../decide/bot-token-seen.ts';
import { joined, revocationNameOf } from '../decide/hand-over.ts';
import { isAlreadyExists } from '../kube/errors.ts';
import { Kept } from './kept.ts';
import type { World } from './world.ts';

/** Hands over to a Revocation what a token that goes has not been able to revoke. */
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

  /** The Revocations that have taken something over from this token. */
  seen({ metadata }: BotToken): readonly Revocation[] {
    return this.#world.caches.revocations.byIndex('owner', metadata.uid);
  }

  /** Makes the Revocation, or adds to the one that stands. After a crash or a conflict the next look sees what is there. */
  async carryOut(token: BotToken, step: Step & { do: 'hand-over' }, signal: AbortSignal): Promise<void> {
    const done = step.over === undefined ? await this.#make(step, signal) : await this.#add(step.over, step, signal);
    if (done) this.#world.report('BotToken', token, step.verdict, { always: true, action: 'Revoke' });
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
      return false;
    }
  }

  #add(over: Revocation, { estate }: Step & { do: 'hand-over' }, signal: AbortSignal): Promise<boolean> {
    const { credentials, notAfter = null } = joined(over.spec, estate);
    return this.#revocations.patch(over, { spec: { credentials, notAfter } }, signal);
  }
}
