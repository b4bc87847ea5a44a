/** The parts of an object's metadata that botmint reads. Absent fields may also be `undefined`, as parsers leave them. */
export interface ObjectMeta {
  name: string;
  namespace?: string | undefined;
  uid: string;
  resourceVersion: string;
  generation?: number | undefined;
  creationTimestamp: string;
  deletionTimestamp?: string | undefined;
  labels?: Record<string, string> | undefined;
  annotations?: Record<string, string> | undefined;
  finalizers?: string[] | undefined;
  ownerReferences?: OwnerReference[] | undefined;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean | undefined;
  blockOwnerDeletion?: boolean | undefined;
}

export interface KubeObject {
  apiVersion?: string | undefined;
  kind?: string | undefined;
  metadata: ObjectMeta;
}

/** One kind as the API serves it, and how its objects are parsed where they enter the process. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
  /** Every call asks the server for metadata only, so that the rest never enters this process. */
  metadataOnly?: boolean;
  /** Refuses by throwing; what it returns is typed from there on. */
  parse(value: unknown): T;
}

export interface Ref {
  namespace?: string | undefined;
  name: string;
}

/** `namespace/name`, or `name` alone for what is cluster-scoped. Neither part can hold a slash. */
export type Key = string;

export function keyOf(of: Ref | { metadata: Ref }): Key {
  const { namespace, name } = 'metadata' in of ? of.metadata : of;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function refOf(key: Key): Ref {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/**
 * Negative when `a` is the older of two resourceVersions of one resource, 0 when equal. They are decimal numbers of up
 * to 128 bits without leading zeros (KEP-5504), so a longer one is newer and equal lengths compare as text.
 */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A value that came over the wire is not shaped as an object of the API. */
export class MalformedObject extends TypeError {
  override readonly name = 'MalformedObject';
}

/** Whether a value is a JSON object: neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const resourceVersionPattern = /^(0|[1-9]\d{0,38})$/;

/** Checks what every object of the API has: a name, a UID and a resourceVersion that can be compared. */
function isKubeObject(value: unknown): value is KubeObject & Record<string, unknown> {
  if (!isRecord(value) || !isRecord(value.metadata)) return false;
  const { name, namespace, uid, resourceVersion } = value.metadata;
  return (
    typeof name === 'string' &&
    name !== '' &&
    (namespace === undefined || typeof namespace === 'string') &&
    typeof uid === 'string' &&
    uid !== '' &&
    typeof resourceVersion === 'string' &&
    resourceVersionPattern.test(resourceVersion)
  );
}

/** The structural check as a parser, for objects of which only the metadata matters. */
export function parseKubeObject(value: unknown): KubeObject & Record<string, unknown> {
  if (isKubeObject(value)) return value;
  throw new MalformedObject('an object without name, uid or resourceVersion');
}

/** The same kind, of which only the metadata is understood. */
export function rawOf(resource: Resource): Resource<KubeObject & Record<string, unknown>> {
  return { ...resource, parse: parseKubeObject };
}

/** The object where this version understands it. */
export function readableOf<T extends KubeObject>(resource: Resource<T>, object: unknown): T | undefined {
  try {
    return resource.parse(object);
  } catch {
    return undefined; // what is wrong with it has been logged by whoever saw it first
  }
}
