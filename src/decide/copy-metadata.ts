import * as z from 'zod';
import {
  copyAnnotation,
  managedCopy,
  managedLabel,
  ownerAnnotation,
  ownerUIDAnnotation,
  tokenIDAnnotation,
} from '../api/names.ts';
import { parsedJSON } from '../base/json.ts';
import { dropped, type Owner, type SecretMetadata } from './secret-metadata.ts';

/** The Secret that copies are made from, as it was read. */
export interface CopySource {
  uid: string;
  resourceVersion: string;
  tokenID: string;
  digest: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
}

/** What a copy says of itself beside whose it is. */
export interface CopyMarks {
  /** The digest of the data that it was made from. */
  digest: string;
  /** The keys of the template: one that it has no more is to be taken away. */
  labels: readonly string[];
  annotations: readonly string[];
  /** The ServiceAccounts whose lists were given its name. A name that somebody else put there is never taken out. */
  serviceAccounts: readonly string[];
}

const Marks = z.looseObject({
  format: z.literal(1),
  digest: z.string(),
  labels: z.array(z.string()),
  annotations: z.array(z.string()),
  serviceAccounts: z.array(z.string()),
});

/** What the annotation says; undefined when it is gone, or in a form that this version does not know: the copy is then made anew. */
export function copyMarksOf({ annotations }: SecretMetadata): CopyMarks | undefined {
  return Marks.safeParse(parsedJSON(annotations?.[copyAnnotation])).data;
}

/**
 * The object that a copy belongs to, as its copies name it. With a namespace, so that no object of this name in the
 * namespace of a copy ever takes it for its own predecessor's Secret.
 */
function copyOwnerOf({ kind, object: { metadata } }: Owner): string {
  return `${kind.name}/${metadata.namespace}/${metadata.name}`;
}

/** Whose copy a Secret is: by its owner's UID, and by what its owner is named. Undefined for every other Secret. */
export function ownerOfCopy({
  annotations,
}: SecretMetadata): { uid: string; kind: string; namespace: string; name: string } | undefined {
  const uid = annotations?.[ownerUIDAnnotation];
  const [kind, namespace, name, ...more] = annotations?.[ownerAnnotation]?.split('/') ?? [];
  if (uid === undefined || kind === undefined || namespace === undefined || name === undefined) return undefined;
  return more.length === 0 ? { uid, kind, namespace, name } : undefined;
}

/** Everything botmint writes into the metadata of a copy. */
export function wantedCopyMetadata(of: Owner, source: CopySource, serviceAccounts: readonly string[]) {
  const marks: CopyMarks & { format: 1 } = {
    format: 1,
    digest: source.digest,
    labels: Object.keys(source.labels),
    annotations: Object.keys(source.annotations),
    serviceAccounts,
  };
  return {
    labels: { ...source.labels, [managedLabel]: managedCopy },
    annotations: { ...source.annotations, ...ownMarks(of, source), [copyAnnotation]: JSON.stringify(marks) },
  };
}

function ownMarks(of: Owner, { tokenID }: CopySource): Record<string, string> {
  return {
    [ownerAnnotation]: copyOwnerOf(of),
    [ownerUIDAnnotation]: of.object.metadata.uid,
    [tokenIDAnnotation]: tokenID,
  };
}

/** Whether the metadata is what it should be, whatever ServiceAccounts it names. */
export function isCopyLabelled(seen: SecretMetadata, of: Owner, source: CopySource): boolean {
  const marks = copyMarksOf(seen);
  return (
    marks !== undefined &&
    sameKeys(marks.labels, source.labels) &&
    sameKeys(marks.annotations, source.annotations) &&
    seen.labels?.[managedLabel] === managedCopy &&
    holds(seen.labels, source.labels) &&
    holds(seen.annotations, source.annotations) &&
    holds(seen.annotations, ownMarks(of, source))
  );
}

/** The merge patch of the metadata of a copy that is there: what an earlier template had is taken away, what others put there stays. */
export function relabelledCopy(
  seen: SecretMetadata,
  of: Owner,
  source: CopySource,
  serviceAccounts: readonly string[],
) {
  const wanted = wantedCopyMetadata(of, source, serviceAccounts);
  const { labels = [], annotations = [] } = copyMarksOf(seen) ?? {};
  return {
    labels: { ...dropped(keyed(labels), wanted.labels), ...wanted.labels },
    annotations: { ...dropped(keyed(annotations), wanted.annotations), ...wanted.annotations },
  };
}

function keyed(keys: readonly string[]): object {
  return Object.fromEntries(keys.map(key => [key, '']));
}

function sameKeys(keys: readonly string[], of: object): boolean {
  const wanted = Object.keys(of);
  return keys.length === wanted.length && wanted.every(key => keys.includes(key));
}

function holds(seen: Readonly<Record<string, string>> | undefined, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => seen?.[key] === value);
}
