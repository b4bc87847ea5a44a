import type { Credentialed } from '../api/credentialed.ts';
import { acceptLabelPrefix } from '../api/names.ts';
import type { CopySource } from './copy-metadata.ts';
import type { SecretMetadata } from './secret-metadata.ts';
import { type Labels, selects } from './selector.ts';

/** A Secret that is marked as a copy of this object's. */
export interface CopySeen {
  namespace: string;
  uid: string;
  resourceVersion: string;
  metadata: SecretMetadata;
  /** Its deletion was asked for, and somebody's finalizer holds it. */
  going: boolean;
  /** The digest of its data at this resourceVersion; undefined while nobody has read it. */
  digest: string | undefined;
}

/** What was tried at a place, and when it may be tried again for the same end. */
export interface Attempt {
  /** To what end: for another one it is tried at once. */
  wanted: string;
  at: Date;
  /** Why it failed, in a sentence; undefined where it did not. */
  trouble: string | undefined;
}

/** What is known of the copies of one object. */
export interface CopiesSeen {
  /** The namespaces that take one now (`takersOf`). */
  takers: readonly string[];
  /** Every Secret that carries the object's UID as a copy, wherever it is. */
  copies: readonly CopySeen[];
  /**
   * The Secrets that a ServiceAccount lists; undefined where there is no such account. The function itself is missing while
   * nobody knows.
   */
  pullSecretsOf: ((namespace: string, account: string) => readonly string[] | undefined) | undefined;
  /** Which ServiceAccounts a copy had been noted to be listed by, when somebody took it or its annotation away. */
  lastNoted: (namespace: string) => readonly string[];
  /** Nobody has been able to tell for long. */
  accountsOverdue: boolean;
  attempt: (place: string) => Attempt | undefined;
}

/** One change of one copy, or of a ServiceAccount that uses it. */
export type CopyChange = { place: string; wanted: string; namespace: string } & (
  | { do: 'read'; over: CopySeen }
  /** A new one, or the same with all its values. */
  | { do: 'write'; over: CopySeen | undefined; serviceAccounts: readonly string[] }
  /** Metadata alone. */
  | { do: 'label'; over: CopySeen; serviceAccounts: readonly string[] }
  | { do: 'delete'; over: CopySeen }
  | { do: 'list' | 'unlist'; account: string }
);

/** Carry out changes that do not depend on each other. Each that fails is noted as an attempt, and holds up none of the others. */
export interface CopyStep {
  do: 'copy';
  source: CopySource | undefined;
  changes: readonly CopyChange[];
}

/** A namespace, as far as copies go. */
export interface NamespaceSeen {
  name: string;
  labels: Labels;
  going: boolean;
}

/** The namespaces that are selected and agree, by their own label: never the object's own one, and none that goes. */
export function takersOf({ metadata, spec }: Credentialed, namespaces: Iterable<NamespaceSeen>): string[] {
  const { namespaceSelector } = spec.secret.copies ?? {};
  if (namespaceSelector === undefined) return [];
  const consent = `${acceptLabelPrefix}/${metadata.namespace}`;
  const takers: string[] = [];
  for (const { name, labels, going } of namespaces) {
    if (going || name === metadata.namespace || labels[consent] !== 'true') continue;
    if (selects(namespaceSelector, labels)) takers.push(name);
  }
  return takers;
}
