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

// By its format alone the API server also takes `…:00,5Z`, `+99:99` and anything behind a second T: to JavaScript they are no times.
const rfc3339 =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$/;
/** In UTC. Beyond them there is no way to write one. */
const firstTime = Date.parse('0000-01-01T00:00:00Z');
const lastTime = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * A point in time as Kubernetes writes it, RFC 3339. An object that has anything else there cannot be read: an end that is no time would be one that never
 * comes. Its pattern has no rule with a sentence beside it: in CEL such a field is a time already, and no text.
 */
export function time(): z.ZodString {
  return z
    .string()
    .refine(isTime, 'must be a time with its zone, such as 2027-06-30T00:00:00Z')
    .meta({ format: 'date-time', pattern: rfc3339.source });
}

function isTime(text: string): boolean {
  const at = Date.parse(text);
  return rfc3339.test(text) && at >= firstTime && at <= lastTime;
}

/** An object of which only its owner knows the fields; the API server keeps them all. */
export function opaque() {
  return z.record(z.string(), z.unknown()).meta({ 'x-kubernetes-preserve-unknown-fields': true });
}

/** A field that keeps the value it was made with. Optional ones need a rule of their own, at their parent. */
export function immutable<S extends z.ZodType>(schema: S, name: string): S {
  return guarded(schema, { rule: 'self == oldSelf', message: `${name} is immutable` });
}
