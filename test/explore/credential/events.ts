import type { ClusterTokenIssuer } from '../../../src/api/cluster-token-issuer.ts';
import { timestamp } from '../../../src/api/conditions.ts';
import type { Credentialed } from '../../../src/api/credentialed.ts';
import {
  managedLabel,
  pausedAnnotation,
  replaceAnnotation,
  revokeFinalizer,
  rotateAnnotation,
} from '../../../src/api/names.ts';
import { applyMergePatch } from '../../base/apply-merge-patch.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import type { Beside } from './contents.ts';
import type { Event, Manifests } from './kind.ts';
import { at, type Layout } from './layout.ts';
import { objectAt } from './observing.ts';
import { next, type Turns } from './turn.ts';

/** The hands of everybody but the operators. */
export class Users<T extends Credentialed, B extends Beside> {
  readonly words: Int32Array;
  readonly #turns: Turns<T, B>;
  readonly #layout: Layout;

  constructor(turns: Turns<T, B>, words: Int32Array) {
    this.#turns = turns;
    this.#layout = turns.layout;
    this.words = words;
  }

  object(t = 0): T | undefined {
    return objectAt(this.#turns.contents, this.words, this.#layout.object(t));
  }

  #putObject(t: number, object: T): boolean {
    const { content, recordUID, recordVersion } = this.#turns.contents.snapshotOf(object);
    this.words.set([content, next(this.words), recordUID, recordVersion], this.#layout.object(t));
    return true;
  }

  changeObject(change: (object: T) => T | undefined, t = 0): boolean {
    const object = this.object(t);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return false;
    const after = change(object);
    return after !== undefined && this.#putObject(t, after);
  }

  changeSpec(spec: Partial<T['spec']>, t = 0): boolean {
    return this.changeObject(object => {
      if (object.spec.revoked === true) return undefined;
      const generation = (object.metadata.generation ?? 0) + 1;
      return { ...object, metadata: { ...object.metadata, generation }, spec: { ...object.spec, ...spec } };
    }, t);
  }

  annotate(name: string, value: string): boolean {
    return this.changeObject(object => {
      const annotations = { ...object.metadata.annotations, [name]: value };
      return { ...object, metadata: { ...object.metadata, annotations } };
    });
  }

