import type { RobotAccount } from '../api/robot-account.ts';
import { SecretValue } from '../base/secret-value.ts';
import { isReadAt, ownRecordOf, type SourceAt, type SourceSeen } from '../decide/own-secret.ts';
import { brokenRules } from '../issuers/registry/secrets.ts';
import type { Verifiers } from '../issuers/registry/verifiers.ts';
import type { Client } from '../kube/client.ts';
import { type Secret, secretMetadata, secrets } from '../kube/core-kinds.ts';

interface Reading {
  name: string;
  key: string;
  seen: SourceSeen;
  /** The token id of the credential with which the value was compared, where there was reason to. */
  comparedWith: string | undefined;
}

/** A secret of its owner's making, or the rules that it breaks, in words that complete "it must have …". */
export type OwnSecretRead = { value: SecretValue } | { broken: readonly string[] };

/**
 * The Secrets from which robots take secrets of their owners' making. No watch covers them, so each is looked at by its metadata at every pass, and its value
 * is read once for each version of it. What is kept of that is the rules that it breaks, and whether it is the secret that the robot has already: that is
 * asked of the recorded verifier, so nothing more about the value is kept anywhere.
 */
export class RobotSources {
  readonly #client: Pick<Client, 'get'>;
  readonly #verifiers: Pick<Verifiers, 'isOwn'>;
  /** By the UID of the robot. */
  readonly #readings = new Map<string, Reading>();

  constructor(client: Pick<Client, 'get'>, verifiers: Pick<Verifiers, 'isOwn'>) {
    this.#client = client;
    this.#verifiers = verifiers;
  }

  /** What the last look has shown; undefined for a robot that names none. */
  seen(robot: RobotAccount): SourceSeen | undefined {
    return this.#reading(robot)?.seen;
  }

  /** Looks at the Secret that the robot names. May be repeated. */
  async look(robot: RobotAccount, signal: AbortSignal): Promise<void> {
    const ref = refOf(robot);
    if (ref === undefined) return this.forget(robot.metadata.uid);
    const of = { namespace: robot.metadata.namespace, name: ref.name };
    const found = await this.#client.get(secretMetadata, of, { signal });
    if (found !== undefined && this.#isKnown(robot, { ...ref, ...found.metadata })) return;
    await this.#note(robot, found && (await this.#client.get(secrets, of, { signal })));
  }

  /**
   * What stands there at the version that was decided about. Undefined where there is another one by now, or where that was decided before it was
   * compared with the credential that the robot has now: `seen` then knows.
   */
  async read(robot: RobotAccount, at: SourceAt, signal: AbortSignal): Promise<OwnSecretRead | undefined> {
    const of = { namespace: robot.metadata.namespace, name: at.name };
    const found = await this.#client.get(secrets, of, { signal });
    const same = found?.metadata.uid === at.uid && found.metadata.resourceVersion === at.resourceVersion;
    if (same && this.#isCompared(robot, at)) return ownSecretIn(found, at.key);
    await this.#note(robot, found);
    return undefined;
  }

  forget(uid: string): void {
    this.#readings.delete(uid);
  }

  #reading(robot: RobotAccount): Reading | undefined {
    const ref = refOf(robot);
    const reading = this.#readings.get(robot.metadata.uid);
    return ref !== undefined && reading?.name === ref.name && reading.key === ref.key ? reading : undefined;
  }

  /** Whether it was read at this version, and compared. */
  #isKnown(robot: RobotAccount, at: SourceAt): boolean {
    const seen = this.seen(robot);
    if (seen?.state !== 'found' || seen.uid !== at.uid || seen.resourceVersion !== at.resourceVersion) return false;
    return this.#isCompared(robot, at);
  }

  /** Whether it was compared with the credential that the robot has now, where it has to be: it may have come while a pass ran. */
  #isCompared(robot: RobotAccount, at: SourceAt): boolean {
    const record = recordElsewhere(robot, at);
    return record === undefined || this.#reading(robot)?.comparedWith === record.tokenID;
  }

  async #note(robot: RobotAccount, secret: Secret | undefined): Promise<void> {
    const ref = refOf(robot);
    if (ref === undefined) return;
    const record = secret && recordElsewhere(robot, { ...ref, ...secret.metadata });
    const seen = await this.#sourceOf(robot, record, ref.key, secret);
    this.#readings.set(robot.metadata.uid, { ...ref, seen, comparedWith: record?.tokenID });
  }

  async #sourceOf(
    { metadata }: RobotAccount,
    record: ReturnType<typeof recordElsewhere>,
    key: string,
    secret: Secret | undefined,
  ): Promise<SourceSeen> {
    if (secret === undefined) return { state: 'absent', what: 'secret' };
    const read = ownSecretIn(secret, key);
    if (read === undefined) return { state: 'absent', what: 'key' };
    const { uid, resourceVersion } = secret.metadata;
    const found = { state: 'found', uid, resourceVersion, broken: [] } as const;
    if ('broken' in read) return { ...found, ...read };
    if (record === undefined) return found;
    const { revision, tokenID, inputs } = record;
    const isSame = await this.#verifiers.isOwn({ uid: metadata.uid, revision }, inputs.robot.verifier, read.value);
    return isSame ? { ...found, sameAs: tokenID } : found;
  }
}

function refOf({ spec }: RobotAccount) {
  return spec.secret.valueFrom?.secretKeyRef;
}

/** The record of a secret that was read elsewhere, or at another version: what stands there may be another one, or the same. */
function recordElsewhere(robot: RobotAccount, at: SourceAt) {
  const record = ownRecordOf(robot);
  return record === undefined || isReadAt(record.source, at) ? undefined : record;
}

/** Of no value becomes another one: what is no text is not made one, and what stands before it is not cut off. */
const strictly = { fatal: true, ignoreBOM: true };

function ownSecretIn(secret: Secret, key: string): OwnSecretRead | undefined {
  const encoded = new Map(Object.entries(secret.data)).get(key);
  if (encoded === undefined) return undefined;
  const value = textOf(encoded);
  const broken = value === undefined ? ['UTF-8 text'] : brokenRules(value);
  return value === undefined || broken.length > 0 ? { broken } : { value };
}

function textOf(encoded: SecretValue): SecretValue | undefined {
  try {
    return new SecretValue(new TextDecoder('utf-8', strictly).decode(Buffer.from(encoded.reveal(), 'base64')));
  } catch {
    return undefined; // the error would say nothing more
  }
}
