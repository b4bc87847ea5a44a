import type { RobotAccount } from '../api/robot-account.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { SourceSeen } from '../decide/robot-grant.ts';
import { brokenRules } from '../issuers/registry/secrets.ts';
import type { Client } from '../kube/client.ts';
import { type Secret, secretMetadata, secrets } from '../kube/core-kinds.ts';
import { dataOf } from './secret-readings.ts';

interface Reading {
  name: string;
  key: string;
  seen: SourceSeen;
}

/**
 * The Secrets from which robots take secrets of their owners' making. No watch covers them, so each is looked at by its metadata at every pass, and its value
 * is read once for each version of it; what is kept of that is the rules that it breaks.
 */
export class RobotSources {
  readonly #client: Pick<Client, 'get'>;
  /** By the UID of the robot. */
  readonly #readings = new Map<string, Reading>();

  constructor(client: Pick<Client, 'get'>) {
    this.#client = client;
  }

  /** What the last look has shown; undefined for a robot that names none. */
  seen(robot: RobotAccount): SourceSeen | undefined {
    const ref = refOf(robot);
    const reading = this.#readings.get(robot.metadata.uid);
    return ref !== undefined && reading?.name === ref.name && reading.key === ref.key ? reading.seen : undefined;
  }

  /** Looks at the Secret that the robot names. May be repeated. */
  async look(robot: RobotAccount, signal: AbortSignal): Promise<void> {
    const ref = refOf(robot);
    if (ref === undefined) return this.forget(robot.metadata.uid);
    const of = { namespace: robot.metadata.namespace, name: ref.name };
    const found = await this.#client.get(secretMetadata, of, { signal });
    const known = this.seen(robot);
    if (found !== undefined && isAt(known, found.metadata)) return;
    this.#note(robot, found && (await this.#client.get(secrets, of, { signal })));
  }

  /** The value at the version that was decided about; undefined where there is another one by now, which the next look then has. */
  async read(
    robot: RobotAccount,
    at: { name: string; key: string; uid: string; resourceVersion: string },
    signal: AbortSignal,
  ): Promise<SecretValue | undefined> {
    const of = { namespace: robot.metadata.namespace, name: at.name };
    const found = await this.#client.get(secrets, of, { signal });
    const same = found?.metadata.uid === at.uid && found.metadata.resourceVersion === at.resourceVersion;
    if (!same) this.#note(robot, found);
    return same ? dataOf(found).get(at.key) : undefined;
  }

  forget(uid: string): void {
    this.#readings.delete(uid);
  }

  #note(robot: RobotAccount, secret: Secret | undefined): void {
    const ref = refOf(robot);
    if (ref !== undefined) this.#readings.set(robot.metadata.uid, { ...ref, seen: sourceOf(secret, ref.key) });
  }
}

function refOf({ spec }: RobotAccount) {
  return spec.secret.valueFrom?.secretKeyRef;
}

function isAt(
  seen: SourceSeen | undefined,
  { uid, resourceVersion }: { uid: string; resourceVersion: string },
): boolean {
  return seen?.state === 'found' && seen.uid === uid && seen.resourceVersion === resourceVersion;
}

function sourceOf(secret: Secret | undefined, key: string): SourceSeen {
  const value = secret && dataOf(secret).get(key);
  if (secret === undefined || value === undefined)
    return { state: 'absent', what: secret === undefined ? 'secret' : 'key' };
  const { uid, resourceVersion } = secret.metadata;
  return { state: 'found', uid, resourceVersion, broken: brokenRules(value) };
}
