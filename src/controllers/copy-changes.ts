import type { Credentialed } from '../api/credentialed.ts';
import type { CopyChange, CopySeen } from '../decide/copies-seen.ts';
import { type CopySource, copyMarksOf, ownerOfCopy } from '../decide/copy-metadata.ts';
import { secretNameOf } from '../decide/credential-seen.ts';
import type { CredentialKind } from '../decide/kind.ts';
import type { Metadata, Secret } from '../kube/core-kinds.ts';
import { secretMetadata, secrets } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { keyOf, type Ref } from '../kube/objects.ts';
import type { End } from './copy-attempts.ts';
import { type From, failureOf, inTheWay, inWords, wordsOf } from './copy-failures.ts';
import type { CopyReadings } from './copy-readings.ts';
import { newCopy, relabelled, rewrittenCopy } from './copy-writes.ts';
import { keepLive } from './kept.ts';
import { setPullSecret, unlistBeforeDelete } from './pull-secret-lists.ts';
import type { World } from './world.ts';

interface Call {
  signal: AbortSignal;
  deadlineMilliseconds: number;
}

/** Carries out single changes of copies, and of the ServiceAccounts that list them. Each may be repeated. */
export class CopyChanges {
  readonly #of: { world: World; kind: CredentialKind; readings: CopyReadings };

  constructor(of: { world: World; kind: CredentialKind; readings: CopyReadings }) {
    this.#of = of;
  }

