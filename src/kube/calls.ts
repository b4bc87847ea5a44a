import { isRecord, MalformedObject, type Ref, type Resource } from './objects.ts';
import type { Query } from './paths.ts';

/** What every call is given. */
export interface CallOptions {
  signal: AbortSignal;
  /** The whole call, waiting for a busy server included, ends after so long. Default 30 s. */
  deadlineMilliseconds?: number;
}

export interface ReadOptions extends CallOptions {
  metadataOnly?: boolean;
}

export interface ListOptions extends ReadOptions, Selection {
  limit?: number;
  continue?: string;
  resourceVersion?: string;
}

/** Which objects of a resource are meant; all of them when nothing is given. */
export interface Selection {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

/** A page of a list; `continue` leads to the next one. */
export interface Page<T> {
  items: T[];
  resourceVersion: string;
  continue?: string;
}

export interface WatchOptions extends Selection {
  signal: AbortSignal;
  resourceVersion: string;
  /** After so long the server ends the watch, and says how far it got two seconds before. */
  timeoutSeconds: number;
  /** A connection that is silent for longer is cut. */
  silenceMilliseconds: number;
  metadataOnly?: boolean;
  /** Told each piece of the answer as it comes; lines are not aligned with pieces. */
  onChunk: (chunk: Uint8Array) => void;
}

/** What a create or an apply sends: at least a name. */
export interface NewObject {
  metadata: Ref;
}

/** One change of a JSON patch; `path` is a JSON pointer. */
export type Operation =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string };

const json = 'application/json';
const metadataAccept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const metadataListAccept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/** One of the two is enough, so that a call cannot undo what the resource promises. */
export function isMetadataOnly(resource: Resource, options: { metadataOnly?: boolean }): boolean {
  return resource.metadataOnly === true || options.metadataOnly === true;
}

/** Metadata only, where the call or the resource says so; there is no second choice, or values might come. */
export function acceptOf(resource: Resource, options: { metadataOnly?: boolean }): string {
  return isMetadataOnly(resource, options) ? metadataAccept : json;
}

/** The same for a list. */
export function listAccept(resource: Resource, options: { metadataOnly?: boolean }): string {
  return isMetadataOnly(resource, options) ? metadataListAccept : json;
}

/** The query of a list. */
export function listQuery(options: ListOptions): Query {
  const { labelSelector, fieldSelector, limit, resourceVersion } = options;
  return { labelSelector, fieldSelector, limit: limit?.toString(), continue: options.continue, resourceVersion };
}

/** The query of a watch that says how far it got. */
export function watchQuery({ labelSelector, fieldSelector, resourceVersion }: WatchOptions): Query {
  return { watch: 'true', allowWatchBookmarks: 'true', resourceVersion, labelSelector, fieldSelector };
}

/** Checks what the list itself has, and leaves the items as they are. */
export function pageOf(value: unknown): Page<unknown> {
  if (!isRecord(value) || !isRecord(value.metadata)) throw new MalformedObject('a list without metadata');
  const { resourceVersion, continue: next } = value.metadata;
  if (typeof resourceVersion !== 'string') throw new MalformedObject('a list without resourceVersion');
  const items = Array.isArray(value.items) ? value.items : [];
  return { items, resourceVersion, ...(typeof next === 'string' && next !== '' && { continue: next }) };
}

/** The text of a merge patch that holds for one resourceVersion only. */
export function preconditioned(body: object, resourceVersion: string): string {
  const metadata = 'metadata' in body && isRecord(body.metadata) ? body.metadata : {};
  return JSON.stringify({ ...body, metadata: { ...metadata, resourceVersion } });
}
