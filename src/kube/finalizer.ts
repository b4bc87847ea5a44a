/** A merge patch of the finalizers. It holds the whole list, so it is good only for the resourceVersion that it was made from. */
export interface FinalizerPatch {
  metadata: { finalizers: string[] };
}

interface Finalized {
  metadata: { finalizers?: readonly string[] | undefined };
}

/** Adds a finalizer beside those of others; undefined when it is there already and nothing is to be written. */
export function withFinalizer(object: Finalized, name: string): FinalizerPatch | undefined {
  const finalizers = object.metadata.finalizers ?? [];
  return finalizers.includes(name) ? undefined : { metadata: { finalizers: [...finalizers, name] } };
}

/** Takes off one finalizer and no other; undefined when it is not there. */
export function withoutFinalizer(object: Finalized, name: string): FinalizerPatch | undefined {
  const finalizers = object.metadata.finalizers ?? [];
  if (!finalizers.includes(name)) return undefined;
  return { metadata: { finalizers: finalizers.filter(each => each !== name) } };
}
