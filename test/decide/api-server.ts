import { BotToken } from '../../src/api/bot-token.ts';
import type { BotUser } from '../../src/api/bot-user.ts';
import { timestamp } from '../../src/api/conditions.ts';
import type { TokenInputs } from '../../src/api/inputs.ts';
import { revokeFinalizer, tokenIDAnnotation } from '../../src/api/names.ts';
import type { Revocation } from '../../src/api/revocation.ts';
import type { TokenStatus } from '../../src/api/token-status.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
import { joined, revocationNameOf } from '../../src/decide/hand-over.ts';
import type { ListChange } from '../../src/decide/listing.ts';
import type { restartPatch } from '../../src/decide/rollout.ts';
import type { Workload } from '../../src/decide/workload-progress.ts';
import { isLive } from '../../src/issuers/jwt/live.ts';
import type { Secret } from '../../src/kube/core-kinds.ts';
import type { ObjectMeta } from '../../src/kube/objects.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { botUser, fresh, issuer, now } from './healthy.ts';
import type { Signed } from './signing.ts';

/** What the API server answers instead of doing it. */
export class Refusal extends Error {
  readonly reason: 'NotFound' | 'Conflict' | 'AlreadyExists' | 'Forbidden';

  constructor(reason: Refusal['reason']) {
    super(reason);
    this.reason = reason;
  }
}

/** What a restart changes. */
export type WorkloadPatch = ReturnType<typeof restartPatch>;

function newWorkload(uid: string): Workload {
  const metadata = { uid, resourceVersion: '1', generation: 1 };
  return { metadata, replicas: 1, templateAnnotations: {}, counts: {}, conditions: [] };
}

/** A Secret as it is stored: values in base64. */
export interface StoredSecret {
  metadata: ObjectMeta;
  data: Record<string, string>;
}

/**
 * What the API server keeps of one token, its Secret, its BotUser and its issuer, with the preconditions it checks. Objects
 * are replaced and never changed, so whoever holds one has a snapshot. The second half is what users do.
 */
export class ApiServer {
  time = now;
  token: BotToken | undefined = fresh;
  botUser: BotUser | undefined = botUser;
  secret: StoredSecret | undefined;
  readonly issuer = { ...issuer, spec: { ...issuer.spec, limits: { scopes: ['*'], identities: ['*'] } } };
  readonly signed: Signed[] = [];
  /** In the operator's namespace. */
  revocations: readonly Revocation[] = [];
  /** The ids of all credentials that ever stood in the Secret. */
  readonly published = new Set<string>();
  /** The ids of all credentials that were ever recorded. */
  readonly recorded = new Set<string>();
  /** What the status lists say; what is not in here is VALID. */
  lists: ReadonlyMap<number, TokenStatus> = new Map();
  /** Somebody made a token go though its credential had not been revoked. */
  forced = false;
  /** Writes whose sender has given up; they arrive some time. */
  readonly inFlight: (() => unknown)[] = [];
  /** What consumes the Secret. */
  workload: Workload | undefined = newWorkload('web-0');
  /** The token ids that patches have put into a template, in that order, and those that pods were rolled to. */
  readonly restarts: { tokenID: string; uid: string }[] = [];
  readonly rolledTo = new Set<string>();
  writes = 0;
  #versions = 100;

