import type { ClusterTokenIssuer } from '../../../src/api/cluster-token-issuer.ts';
import type { Credentialed } from '../../../src/api/credentialed.ts';
import type { StoredSecret } from '../../decide/api-server.ts';

/** Gives equal values equal numbers, from 1 on. 0 is no value. */
export class Interned<T> {
  readonly #numbers = new Map<string, number>();
  readonly #values: T[] = [];
  readonly #texts: string[] = [];

  numberOf(value: T): number {
    const text = sortedText(value);
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#values.push(JSON.parse(text) as T);
    this.#texts.push(text);
    this.#numbers.set(text, this.#values.length);
    return this.#values.length;
  }

  valueOf(number: number): T {
    const value = this.#values[number - 1];
    if (value === undefined) throw new Error(`there is no value ${number}`);
    return value;
  }

  textOf(number: number): string {
    return this.#texts[number - 1] ?? '';
  }
}

/** JSON with the keys of every object in order, so that equal values have equal texts. */
function sortedText(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** An object with a credential at one resourceVersion. What moves with every write is kept beside the content: whose record it is of which Secret. */
export interface Snapshot {
  content: number;
  version: number;
  /** The UID and resourceVersion of the Secret in the record, as numbers; -1: the record has none. */
  recordUID: number;
  recordVersion: number;
}

/** What stands beside the objects with a credential, and changes by itself. */
export interface Beside {
  metadata: {
    uid: string;
    resourceVersion: string;
    deletionTimestamp?: string | undefined;
    finalizers?: readonly string[] | undefined;
  };
}

/** Everything that states share: contents by number, and what they make whole objects of. */
export class Contents<T extends Credentialed, B extends Beside> {
  readonly objects = new Interned<T>();
  readonly besides = new Interned<B>();
  readonly issuers = new Interned<ClusterTokenIssuer>();
  readonly secrets = new Interned<StoredSecret>();
  readonly readings = new Interned<{ digest: string; keys: readonly string[] }>();
  readonly #mentioned = new Map<string, readonly string[]>();

  objectOf({ content, version, recordUID, recordVersion }: Snapshot): T {
    const object = this.objects.valueOf(content);
    const whole = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const issued = object.status?.issued;
    if (issued === undefined) return whole;
    const secret = { name: issued.secret.name, uid: secretUID(recordUID) };
    const at = recordVersion === -1 ? secret : { ...secret, resourceVersion: String(recordVersion) };
    return { ...whole, status: { ...object.status, issued: { ...issued, secret: at } } };
  }

  /** The same the other way round, but for the version. */
  snapshotOf(object: T): Omit<Snapshot, 'version'> {
    const issued = object.status?.issued;
    const bare = { ...object, metadata: { ...object.metadata, resourceVersion: '' } };
    if (issued === undefined) return { content: this.objects.numberOf(bare), recordUID: 0, recordVersion: 0 };
    const { name, uid, resourceVersion } = issued.secret;
    const status = { ...object.status, issued: { ...issued, secret: { name, uid: '' } } };
    return {
      content: this.objects.numberOf({ ...bare, status }),
      recordUID: Number(uid.replace('secret-', '')),
      recordVersion: resourceVersion === undefined ? -1 : Number(resourceVersion),
    };
  }

  besideOf(content: number, version: number): B {
    return at(this.besides.valueOf(content), version);
  }

  numberOfBeside(beside: B): number {
    return this.besides.numberOf(at(beside, ''));
  }

  issuerOf(content: number, version: number): ClusterTokenIssuer {
    return at(this.issuers.valueOf(content), version);
  }

  numberOfIssuer(issuer: ClusterTokenIssuer): number {
    return this.issuers.numberOf(at(issuer, ''));
  }

  secretOf(content: number, version: number, uid: number): StoredSecret {
    const secret = this.secrets.valueOf(content);
    return { ...secret, metadata: { ...secret.metadata, uid: secretUID(uid), resourceVersion: String(version) } };
  }

  numberOfSecret(secret: StoredSecret): number {
    return this.secrets.numberOf({ ...secret, metadata: { ...secret.metadata, uid: '', resourceVersion: '' } });
  }

  /** The ids of credentials that stand anywhere in a content. */
  mentionedBy(kind: 'objects' | 'secrets', content: number): readonly string[] {
    if (content === 0) return [];
    const key = `${kind} ${content}`;
    const known = this.#mentioned.get(key);
    if (known !== undefined) return known;
    const found = [...new Set(this[kind].textOf(content).match(/(?:token|robot)-\d+\.\d+\.\d+/g))];
    this.#mentioned.set(key, found);
    return found;
  }
}

function at<T extends { metadata: { resourceVersion: string } }>(object: T, version: number | string): T {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

export function secretUID(number: number): string {
  return `secret-${number}`;
}
