import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { bad } from './bad-cases.ts';
import { good } from './good-cases.ts';

const server = { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
const stored = <Sample extends { object: { metadata: object } }>({ object }: Sample) => ({
  ...JSON.parse(JSON.stringify(object)),
  metadata: { ...object.metadata, ...server },
});

describe('zod agrees with the API server', () => {
  test.each(good.map(sample => [sample.says, sample] as const))('%s is accepted', (_, sample) => {
    expect(refusals(sample.kind.schema, stored(sample))).toEqual([]);
  });

  test.each(bad.filter(({ by }) => by === 'both'))('$says is refused at $field', sample => {
    expect(refusals(sample.kind.schema, stored(sample))).toContain(sample.field);
  });
});

describe('reading what another version of the CRD accepted', () => {
  const refusedByZod = bad.filter(({ by }) => by === 'both');
  const admissions = ['too_big', 'too_small', 'invalid_format'];
  const isAdmissions = (sample: (typeof bad)[number]) =>
    issues(sample.kind.schema, stored(sample)).every(({ code }) => admissions.includes(code));

  test.each(refusedByZod.filter(isAdmissions))('$says: can be read', sample => {
    expect(sample.kind.parse(stored(sample)).spec).toMatchObject(stored(sample).spec);
  });

  test.each(refusedByZod.filter(sample => !isAdmissions(sample)))('$says: is not taken for something else', sample => {
    expect(() => sample.kind.parse(stored(sample))).toThrow(z.ZodError);
  });
});

function refusals(schema: z.ZodType, object: unknown): string[] {
  return issues(schema, object).map(({ path }) => pathOf(path));
}

function issues(schema: z.ZodType, object: unknown): z.core.$ZodIssue[] {
  return schema.safeParse(object).error?.issues ?? [];
}

/** A path as the API server writes it. */
function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((at, part) => {
    if (typeof part === 'number' || at.endsWith('.labels')) return `${at}[${String(part)}]`;
    return at === '' ? String(part) : `${at}.${String(part)}`;
  }, '');
}