  patchToken(resourceVersion: string, body: { metadata?: object; status?: object }): BotToken {
    const token = this.#precondition(this.token, resourceVersion);
    const patched = BotToken.parse(
      applyMergePatch(token, { ...body, metadata: { ...body.metadata, ...this.#version() } }),
    );
    const goes = patched.metadata.deletionTimestamp !== undefined && (patched.metadata.finalizers ?? []).length === 0;
    this.token = goes ? undefined : patched;
    if (patched.status?.tokenID !== undefined) this.recorded.add(patched.status.tokenID);
    this.writes++;
    return patched;
  }

  createSecret(body: object): StoredSecret {
    if (this.secret !== undefined) throw new Refusal('AlreadyExists');
    return this.#store(applyMergePatch({ metadata: { uid: `secret-${this.#versions}` } }, body));
  }

  patchSecret(resourceVersion: string, body: object): StoredSecret {
    return this.#store(applyMergePatch(this.#precondition(this.secret, resourceVersion), body));
  }

  deleteSecret(uid: string, resourceVersion: string): void {
    if (this.secret === undefined) return;
    if (this.#precondition(this.secret, resourceVersion).metadata.uid !== uid) throw new Refusal('Conflict');
    this.secret = undefined;
    this.writes++;
  }

  /** Merged by whoever writes them: what is INVALID stays so. */
  list(changes: readonly ListChange[]): ReadonlyMap<number, TokenStatus> {
    const before = this.lists;
    const open = changes.filter(({ index }) => before.get(index) !== 'INVALID');
    this.lists = new Map([...before, ...open.map(({ index, status }) => [index, status] as const)]);
    if (open.some(({ index, status }) => (before.get(index) ?? 'VALID') !== status)) this.writes++;
    return this.lists;
  }

  /** A POST that must not exist, or a patch of the one that was seen. */
  handOver({ estate, over }: Step & { do: 'hand-over' }): readonly Revocation[] {
    const { owner, issuer: by } = estate;
    const name = revocationNameOf(estate);
    const standing = this.revocations.find(({ metadata }) => metadata.name === name);
    if (over === undefined && standing !== undefined) throw new Refusal('AlreadyExists');
    if (over !== undefined) this.#precondition(standing, over.metadata.resourceVersion);
    const { credentials, notAfter } = standing ? joined(standing.spec, estate) : estate;
    const spec = { owner, issuer: by, clusterID: 'this-cluster', credentials: [...credentials] };
    const metadata = { name, uid: name, creationTimestamp: '', ...this.#version() };
    const made = { metadata, spec: { ...spec, ...(notAfter !== undefined && { notAfter }) } };
    this.revocations = [...this.revocations.filter(each => each !== standing), made];
    this.writes++;
    return this.revocations;
  }

  patchWorkload(resourceVersion: string, body: WorkloadPatch): Workload {
    this.#precondition(this.workload, resourceVersion);
    const patched = this.#annotateTemplate(body.spec.template.metadata.annotations);
    for (const tokenID of Object.values(body.spec.template.metadata.annotations))
      this.restarts.push({ tokenID, uid: patched.metadata.uid });
    this.writes++;
    return patched;
  }

  #annotateTemplate(templateAnnotations: Record<string, string>): Workload {
    const { metadata, ...rest } = this.workload ?? newWorkload('web');
    const generation = (metadata.generation ?? 0) + 1;
    this.workload = { ...rest, metadata: { ...metadata, ...this.#version(), generation }, templateAnnotations };
    return this.workload;
  }

  #precondition<T extends { metadata: { resourceVersion: string } }>(object: T | undefined, version: string): T {
    if (object === undefined) throw new Refusal('NotFound');
    if (object.metadata.resourceVersion !== version) throw new Refusal('Conflict');
    return object;
  }

  #store(body: unknown): StoredSecret {
    const secret = applyMergePatch(body, { metadata: this.#version() }) as StoredSecret; // what our own writes made of it
    const tokenID = secret.metadata.annotations?.[tokenIDAnnotation];
    if (tokenID !== undefined) this.published.add(tokenID);
    this.secret = secret;
    this.writes++;
    return secret;
  }

  #version() {
    return { resourceVersion: String(++this.#versions) };
  }

  // What users, time and other controllers do --------------------------------------------------------------------

  passTime(minutes: number): void {
    this.time = new Date(this.time.getTime() + minutes * 60_000);
  }

  /** A write that was given up arrives after all. */
  arrive(): void {
    try {
      this.inFlight.shift()?.();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // nobody hears the answer
    }
  }

  changeSpec(change: Partial<BotToken['spec']>): void {
    if (this.token === undefined || this.token.spec.revoked === true) return;
    const { metadata, spec } = this.token;
    const generation = (metadata.generation ?? 0) + 1;
    this.token = {
      ...this.token,
      metadata: { ...metadata, generation, ...this.#version() },
      spec: { ...spec, ...change },
    };
  }

  deleteToken(): void {
    this.forced ||= this.token?.metadata.finalizers === undefined;
    this.token = this.#deleted(this.token);
  }

  takeOffFinalizer(): void {
    if (this.token === undefined) return;
    const { finalizers: _, ...metadata } = this.token.metadata;
    this.forced ||= metadata.deletionTimestamp !== undefined;
    const left = { ...this.token, metadata: { ...metadata, ...this.#version() } };
    this.token = metadata.deletionTimestamp === undefined ? left : undefined;
  }

  applyToken(): void {
    const uid = `token-${this.#versions}`;
    this.token ??= { ...fresh, metadata: { ...fresh.metadata, uid, ...this.#version() } };
  }

  disableBotUser(disabled: boolean): void {
    if (this.botUser === undefined || this.botUser.spec.disabled === disabled) return;
    const { metadata, spec } = this.botUser;
    this.botUser = { metadata: { ...metadata, ...this.#version() }, spec: { ...spec, disabled } };
  }

  deleteBotUser(): void {
    this.botUser = this.#deleted(
      this.botUser && { ...this.botUser, metadata: { ...this.botUser.metadata, finalizers: [revokeFinalizer] } },
    );
  }

  /** What the BotUser's own controller does: it goes when no credential is recorded for it. */
  releaseBotUser(): void {
    const recorded = this.token?.status?.issued?.inputs as TokenInputs | undefined; // as our own record wrote it
    const { uid, deletionTimestamp } = this.botUser?.metadata ?? {};
    if (deletionTimestamp !== undefined && recorded?.botUser.uid !== uid) this.botUser = undefined;
  }

  applyBotUser(): void {
    const uid = `bot-${this.#versions}`;
    this.botUser ??= { ...botUser, metadata: { ...botUser.metadata, uid, ...this.#version() } };
  }

  /** What the workload's controller does. */
  rollWorkload(): void {
    if (this.workload === undefined) return;
    const { metadata, templateAnnotations } = this.workload;
    const counts = {
      observedGeneration: metadata.generation ?? 0,
      replicas: 1,
      updatedReplicas: 1,
      availableReplicas: 1,
    };
    this.workload = { ...this.workload, metadata: { ...metadata, ...this.#version() }, counts };
    for (const tokenID of Object.values(templateAnnotations)) this.rolledTo.add(tokenID);
  }

  /** Somebody applies it as it was. */
  stripWorkload(): void {
    if (this.workload !== undefined) this.#annotateTemplate({});
  }

  deleteWorkload(): void {
    this.workload = undefined;
  }

  replaceWorkload(): void {
    const { writes } = this;
    this.workload = newWorkload(`web-${this.#versions}`);
    this.#annotateTemplate({});
    this.writes = writes;
  }

  changeSecret(change: (secret: StoredSecret) => unknown): void {
    const { secret, writes } = this;
    if (secret === undefined) return;
    this.#store(applyMergePatch(secret, change(secret)));
    this.writes = writes;
  }

  loseSecret(): void {
    this.secret = undefined;
  }

  /** What the garbage collector does. */
  collectGarbage(): void {
    const owners = this.secret?.metadata.ownerReferences ?? [];
    if (owners.length > 0 && owners.every(({ uid }) => uid !== this.token?.metadata.uid)) this.secret = undefined;
  }

  #deleted<T extends { metadata: ObjectMeta }>(object: T | undefined): T | undefined {
    if (object === undefined || (object.metadata.finalizers ?? []).length === 0) return undefined;
    if (object.metadata.deletionTimestamp !== undefined) return object;
    return { ...object, metadata: { ...object.metadata, deletionTimestamp: timestamp(this.time), ...this.#version() } };
  }

  /** The credentials that work now, by the account of the issuer; all reads are live here. */
  live(): Signed[] {
    const evidence = { token: this.token, botUser: this.botUser, issuer: this.issuer, secret: this.secret };
    return this.signed.filter(({ claims }) => isLive(claims, evidence, this.time).live === true);
  }
}

/** The Secret as a full GET answers it. */
export function whole({ metadata, data }: StoredSecret): Secret {
  const values = Object.entries(data).map(([key, value]) => [key, new SecretValue(value)] as const);
  return { metadata, type: 'Opaque', data: Object.fromEntries(values) };
}