  /** What became of it. Only a defect, or the end of the work, is thrown. */
  async carryOut(object: Credentialed, of: From, change: CopyChange, call: Call): Promise<End> {
    try {
      return await this.#change(object, of, change, call);
    } catch (error) {
      return failureOf(error, object, of, change, call.signal);
    }
  }
  #change(object: Credentialed, of: From, change: CopyChange, call: Call): Promise<End> {
    switch (change.do) {
      case 'read':
        return this.#look(object, change.namespace, call);
      case 'write':
        return this.#write(object, of, change, call);
      case 'label':
        return this.#patch(object, change, call, of.source && relabelled(this.#owner(object), of.source, change));
      case 'delete':
        return this.#delete(object, change, call);
      case 'list':
      case 'unlist':
        return this.#list(object, change, change.do === 'list' ? 'listed' : 'unlisted', call);
    }
  }

  #owner(object: Credentialed) {
    return { kind: this.#of.kind, object };
  }

  /** What is there now, with the digest of its data. */
  async #look(object: Credentialed, namespace: string, call: Call): Promise<End> {
    const ref = refIn(object, namespace);
    const secret = await this.#of.world.client.get(secrets, ref, call);
    if (secret !== undefined) this.#of.readings.read(secret);
    this.#saw(ref, secret && { metadata: secret.metadata });
    return { as: 'done' };
  }

  #saw(ref: Ref, live: Metadata | undefined): void {
    keepLive(this.#of.world.caches.secrets, secretMetadata, ref, live);
  }

  async #write(
    object: Credentialed,
    { source, from }: From,
    change: CopyChange & { do: 'write' },
    call: Call,
  ): Promise<End> {
    if (source === undefined || from === undefined) return { as: 'done' };
    const { world } = this.#of;
    const ref = refIn(object, change.namespace);
    const { over, serviceAccounts } = change;
    const made = { source, from, serviceAccounts };
    const rewrite = (copy: CopySeen) => {
      const body = rewrittenCopy(this.#owner(object), made, copy, this.#of.readings.keys(copy.uid));
      return this.#patch(object, { ...change, over: copy }, call, body, { source, from });
    };
    if (over !== undefined) return rewrite(over);
    const known = world.caches.secrets.get(keyOf(ref));
    if (known !== undefined) return inTheWay(known, ref);
    try {
      const written = await world.client.create(secretMetadata, newCopy(this.#owner(object), made, ref), call);
      this.#wrote(written, source, from);
      return { as: 'done' };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const copy = await this.#met(object, ref, call);
      return 'as' in copy ? copy : rewrite(copy);
    }
  }

  #wrote(written: Metadata, { digest }: CopySource, from: Secret): void {
    this.#of.readings.wrote(written, digest, Object.keys(from.data));
    this.#of.world.caches.secrets.put(written);
  }

  /** What has the name of a copy and is not in the cache: one whose label was taken off is ours all the same. */
  async #met(object: Credentialed, ref: Ref, call: Call): Promise<CopySeen | End> {
    const { client } = this.#of.world;
    const live = await client.get(secretMetadata, ref, call);
    if (live === undefined) return { as: 'moved', trouble: inWords(ref, 'comes and goes') };
    if (ownerOfCopy(live.metadata)?.uid !== object.metadata.uid) return inTheWay(live, ref);
    const secret = await client.get(secrets, ref, call);
    if (secret === undefined || secret.metadata.uid !== live.metadata.uid)
      return { as: 'moved', trouble: inWords(ref, 'comes and goes') };
    this.#of.readings.read(secret);
    return this.#of.readings.seen(secret);
  }

  /** A merge patch at the resourceVersion that was seen. After a conflict the copy is read, and decided anew. */
  async #patch(
    object: Credentialed,
    change: CopyChange & { do: 'write' | 'label' },
    call: Call,
    body: object | undefined,
    made?: { source: CopySource; from: Secret },
  ): Promise<End> {
    const { client, caches } = this.#of.world;
    const { over, namespace } = change;
    if (over === undefined || body === undefined) return { as: 'done' };
    const ref = refIn(object, namespace);
    try {
      const { resourceVersion } = over;
      const written = await client.patch(secretMetadata, ref, body, { ...call, resourceVersion });
      if (made !== undefined) this.#wrote(written, made.source, made.from);
      else if (over.digest !== undefined)
        this.#of.readings.wrote(written, over.digest, this.#of.readings.keys(over.uid));
      caches.secrets.put(written);
      return { as: 'done' };
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      this.#saw(ref, await client.get(secretMetadata, ref, call));
      return { as: 'moved', trouble: inWords(ref, 'is changed by somebody else again and again') };
    }
  }

  /** Its name is taken out of the lists first; where that is refused, the credential goes all the same. */
  async #delete(object: Credentialed, { over, namespace }: CopyChange & { do: 'delete' }, call: Call): Promise<End> {
    const { client, caches } = this.#of.world;
    const ref = refIn(object, namespace);
    for (const account of copyMarksOf(over.metadata)?.serviceAccounts ?? [])
      await this.#unlist(object, ref, account, call);
    const { uid, resourceVersion } = over;
    try {
      await client.delete(secretMetadata, ref, { ...call, uid, resourceVersion });
    } catch (error) {
      if (!isConflict(error)) throw error;
      this.#saw(ref, await client.get(secretMetadata, ref, call));
      return { as: 'moved', trouble: inWords(ref, 'is changed by somebody else again and again') };
    }
    // One that somebody's finalizer holds is not gone: the watch shows what becomes of it.
    if ((caches.secrets.get(keyOf(ref))?.metadata.finalizers ?? []).length === 0)
      caches.secrets.remove(keyOf(ref), uid);
    return { as: 'done' };
  }

  async #unlist(object: Credentialed, { namespace, name }: Ref, account: string, call: Call): Promise<void> {
    const { client, report } = this.#of.world;
    const failure = await unlistBeforeDelete(client, { namespace, name: account }, name, call);
    if (failure === undefined) return;
    const message = `namespace ${namespace}: ServiceAccount ${account} still lists the Secret ${name}, which is taken away: ${wordsOf(failure)}`;
    const verdict = { state: 'ready', reason: 'CopyFailed', message } as const;
    report(this.#of.kind.name, object, verdict, { always: true, action: 'Copy' });
  }

  async #list(
    object: Credentialed,
    { account, namespace }: CopyChange & { do: 'list' | 'unlist' },
    is: 'listed' | 'unlisted',
    call: Call,
  ): Promise<End> {
    const { client, caches } = this.#of.world;
    const ref = { namespace, name: account };
    const after = await setPullSecret(client, ref, secretNameOf(object), is, call);
    const { store } = caches.accounts;
    if (after !== undefined) store.put(after);
    else store.remove(keyOf(ref), store.get(keyOf(ref))?.metadata.uid ?? '');
    return { as: 'done' };
  }
}

function refIn(object: Credentialed, namespace: string): Ref {
  return { namespace, name: secretNameOf(object) };
}
