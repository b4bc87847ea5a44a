import type * as z from 'zod';
import { createdByAnnotation, group, version } from './names.ts';
import { structureOf } from './structure.ts';

/** A column of `kubectl get`. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'boolean' | 'date';
  jsonPath: string;
  /** Only with `-o wide`. */
  wide?: boolean;
}

/** A kind of botmint: all that the CRD, the reference page and whoever reads its objects need to know. */
export interface Kind<T> {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  shortNames: readonly string[];
  /** Whether `kubectl get botmint` shows its objects. */
  inCategory: boolean;
  columns: readonly Column[];
  /** What `--field-selector` knows beside the metadata. */
  selectableFields: readonly string[];
  schema: z.ZodType<T>;
  /**
   * An object from the API server. Fields that this version does not know are left out, lengths and patterns are not
   * judged again: what a newer CRD accepted must stay readable after a downgrade. Throws a ZodError, which names the
   * field and holds no value, for a type or a word that this version does not know.
   */
  parse(value: unknown): T;
}

/** Completes the description of a kind. */
export function defineKind<T>(
  kind: Omit<Kind<T>, 'group' | 'version' | 'parse' | 'inCategory'> & { inCategory?: boolean },
): Kind<T> {
  const structure = structureOf(kind.schema);
  return { inCategory: true, ...kind, group, version, parse: value => structure.parse(value) };
}

export const readyColumns: readonly Column[] = [
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
];
export const ageColumn: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
export const createdByColumn: Column = {
  name: 'Created by',
  type: 'string',
  jsonPath: `.metadata.annotations.${createdByAnnotation.replaceAll('.', '\\.')}`,
  wide: true,
};
