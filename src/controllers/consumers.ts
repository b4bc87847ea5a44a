import type { Credentialed } from '../api/credentialed.ts';
import type { WorkloadKind } from '../api/restart.ts';
import type { CredentialKind } from '../decide/kind.ts';
import {
  isMarked,
  openRollout,
  type RolloutStep,
  restartPatch,
  type Target,
  type TargetSeen,
  type TargetsSeen,
  targetKey,
} from '../decide/rollout.ts';
import type { Client } from '../kube/client.ts';
import { isConflict, isNotFound, KubeError } from '../kube/errors.ts';
import type { Resource } from '../kube/objects.ts';
import { daemonSets, deployments, statefulSets, type Workload } from '../kube/workloads.ts';

/** What a webhook says can be long; sixteen of them must fit into a condition. */
const longestWords = 800;

const resources: { readonly [kind in WorkloadKind]: Resource<Workload> } = {
  Deployment: deployments,
  StatefulSet: statefulSets,
  DaemonSet: daemonSets,
};

/**
 * Which workloads this process has seen restarted, until it is recorded: whoever takes the annotation off a template in between,
 * or makes the workload anew, must not get one patch for each time.
 */
export class Restarts {
  readonly #byObject = new Map<string, Map<string, string>>();

  /** The first one of that name counts, as in a record. */
  add(object: Credentialed, tokenID: string, target: Target, workloadUID: string): void {
    const done = this.#byObject.get(object.metadata.uid) ?? new Map<string, string>();
    this.#byObject.set(object.metadata.uid, done);
    const key = restartKey(tokenID, target);
    if (!done.has(key)) done.set(key, workloadUID);
  }

  /** The UID of what was restarted for this credential. */
  get(object: Credentialed, tokenID: string, target: Target): string | undefined {
    return this.#byObject.get(object.metadata.uid)?.get(restartKey(tokenID, target));
  }

  /** Nothing is open for this object (any more). */
  forget(uid: string): void {
    this.#byObject.delete(uid);
  }
}

function restartKey(tokenID: string, target: Target): string {
  return `${tokenID} ${targetKey(target)}`;
}

/** The workloads that one object names, during one pass. Nothing watches them: each look is a live read. */
export class Consumers {
  readonly #client: Client;
  readonly #kind: CredentialKind;
  readonly #restarts: Restarts;
  readonly #seen = new Map<string, TargetSeen>();
  /** The token that they were looked at for: for another one everything is looked at again. */
  #tokenID: string | undefined;

  constructor(client: Client, kind: CredentialKind, restarts: Restarts) {
    this.#client = client;
    this.#kind = kind;
    this.#restarts = restarts;
  }

  /** What this pass has seen for the roll-out that is open. */
  seen(object: Credentialed): TargetsSeen {
    const tokenID = openRollout(object)?.tokenID;
    if (tokenID === undefined) this.#restarts.forget(object.metadata.uid);
    if (tokenID !== this.#tokenID) this.#seen.clear();
    this.#tokenID = tokenID;
    return this.#seen;
  }

  /** Reads workloads that a decision asks for. One that may not be read holds up none of the others. */
  async look(
    object: Credentialed,
    { targets }: RolloutStep & { do: 'read-workloads' },
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all(targets.map(target => this.#read(object, target, signal)));
  }

  async #read(object: Credentialed, target: Target, signal: AbortSignal): Promise<void> {
    try {
      const workload = await this.#client.get(resources[target.kind], refOf(object, target), { signal });
      this.#saw(object, target, workload);
    } catch (error) {
      this.#refused(target, error, 'get');
    }
  }

  /**
   * One merge patch of our own annotation at the resourceVersion that was read: a late one of an earlier rotation must not
   * roll the pods again. After a conflict the workload is read, and decided anew.
   */
  async restart(
    object: Credentialed,
    step: RolloutStep & { do: 'restart-workload' },
    signal: AbortSignal,
  ): Promise<void> {
    const { target, workload, tokenID } = step;
    try {
      const body = restartPatch({ kind: this.#kind, object }, tokenID);
      const { resourceVersion } = workload.metadata;
      const patched = await this.#client.patch(resources[target.kind], refOf(object, target), body, {
        signal,
        resourceVersion,
      });
      this.#restarts.add(object, tokenID, target, patched.metadata.uid); // also where a webhook took the annotation off in passing
      this.#saw(object, target, patched);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return this.#read(object, target, signal);
      this.#refused(target, error, 'patch');
    }
  }

  #saw(object: Credentialed, target: Target, workload: Workload | undefined): void {
    const tokenID = this.#tokenID ?? '';
    // The answer of its patch may have been lost, and that of the record may be.
    if (workload !== undefined && isMarked({ kind: this.#kind, object }, workload, tokenID))
      this.#restarts.add(object, tokenID, target, workload.metadata.uid);
    const restartedUID = this.#restarts.get(object, tokenID, target);
    this.#seen.set(
      targetKey(target),
      workload === undefined ? { state: 'absent', restartedUID } : { state: 'found', workload, restartedUID },
    );
  }

  #refused({ kind, name }: Target, error: unknown, verb: 'get' | 'patch'): void {
    if (!(error instanceof KubeError && isRefusal(error))) throw error;
    const words = error.message.slice(0, longestWords);
    const message = `the API server refused to ${verb} it: ${error.reason}: ${words}`;
    this.#seen.set(targetKey({ kind, name }), { state: 'refused', message });
  }
}

/** Refused for this workload (a failing admission webhook is an internal error), and not because the server is busy or does not know us. */
function isRefusal({ status }: KubeError): boolean {
  return status === 500 || (status >= 400 && status < 500 && status !== 401 && status !== 408 && status !== 429);
}

function refOf({ metadata }: Credentialed, { name }: Target) {
  return { namespace: metadata.namespace, name };
}
