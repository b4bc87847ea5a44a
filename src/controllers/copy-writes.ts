import type { CopySeen } from '../decide/copies-seen.ts';
import { type CopySource, relabelledCopy, wantedCopyMetadata } from '../decide/copy-metadata.ts';
import type { Owner } from '../decide/secret-metadata.ts';
import type { Secret } from '../kube/core-kinds.ts';
import type { Ref } from '../kube/objects.ts';

/** What a copy is made from. */
export interface CopyMade {
  source: CopySource;
  from: Secret;
  /** That are, or will be, given its name. */
  serviceAccounts: readonly string[];
}

/** A new copy with all its keys in one write. No owner reference: none is allowed across namespaces. */
export function newCopy(of: Owner, { source, from, serviceAccounts }: CopyMade, { namespace, name }: Ref) {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name, ...wantedCopyMetadata(of, source, serviceAccounts) },
    type: from.type,
    data: valuesOf(from),
  };
}

/** The merge patch that puts the values into a copy that is there: nothing of what it held before stays. */
export function rewrittenCopy(of: Owner, made: CopyMade, over: CopySeen, keys: readonly string[]): object {
  const { source, from, serviceAccounts } = made;
  const gone = Object.fromEntries(keys.filter(key => !Object.hasOwn(from.data, key)).map(key => [key, null]));
  const metadata = relabelledCopy(over.metadata, of, source, serviceAccounts);
  return { metadata, type: from.type, data: { ...gone, ...valuesOf(from) } };
}

/** The merge patch of its metadata alone. */
export function relabelled(
  of: Owner,
  source: CopySource,
  { over, serviceAccounts }: { over: CopySeen; serviceAccounts: readonly string[] },
): object {
  return { metadata: relabelledCopy(over.metadata, of, source, serviceAccounts) };
}

/** As the API has them: base64. */
function valuesOf({ data }: Secret): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value.reveal()]));
}
