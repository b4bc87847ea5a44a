import {
  acceptOf,
  type CallOptions,
  type ListOptions,
  listAccept,
  listQuery,
  type NewObject,
  type Operation,
  type Page,
  pageOf,
  preconditioned,
  type ReadOptions,
  type WatchOptions,
  watchQuery,
} from './calls.ts';
import { isAbsent } from './errors.ts';
import type { KubeObject, Ref, Resource } from './objects.ts';
import { collectionPath, objectPath, withQuery } from './paths.ts';
import { type Call, Transport, type TransportOptions } from './transport.ts';

/** Who wrote a field, in the managedFields of everything that botmint writes. */
const fieldManager = 'botmint';

/**
 * The calls that botmint makes. Every call has a deadline and ends early when its signal aborts (throwing the signal's
 * reason); a refusal is a KubeError; no readable answer is Unreachable. A server that is too busy to begin (429) is
 * asked again after its Retry-After for as long as the deadline allows, whatever the verb. A read that met a broken
 * connection is repeated once; a write never, because its outcome is unknown.
 */
export class Client {
  readonly #transport: Transport;

  constructor(options: TransportOptions) {
    this.#transport = new Transport(options);
  }

  /** The object of the moment (a quorum read), or undefined when the server says that there is none of that name. */
  async get<T extends KubeObject>(resource: Resource<T>, ref: Ref, options: ReadOptions): Promise<T | undefined> {
    try {
      const path = objectPath(resource, ref);
      return resource.parse(await this.#call('get', 'GET', resource, path, options, {}));
    } catch (error) {
      if (isAbsent(error, ref.name)) return undefined;
      throw error;
    }
  }

  /** One page; parsing refuses the whole page when one item is malformed. */
  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions): Promise<Page<T>> {
    const page = await this.page(resource, options);
    return { ...page, items: page.items.map(item => resource.parse(item)) };
  }

  /** One page with its items as they came, for a caller that deals with malformed ones one by one. */
  async page(resource: Resource, options: ListOptions): Promise<Page<unknown>> {
    const path = withQuery(collectionPath(resource, options.namespace), listQuery(options));
    return pageOf(await this.#call('list', 'GET', resource, path, options, { accept: listAccept(resource, options) }));
  }

  /** Must not exist: isAlreadyExists(error) when an object of that name is there. */
  async create<T extends KubeObject, O extends NewObject>(
    resource: Resource<T>,
    object: O,
    options: ReadOptions,
  ): Promise<T> {
    const path = withQuery(collectionPath(resource, object.metadata.namespace), { fieldManager });
    const content = { body: JSON.stringify(object), contentType: 'application/json' };
    return resource.parse(await this.#call('create', 'POST', resource, path, options, content));
  }

  /**
   * JSON merge patch of the object at exactly the resourceVersion that was read: isConflict(error) when it has moved,
   * isNotFound(error) when it is gone. An array replaces the whole array; null removes a field.
   */
  async patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: Ref,
    body: object,
    options: ReadOptions & { resourceVersion: string; subresource?: 'status' },
  ): Promise<T> {
    const path = withQuery(objectPath(resource, ref, options.subresource), { fieldManager });
    const content = {
      body: preconditioned(body, options.resourceVersion),
      contentType: 'application/merge-patch+json',
    };
    return resource.parse(await this.#call('patch', 'PATCH', resource, path, options, content));
  }

  /**
   * JSON patch (RFC 6902) of the object at exactly the resourceVersion that was read, for a list that others keep entries in
   * as well: isInvalid(error) when it has moved, or when the patch does not fit; isNotFound(error) when it is gone.
   */
  async patchJSON<T extends KubeObject>(
    resource: Resource<T>,
    ref: Ref,
    operations: readonly Operation[],
    options: ReadOptions & { resourceVersion: string },
  ): Promise<T> {
    const path = withQuery(objectPath(resource, ref), { fieldManager });
    const read = { op: 'test', path: '/metadata/resourceVersion', value: options.resourceVersion };
    const content = { body: JSON.stringify([read, ...operations]), contentType: 'application/json-patch+json' };
    return resource.parse(await this.#call('patch', 'PATCH', resource, path, options, content));
  }

  /** Deletes this very object. Nothing of that name is success; isConflict(error) when it is another one, or has moved. */
  async delete(
    resource: Resource,
    ref: Ref,
    options: CallOptions & { uid: string; resourceVersion?: string },
  ): Promise<void> {
    const { uid, resourceVersion } = options;
    const preconditions = { uid, ...(resourceVersion !== undefined && { resourceVersion }) };
    const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', preconditions });
    const content = { body, contentType: 'application/json' };
    try {
      await this.#call('delete', 'DELETE', resource, objectPath(resource, ref), options, content);
    } catch (error) {
      if (!isAbsent(error, ref.name)) throw error;
    }
  }

  /**
   * Server-side apply: makes or changes exactly the fields given. Not for finalizers, credential Secrets and status
   * records, because it creates what is gone and has no precondition.
   */
  async apply<T extends KubeObject, O extends NewObject & { apiVersion: string; kind: string }>(
    resource: Resource<T>,
    object: O,
    options: ReadOptions & { force?: boolean },
  ): Promise<T> {
    const query = { fieldManager, ...(options.force === true && { force: 'true' }) };
    const path = withQuery(objectPath(resource, object.metadata), query);
    const content = { body: JSON.stringify(object), contentType: 'application/apply-patch+yaml' };
    return resource.parse(await this.#call('apply', 'PATCH', resource, path, options, content));
  }

  /** A review or a token request: an answer that is no stored object. `path` begins with a slash. */
  async post<T>(path: string, body: object, parse: (value: unknown) => T, options: CallOptions): Promise<T> {
    const resource = path.slice(path.lastIndexOf('/') + 1);
    const content = { body: JSON.stringify(body), contentType: 'application/json' };
    return parse(await this.#transport.call({ verb: 'post', method: 'POST', resource, path, ...content, ...options }));
  }

  /** Follows changes until the server ends the watch (resolves), or the connection breaks (throws). For the reflector. */
  watch(resource: Resource, options: WatchOptions): Promise<void> {
    const query = { ...watchQuery(options), timeoutSeconds: `${options.timeoutSeconds}` };
    const path = withQuery(collectionPath(resource, options.namespace), query);
    const accept = acceptOf(resource, options);
    const { signal, silenceMilliseconds, onChunk } = options;
    return this.#transport.stream({ resource: resource.plural, path, accept, signal, silenceMilliseconds, onChunk });
  }

  /** Ends all connections; calls that are still running end with Unreachable. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  #call(
    verb: string,
    method: Call['method'],
    resource: Resource,
    path: string,
    options: ReadOptions,
    content: { accept?: string; body?: string; contentType?: string },
  ): Promise<unknown> {
    const { signal, deadlineMilliseconds } = options;
    const accept = acceptOf(resource, options);
    const deadline = deadlineMilliseconds === undefined ? {} : { deadlineMilliseconds };
    return this.#transport.call({
      verb,
      method,
      resource: resource.plural,
      path,
      accept,
      signal,
      ...deadline,
      ...content,
    });
  }
}
