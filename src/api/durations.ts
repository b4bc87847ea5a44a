import type * as z from 'zod';
import { celMatches, type Form, text } from './schema.ts';

const secondsPerUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, mo: 2_592_000 };

const number = '([1-9][0-9]{0,4}(s|m|h|d)|[1-9][0-9]{0,2}mo)';
const says =
  'must be a whole number and one unit: s, m, h, d or mo (a month of 30 days), such as 90d; at most 99999 (999 of mo)';

const finite: Form = { pattern: new RegExp(`^${number}$`), says };
const finiteOrNone: Form = { pattern: new RegExp(`^(0s|${number})$`), says: `${says}; or 0s` };
const finiteOrNever: Form = { pattern: new RegExp(`^(never|${number})$`), says: `${says}; or never` };

const daysOrNever: Form = {
  pattern: /^(never|[1-9][0-9]{0,4}d|[1-9][0-9]{0,2}mo)$/,
  says: 'must be whole days or months of 30 days, such as 90d or 12mo; or never',
};

/** A length of time that ends: the schema of a field. */
export function duration(): z.ZodString {
  return text({ max: 32, form: finite });
}

/** A length of time that may also be none at all, `0s`: the schema of a field. */
export function durationOrNone(): z.ZodString {
  return text({ max: 32, form: finiteOrNone });
}

/** A length of time, or `never`: the schema of a field. */
export function lifetime(): z.ZodString {
  return text({ max: 32, form: finiteOrNever });
}

/** A length of time in days, or `never`: the schema of a field. */
export function lifetimeInDays(): z.ZodString {
  return text({ max: 32, form: daysOrNever });
}

/** The length in seconds, or 'never'. Throws for a text that the fields above refuse. */
export function parseDuration(text: string): number | 'never' {
  if (text === 'never') return 'never';
  const [, digits, unit = ''] = /^([0-9]+)([a-z]+)$/.exec(text) ?? [];
  const seconds = secondsPerUnit[unit];
  if (digits === undefined || seconds === undefined)
    throw new RangeError(`not a length of time: ${JSON.stringify(text)}`);
  return Number(digits) * seconds;
}

/** CEL for the seconds of a field that is not `never`; use it behind `isDuration`, because it fails on anything else. */
export function celSeconds(field: string): string {
  const units = Object.entries(secondsPerUnit).map(([unit, seconds]) => `'${unit}': ${seconds}`);
  return `int(${field}.find('^[0-9]+')) * {${units.join(', ')}}[${field}.find('[a-z]+$')]`;
}

/** CEL for whether a field is a length of time that ends. Where it is not, another rule has said so already. */
export function celIsDuration(field: string): string {
  return celMatches(field, finiteOrNone.pattern);
}
