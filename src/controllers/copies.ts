import type { Verdict } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { type CopiesSeen, type CopyChange, type CopyStep, takersOf } from '../decide/copies-seen.ts';
import { type CopySource, copyMarksOf, ownerOfCopy } from '../decide/copy-metadata.ts';
import { secretNameOf } from '../decide/credential-seen.ts';
import { handOverAfterSeconds } from '../decide/hand-over.ts';
import type { CredentialKind } from '../decide/kind.ts';
import { type Metadata, namespaces, type Secret, secretMetadata, secrets } from '../kube/core-kinds.ts';
import { keyOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { eachOf } from './bounded.ts';
import { CopyAttempts, type End } from './copy-attempts.ts';
import { CopyChanges } from './copy-changes.ts';
import { type From, notReached } from './copy-failures.ts';
import { CopyReadings } from './copy-readings.ts';
import { keepLive } from './kept.ts';
import type { World } from './world.ts';

/** So many namespaces are worked on at the same time: a rotation should reach a hundred soon, and leave room for others. */
const mostAtOnce = 8;
/** Webhooks that do not answer must not hold up the record of a credential for long: nor one of them, nor many. */
const deadlineMilliseconds = 10_000;
const budgetMilliseconds = 20_000;

export interface CopiesOptions<T extends Credentialed> {
  world: World;
  kind: CredentialKind;
  store: Store<T>;
  digestKey: SecretValue;
  /** Reads the object live into its cache; false when it has moved. */
  isCurrent: (object: T, signal: AbortSignal) => Promise<boolean>;
}

/**
 * The copies of Secrets in other namespaces: how they are seen, and the changes that a step asks for. Every write is a POST,
 * or carries the resourceVersion that was seen. What failed is noted, and is there at the next look.
 */
export class Copies<T extends Credentialed> {
  readonly #of: CopiesOptions<T>;
  readonly #readings: CopyReadings;
  readonly #attempts = new CopyAttempts();
  /** By the UID of the object and the namespace. */
  readonly #lastNoted = new Map<string, Map<string, readonly string[]>>();
  readonly #changes: CopyChanges;

  constructor(of: CopiesOptions<T>) {
    this.#of = of;
    this.#readings = new CopyReadings(of.digestKey);
    this.#changes = new CopyChanges({ world: of.world, kind: of.kind, readings: this.#readings });
    this.#follow();
  }

  /** Forgets what is gone, and tries again what failed where something has changed. */
  #follow(): void {
    const { world, store } = this.#of;
    const { caches } = world;
    store.onChange(({ before, after }) => {
      if (before === undefined || after !== undefined) return;
      this.#attempts.forget(before.metadata.uid);
      this.#lastNoted.delete(before.metadata.uid);
    });
    caches.secrets.onChange(({ before, after }) => {
      if (before === undefined) return;
      this.#note(before, after);
      if (after !== undefined) return;
      const { uid, namespace, name } = before.metadata;
      this.#readings.forget(uid);
      this.#attempts.retry((place, owner) => place === namespace && this.#secretNameOf(owner) === name);
    });
    caches.namespaces.onChange(({ before, after }) => {
      const name = (after ?? before)?.metadata.name;
      const isThere = (place: string) => place === name || place.startsWith(`${name}/`);
      if (after === undefined) this.#attempts.forgetPlaces(isThere);
      else this.#attempts.retry(isThere);
    });
    caches.accounts.store.onChange(({ before, after }) => {
      const account = keyOf((after ?? before)?.metadata ?? { name: '' });
      this.#attempts.retry(place => place === account);
    });
  }

  /** Only the copy says which lists are ours: what it said when somebody took that away goes into the next one. */
  #note({ metadata }: Metadata, after: Metadata | undefined): void {
    const owner = ownerOfCopy(metadata)?.uid;
    if (owner === undefined || this.#of.store.byUID(owner) === undefined) return;
    const noted = copyMarksOf(metadata)?.serviceAccounts ?? [];
    if (noted.length === 0 || (after !== undefined && copyMarksOf(after.metadata) !== undefined)) return;
    const byNamespace = this.#lastNoted.get(owner) ?? new Map<string, readonly string[]>();
    this.#lastNoted.set(owner, byNamespace.set(metadata.namespace ?? '', noted));
  }

  #secretNameOf(uid: string): string | undefined {
    const object = this.#of.store.byUID(uid);
    return object && secretNameOf(object);
  }

  /** Undefined where the object has no copies, and asks for none. */
  seen(object: T): CopiesSeen | undefined {
    const { caches } = this.#of.world;
    const { uid, namespace } = object.metadata;
    const name = secretNameOf(object);
    const { copies: wanted } = object.spec.secret;
    const found = caches.secrets
      .byIndex('copyOf', uid)
      .filter(({ metadata }) => metadata.name === name && metadata.namespace !== namespace);
    if (wanted === undefined && found.length === 0) return undefined;
    const copies = found.map(copy => this.#readings.seen(copy));
    const noted = copies.some(({ metadata }) => (copyMarksOf(metadata)?.serviceAccounts.length ?? 0) > 0);
    if (noted || (wanted?.imagePullSecretsOf?.length ?? 0) > 0) caches.accounts.need();
    const { store: accounts, synced, overdue: accountsOverdue } = caches.accounts;
    const pullSecretsOf = (of: string, account: string) =>
      accounts.get(keyOf({ namespace: of, name: account }))?.imagePullSecrets;
    return {
      takers: takersOf(object, namespacesIn(caches.namespaces)),
      copies,
      pullSecretsOf: synced ? pullSecretsOf : undefined,
      lastNoted: of => this.#lastNoted.get(uid)?.get(of) ?? [],
      accountsOverdue,
      attempt: place => this.#attempts.get(uid, place),
    };
  }

  /** The namespaces where copies are left. */
  left(object: T): string[] {
    const found = this.#of.world.caches.secrets.byIndex('copyOf', object.metadata.uid);
    return found.map(({ metadata }) => metadata.namespace ?? '').sort();
  }

  /** May be repeated: what is done already is not done again, and what has moved is looked at anew. */
  async carryOut(object: T, { source, changes }: CopyStep, signal: AbortSignal): Promise<void> {
    const due = await this.#confirmed(object, changes, signal);
    const isWritten = due.some(change => change.do === 'write');
    const from = isWritten && source !== undefined ? await this.#read(object, source, signal) : undefined;
    if (isWritten && from === undefined) return; // the Secret has moved
    const { clock } = this.#of.world;
    const until = clock.monotonic() + budgetMilliseconds;
    await eachOf(due, mostAtOnce, async change => {
      const isLate = clock.monotonic() > until;
      if (isLate && change.do === 'read') return; // by the next look, which goes on where this one was
      const end = isLate ? notReached(object, change) : await this.#changeNow(object, { source, from }, change, signal);
      this.#ended(object, change, end);
    });
  }

  /** A cache alone takes no copy away: object and namespace are read live first. What has moved is left to the next look. */
  async #confirmed(object: T, changes: readonly CopyChange[], signal: AbortSignal): Promise<readonly CopyChange[]> {
    const { client, caches } = this.#of.world;
    const removals = changes.filter(change => change.do === 'delete');
    const isOver = object.metadata.deletionTimestamp !== undefined || object.spec.revoked === true;
    if (removals.length === 0 || isOver) return changes;
    if (!(await this.#of.isCurrent(object, signal))) return [];
    const moved = new Set<string>();
    await eachOf(removals, mostAtOnce, async ({ namespace }) => {
      const before = caches.namespaces.get(namespace)?.metadata;
      const live = await client.get(namespaces, { name: namespace }, { signal, metadataOnly: true });
      keepLive(caches.namespaces, namespaces, { name: namespace }, live);
      if (live?.metadata.resourceVersion !== before?.resourceVersion) moved.add(namespace);
    });
    return changes.filter(({ namespace }) => !moved.has(namespace));
  }

  /** The Secret as it was decided about, with its values; undefined when it is another one by now. */
  async #read(object: T, source: CopySource, signal: AbortSignal): Promise<Secret | undefined> {
    const { client, caches } = this.#of.world;
    const ref = { namespace: object.metadata.namespace, name: secretNameOf(object) };
    const secret = await client.get(secrets, ref, { signal });
    const { uid, resourceVersion } = secret?.metadata ?? {};
    if (uid === source.uid && resourceVersion === source.resourceVersion) return secret;
    keepLive(caches.secrets, secretMetadata, ref, secret && { metadata: secret.metadata });
    return undefined;
  }

  #changeNow(object: T, of: From, change: CopyChange, signal: AbortSignal): Promise<End> {
    return this.#changes.carryOut(object, of, change, { signal, deadlineMilliseconds });
  }

  #ended({ metadata: { uid } }: T, change: CopyChange, end: End): void {
    const { clock, metrics } = this.#of.world;
    // What was only read is no reason to wait.
    if (change.do === 'read' && end.as === 'done') return;
    this.#attempts.note(uid, change, end, clock.now());
    if (change.do === 'delete' && end.as === 'done') this.#lastNoted.get(uid)?.delete(change.namespace);
    if (end.as === 'failed') metrics.failed.inc({ reason: 'CopyFailed' });
  }
}

/** What is said when an object has gone and copies of its Secret have not: what they hold is dead, and their removal goes on. */
export function leftBehind(namespaces: readonly string[]): Verdict {
  const message = `copies could not be deleted within ${handOverAfterSeconds} s and are left in ${namespaces.join(', ')}: their removal is tried again`;
  return { state: 'ready', reason: 'CopyFailed', message };
}

function* namespacesIn(store: World['caches']['namespaces']) {
  for (const { metadata } of store.values())
    yield { name: metadata.name, labels: metadata.labels ?? {}, going: metadata.deletionTimestamp !== undefined };
}
