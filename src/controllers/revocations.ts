import { clusterTokenIssuerKind } from '../api/cluster-token-issuer.ts';
import { type Revocation, revocationKind } from '../api/revocation.ts';
import { retryOf, unreachable } from '../base/errors.ts';
import { type Attempt, decide, isOpen, type Step } from '../decide/revocation.ts';
import { JWTRevoker, type JWTRevokerOptions } from '../issuers/jwt/revoke.ts';
import type { Revoker } from '../issuers/revoker.ts';
import type { Outcome } from '../kube/controller.ts';
import { isConflict } from '../kube/errors.ts';
import { type Key, keyOf, rawOf } from '../kube/objects.ts';
import { wordsOf } from './failed-attempt.ts';
import { Kept } from './kept.ts';
import type { StatusLists } from './status-lists.ts';
import { restUntil, Unsettled, type World } from './world.ts';

/** More steps than two attempts take, with a conflict at each write. */
const mostSteps = 12;

/** Every type of issuer knows how to revoke. */
export type Revokers = { readonly [type in Revocation['spec']['issuer']['type']]: Revoker };

/** The revokers of a cluster: each knows the issuers of its type. */
export function revokersOf({ client }: Pick<World, 'client'>, statusLists: Pick<StatusLists, 'write'>): Revokers {
  const isThere: JWTRevokerOptions['isThere'] = async ({ name, uid }, signal) => {
    const live = await client.get(rawOf(clusterTokenIssuerKind), { name }, { signal });
    return live?.metadata.uid === uid;
  };
  const markInvalid: JWTRevokerOptions['markInvalid'] = async (issuer, indexes, signal) => {
    await statusLists.write(
      issuer,
      indexes.map(index => ({ index, status: 'INVALID' })),
      signal,
    );
  };
  // What a robot logs in with is checked by its object alone: when that is gone, so is everything of it.
  const registry: Revoker = { revoke: async () => 'done' };
  return { jwt: new JWTRevoker({ isThere, markInvalid }), registry };
}

export interface RevocationsOptions {
  revokers: Revokers;
  /** The cluster that this operator works in. */
  clusterID: string;
  /** Whether this replica works on the object with this UID. */
  owns: (uid: string) => boolean;
}

/** An attempt, and the object as it was when it began. */
interface Pass {
  attempt?: { at: Revocation; ended: Attempt };
}

/** Carries out what objects that are gone have left to be revoked. */
export class Revocations {
  readonly #world: World;
  readonly #of: RevocationsOptions;
  readonly #revocations: Kept<Revocation>;

  constructor(world: World, of: RevocationsOptions) {
    this.#world = world;
    this.#of = of;
    this.#revocations = new Kept(world.client, revocationKind, world.caches.revocations);
    world.caches.revocations.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) this.#gone(before);
    });
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const pass: Pass = {};
    for (let steps = 0; steps < mostSteps; steps++) {
      const revocation = this.#world.caches.revocations.get(key);
      if (revocation === undefined) return { next: 'on-change' };
      const attempt = pass.attempt && isOf(revocation, pass.attempt.at) ? pass.attempt.ended : undefined;
      const step = decide({ revocation, clusterID: this.#of.clusterID, attempt }, this.#world.clock.now());
      if (step.do === 'rest') return restUntil(step.until);
      await this.#act(revocation, step, pass, signal);
    }
    throw new Unsettled(`Revocation ${key} did not settle in ${mostSteps} steps`);
  }

  async #act(revocation: Revocation, step: Exclude<Step, { do: 'rest' }>, pass: Pass, signal: AbortSignal) {
    switch (step.do) {
      case 'revoke':
        pass.attempt = { at: revocation, ended: await this.#attempt(revocation, signal) };
        return;
      case 'write-status': {
        const written = await this.#revocations.patchStatus(revocation, step.patch, signal);
        if (written) this.#world.report('Revocation', revocation, step.verdict, { always: false, action: 'Revoke' });
        return;
      }
      case 'delete':
        return this.#delete(revocation, step, signal);
      default:
        return unreachable(step);
    }
  }

  /** What fails for a reason that somebody knows is put down and tried again; anything else is a defect and is thrown. */
  async #attempt({ spec }: Revocation, signal: AbortSignal): Promise<Attempt> {
    const { clusterID, owner, issuer, credentials } = spec;
    try {
      const order = { mark: { clusterID, ...owner }, issuer, credentials };
      return { outcome: await this.#of.revokers[issuer.type].revoke(order, signal) };
    } catch (error) {
      const words = wordsOf(error, signal);
      if (words === undefined) throw error;
      this.#world.metrics.failed.inc({ reason: 'RevocationFailed' });
      const retry = retryOf(error);
      return { outcome: 'failed', words, ...(retry.kind === 'after' && { notBeforeSeconds: retry.seconds }) };
    }
  }

  /** At the resourceVersion that was seen: credentials that somebody adds at this moment are not lost. */
  async #delete(revocation: Revocation, { verdict }: Step & { do: 'delete' }, signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion } = revocation.metadata;
    try {
      await this.#world.client.delete(revocationKind, revocation.metadata, { signal, uid, resourceVersion });
      this.#world.caches.revocations.remove(keyOf(revocation), uid);
      this.#world.report('Revocation', revocation, verdict, { always: true, action: 'Revoke' });
    } catch (error) {
      if (!isConflict(error)) throw error;
      await this.#revocations.refresh(revocation.metadata, signal);
    }
  }

  /** Whoever may delete one may give a revocation up, but not without a trace. */
  #gone(revocation: Revocation): void {
    const { spec, metadata } = revocation;
    if (spec.clusterID !== this.#of.clusterID || !this.#of.owns(metadata.uid)) return;
    if (!isOpen(revocation, this.#world.clock.now())) return;
    const ids = spec.credentials.map(({ tokenID }) => tokenID).join(', ');
    const message = `deleted by hand before it was carried out: nobody revokes ${ids} any more`;
    const verdict = { state: 'stalled', reason: 'RevocationFailed', message } as const;
    this.#world.report('Revocation', revocation, verdict, { always: true, action: 'Revoke' });
  }
}

/** Whether an attempt was at this object and at this spec of it. */
function isOf({ metadata }: Revocation, { metadata: tried }: Revocation): boolean {
  return metadata.uid === tried.uid && metadata.generation === tried.generation;
}
