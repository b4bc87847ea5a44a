import * as z from 'zod';

/** A CEL rule as a CRD holds it. The message is for the person whose object is refused. */
export interface Rule {
  rule: string;
  message: string;
  /** CEL that makes the message when it must name what was found; `message` stands in the reference page. */
  messageExpression?: string;
  /** The field that the message is about, below the value that the rule guards; left out: that value. */
  fieldPath?: string;
}

/** What a string must look like. The pattern is in the common part of JavaScript and RE2, without flags. */
export interface Form {
  pattern: RegExp;
  /** Completes the sentence "this field …". */
  says: string;
}

export const rulesKey = 'x-kubernetes-validations';

/** Adds CEL rules to a schema, after those that it has. */
export function guarded<S extends z.ZodType>(schema: S, ...rules: Rule[]): S {
  return schema.meta({ [rulesKey]: [...rulesOf(schema), ...rules] });
}

function rulesOf(schema: z.ZodType): readonly unknown[] {
  const rules = schema.meta()?.[rulesKey];
  return Array.isArray(rules) ? rules : [];
}

/**
 * A string of at most `max` characters. Its form is checked by zod and by a CEL rule made from the same pattern: the
 * `pattern` of JSON schema would answer with the bare expression instead of a sentence.
 */
export function text({ max, form }: { max: number; form?: Form }): z.ZodString {
  const schema = z.string().max(max);
  return form === undefined ? schema : guarded(schema.regex(form.pattern, form.says), formRule(form));
}

function formRule({ pattern, says }: Form): Rule {
  return { rule: celMatches('self', pattern), message: says };
}

/** A pattern as a raw CEL string, in which a backslash is itself. JavaScript escapes slashes, which RE2 need not know. */
export function celText(pattern: string): string {
  const source = pattern.replaceAll('\\/', '/');
  if (source.includes("'")) throw new Error(`a pattern with a quote cannot stand in CEL: ${source}`);
  return `r'${source}'`;
}

/** CEL for whether a field looks like that. */
export function celMatches(field: string, pattern: RegExp): string {
  return `${field}.matches(${celText(pattern.source)})`;
}

/** A list without duplicates, in which the order says nothing. */
export function setOf<S extends z.ZodType>(item: S, { min = 0, max }: { min?: number; max: number }): z.ZodArray<S> {
  return listOf(item, min, max).meta({ 'x-kubernetes-list-type': 'set' });
}

/** A list of objects that differ in these fields, so that two appliers can each own items of it. */
export function mapBy<S extends z.ZodType>(
  key: string | readonly string[],
  item: S,
  { min = 0, max }: { min?: number; max: number },
): z.ZodArray<S> {
  return listOf(item, min, max).meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key].flat() });
}

function listOf<S extends z.ZodType>(item: S, min: number, max: number): z.ZodArray<S> {
  const list = z.array(item).max(max);
  return min > 0 ? list.min(min) : list;
}

/** A point in time as Kubernetes writes it, RFC 3339. */
export function time(): z.ZodString {
  return z.string().meta({ format: 'date-time' });
}

/** An object of which only its owner knows the fields; the API server keeps them all. */
export function opaque() {
  return z.record(z.string(), z.unknown()).meta({ 'x-kubernetes-preserve-unknown-fields': true });
}

/** A field that keeps the value it was made with. Optional ones need a rule of their own, at their parent. */
export function immutable<S extends z.ZodType>(schema: S, name: string): S {
  return guarded(schema, { rule: 'self == oldSelf', message: `${name} is immutable` });
}
