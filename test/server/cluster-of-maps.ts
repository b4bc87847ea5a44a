import { KubeError } from '../../src/kube/errors.ts';
import { isRecord, type KubeObject, keyOf, type Ref, type Resource } from '../../src/kube/objects.ts';
import type { ServingCertificatesOptions } from '../../src/server/tls.ts';

type Client = ServingCertificatesOptions['client'];
type Stored = KubeObject & Record<string, unknown>;

/**
 * The API server's rules about names, resourceVersions and merge patches, in memory, for tests that step a clock over
 * years. The same behavior is tried on the real server in certificates.cluster.test.ts.
 */
export class ClusterOfMaps implements Client {
  readonly #objects = new Map<string, Stored>();
  #version = 0;
  /** Every write, as `verb plural/name`. */
  readonly writes: string[] = [];
  /** Runs before a write reaches the server: another replica's chance to be faster. */
  beforeWrite: (write: string) => Promise<void> = async () => {};

  async get<T extends KubeObject>(resource: Resource<T>, ref: Ref): Promise<T | undefined> {
    const object = this.#objects.get(at(resource, ref));
    return object && resource.parse(structuredClone(object));
  }

  async create<T extends KubeObject>(resource: Resource<T>, object: unknown): Promise<T> {
    const ref = refIn(object);
    await this.#write('create', resource, ref);
    if (this.#objects.has(at(resource, ref))) throw refusal(409, 'AlreadyExists');
    return this.put(resource, object);
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: Ref,
    body: object,
    options: { resourceVersion: string },
  ): Promise<T> {
    await this.#write('patch', resource, ref);
    const object = this.#objects.get(at(resource, ref));
    if (object === undefined) throw refusal(404, 'NotFound');
    if (object.metadata.resourceVersion !== options.resourceVersion) throw refusal(409, 'Conflict');
    return this.put(resource, merge(object, body));
  }

  async apply<T extends KubeObject>(resource: Resource<T>, object: unknown): Promise<T> {
    const ref = refIn(object);
    await this.#write('apply', resource, ref);
    return this.put(resource, merge(this.#objects.get(at(resource, ref)), object));
  }

  /** What somebody else writes: unconditional, and not counted. */
  put<T extends KubeObject>(resource: Resource<T>, object: unknown): T {
    const ref = refIn(object);
    const before = this.#objects.get(at(resource, ref));
    const resourceVersion = String(++this.#version);
    const metadata = { uid: before?.metadata.uid ?? `uid-${this.#version}`, creationTimestamp: '2026-11-22T00:00:00Z' };
    const stored = merge(object, { metadata: { ...metadata, resourceVersion } });
    this.#objects.set(at(resource, ref), parsed(stored));
    return resource.parse(structuredClone(stored));
  }

  remove(resource: Resource, ref: Ref): void {
    this.#objects.delete(at(resource, ref));
  }

  async #write(verb: string, resource: Resource, ref: Ref): Promise<void> {
    const write = `${verb} ${resource.plural}/${ref.name}`;
    await this.beforeWrite(write);
    this.writes.push(write);
  }
}

function at(resource: { plural: string }, ref: Ref): string {
  return `${resource.plural}/${keyOf(ref)}`;
}

function refIn(object: unknown): Ref {
  if (isRecord(object) && isRecord(object.metadata)) {
    const { namespace, name } = object.metadata;
    if (typeof namespace === 'string' && typeof name === 'string') return { namespace, name };
  }
  throw new TypeError('an object without namespace or name');
}

function parsed(value: unknown): Stored {
  if (isRecord(value) && isRecord(value.metadata)) return value as Stored;
  throw new TypeError('not an object');
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}

function refusal(status: number, reason: string): KubeError {
  return new KubeError({ status, reason, message: reason, retry: { kind: 'backoff' } });
}
