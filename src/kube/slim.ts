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
  return frozen(slimmed);
}

/** Gives equal short texts that stand in thousands of objects one place in memory. */
export class Interned {
  readonly #texts = new Map<string, string>();

  text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    // Bounded: a cluster with more distinct namespaces than this pays a little memory and nothing else.
    if (this.#texts.size < 10_000) this.#texts.set(text, text);
    return text;
  }
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

function frozen<T extends object>(object: T): T {
  Object.freeze(object);
  for (const value of Object.values(object)) {
    if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) frozen(value);
  }
  return object;
}
