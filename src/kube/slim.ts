import type { KubeObject, ObjectMeta, OwnerReference } from './objects.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The object as caches hold it: frozen through and through, because everybody gets the same one, and without
 * managedFields, kubectl's copy of what was applied, and whatever else of the metadata botmint does not read.
 */
export function slim<T extends KubeObject>(object: T, interned: Interned): T {
  const { apiVersion, kind, metadata } = object;
  const slimmed: T = { ...object, metadata: slimMetadata(metadata, interned) };
  if (apiVersion !== undefined) slimmed.apiVersion = interned.text(apiVersion);
  if (kind !== undefined) slimmed.kind = interned.text(kind);
  return frozen(slimmed, interned);
}

/** Far more than the texts that thousands of objects have in common; texts that differ just take each other's place. */
const places = 4096;
/** Longer texts hardly ever stand twice in a cluster. */
const longest = 160;

/**
 * Gives equal texts one place in memory: what thousands of objects repeat, and what one object repeats within itself.
 * Each text has one place by its hash, and the latest to come has it: bounded, whatever comes.
 */
export class Interned {
  readonly #texts: string[] = Array.from({ length: places }, () => '');

  text(text: string): string {
    if (text.length > longest) return text;
    const place = hashOf(text) % places;
    const known = this.#texts[place];
    if (known === text) return known;
    this.#texts[place] = text;
    return text;
  }
}

/** FNV-1a, 32 bits: enough to spread texts over their places. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

// One literal with every field, so that all of them share one hidden class.
function slimMetadata(of: ObjectMeta, interned: Interned): ObjectMeta {
  return {
    name: of.name,
    namespace: of.namespace === undefined ? undefined : interned.text(of.namespace),
    uid: of.uid,
    resourceVersion: of.resourceVersion,
    generation: of.generation,
    creationTimestamp: of.creationTimestamp,
    deletionTimestamp: of.deletionTimestamp,
    labels: of.labels && internedValues(of.labels, interned),
    annotations: of.annotations && withoutLastApplied(of.annotations),
    finalizers: of.finalizers?.map(each => interned.text(each)),
    ownerReferences: of.ownerReferences?.map(each => internedOwner(each, interned)),
  };
}

function internedValues(labels: Record<string, string>, interned: Interned): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, interned.text(value)]));
}

function internedOwner(of: OwnerReference, interned: Interned): OwnerReference {
  return { ...of, apiVersion: interned.text(of.apiVersion), kind: interned.text(of.kind) };
}

function withoutLastApplied(annotations: Record<string, string>): Record<string, string> | undefined {
  if (!(lastApplied in annotations)) return annotations;
  const { [lastApplied]: _, ...rest } = annotations;
  return rest;
}

/** Frozen through and through, with its texts interned. Only fresh objects come in here: they are changed in place first. */
function frozen<T extends object>(object: T, interned: Interned): T {
  for (const [key, value] of Object.entries(object)) {
    if (typeof value === 'string') Reflect.set(object, key, interned.text(value));
    else if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) frozen(value, interned);
  }
  return Object.freeze(object);
}