  deleteObject(t = 0): boolean {
    const object = this.object(t);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return false;
    if (object.metadata.finalizers?.length)
      return this.#putObject(t, { ...object, metadata: { ...object.metadata, deletionTimestamp: this.#now() } });
    this.words.fill(0, this.#layout.object(t), this.#layout.object(t) + 4);
    return true;
  }

  /** The same manifest again: another UID, and no status. */
  applyObject(manifest: T, t = 0): boolean {
    if (this.object(t) !== undefined) return false;
    const uid = manifest.metadata.uid.replace(/\d+$/, number => String(Number(number) + 2));
    return this.#putObject(t, { ...manifest, metadata: { ...manifest.metadata, uid } });
  }

  beside(): B | undefined {
    const content = this.words[at.beside] ?? 0;
    return content === 0 ? undefined : this.#turns.contents.besideOf(content, 0);
  }

  putBeside(beside: B | undefined): boolean {
    this.words[at.beside] = beside === undefined ? 0 : this.#turns.contents.numberOfBeside(beside);
    this.words[at.beside + 1] = beside === undefined ? 0 : next(this.words);
    return true;
  }

  changeBeside(change: (beside: B) => B | undefined): boolean {
    const beside = this.beside();
    const after = beside?.metadata.deletionTimestamp === undefined ? beside && change(beside) : undefined;
    return after !== undefined && this.putBeside(after);
  }

  /** It stays as long as it has a finalizer. */
  deleteBeside(): boolean {
    const beside = this.beside();
    if (beside === undefined || beside.metadata.deletionTimestamp !== undefined) return false;
    const deletionTimestamp = this.#now();
    const going = { ...beside, metadata: { ...beside.metadata, deletionTimestamp } };
    return this.putBeside(beside.metadata.finalizers?.length ? going : undefined);
  }

  applyBeside(manifest: B): boolean {
    return this.beside() === undefined && this.putBeside(manifest);
  }

  changeIssuer(change: (issuer: ClusterTokenIssuer) => ClusterTokenIssuer | undefined): boolean {
    const content = this.words[at.issuer] ?? 0;
    const issuer = content === 0 ? undefined : this.#turns.contents.issuerOf(content, 0);
    const after = issuer?.metadata.deletionTimestamp === undefined ? issuer && change(issuer) : undefined;
    if (after === undefined) return false;
    this.words.set([this.#turns.contents.numberOfIssuer(after), next(this.words)], at.issuer);
    return true;
  }

  deleteIssuer(): boolean {
    const deletionTimestamp = this.#now();
    return this.changeIssuer(issuer => ({ ...issuer, metadata: { ...issuer.metadata, deletionTimestamp } }));
  }

  secret(): StoredSecret | undefined {
    const [content = 0, version = 0, uid = 0] = this.words.subarray(at.secret, at.secret + 3);
    return content === 0 ? undefined : this.#turns.contents.secretOf(content, version, uid);
  }

  putSecret(secret: StoredSecret | undefined): boolean {
    const uid = this.words[at.secret] === 0 ? next(this.words) : (this.words[at.secret + 2] ?? 0);
    if (secret === undefined) this.words.fill(0, at.secret, at.secret + 3);
    else this.words.set([this.#turns.contents.numberOfSecret(secret), next(this.words) + 1, uid], at.secret);
    return true;
  }

  patchSecret(patch: object): boolean {
    const secret = this.secret();
    return secret !== undefined && this.putSecret(applyMergePatch(secret, patch) as StoredSecret);
  }

  /** The old Secret comes back, as it was when it was first written. */
  restoreSecret(): boolean {
    const backup = this.words[at.backup] ?? 0;
    if (backup === 0 || backup === this.words[at.secret]) return false;
    return this.putSecret(this.#turns.contents.secrets.valueOf(backup));
  }

  passTime(minutes: number): boolean {
    this.words[at.time] = (this.words[at.time] ?? 0) + minutes * 60;
    return true;
  }

  #now(): string {
    return timestamp(this.#turns.nowOf(this.words));
  }
}

const foreign = { metadata: { labels: {}, annotations: {} }, data: { theirs: 'eA==' } } as unknown as StoredSecret;

/** What can happen to the objects of every kind, by name. `manifests` are what users apply. */
export function commonEvents<T extends Credentialed, B extends Beside>(
  manifests: Manifests<T, B>,
  noun: string,
): { readonly [name: string]: Event<T, B> } {
  return {
    'wants another entry': world =>
      world.changeSpec({
        secret: { ...manifests.objects[0].spec.secret, data: [{ key: 'OTHER', template: 'x $(token)' }] },
      } as Partial<T['spec']>),
    'asks for a rotation': world => world.annotate(rotateAnnotation, 'once'),
    'asks for a replacement': world => world.annotate(replaceAnnotation, 'leaked'),
    pauses: world => world.annotate(pausedAnnotation, 'true'),
    resumes: world => world.annotate(pausedAnnotation, 'false'),
    [`deletes the ${noun}`]: world => world.deleteObject(),
    [`deletes the other ${noun}`]: world => world.deleteObject(1),
    [`applies the ${noun} again`]: world => world.applyObject(manifests.objects[0]),
    'takes off the finalizer': world =>
      world.changeObject(object =>
        object.metadata.finalizers?.includes(revokeFinalizer)
          ? { ...object, metadata: { ...object.metadata, finalizers: [] } }
          : undefined,
      ),
    'restores an empty status': world =>
      world.changeObject(object =>
        object.status?.issued === undefined ? undefined : { ...object, status: { observedGeneration: -1 } },
      ),
    'deletes the Secret': world => world.secret() !== undefined && world.putSecret(undefined),
    'edits the Secret': world =>
      world.patchSecret({ data: { [manifests.objects[0].spec.secret.data[0]?.key ?? '']: 'ZWRpdGVk' } }),
    'empties the Secret': world => {
      const secret = world.secret();
      return secret !== undefined && world.putSecret({ ...secret, data: {} });
    },
    'strips the Secret’s marks': world => world.patchSecret({ metadata: { annotations: null } }),
    'strips the Secret’s owner and label': world =>
      world.patchSecret({ metadata: { ownerReferences: null, labels: { [managedLabel]: null } } }),
    'puts a foreign Secret there': world => world.secret() === undefined && world.putSecret(foreign),
    'restores the first Secret': world => world.restoreSecret(),
    'deletes the issuer': world => world.deleteIssuer(),
  };
}
