import * as z from 'zod';

/**
 * The same schema without the checks that are admission's business: lengths, patterns, ranges. Types, required fields,
 * defaults, closed lists of words and refinements stay.
 */
export function structureOf<S extends z.ZodType>(schema: S): S;
export function structureOf(schema: z.ZodType): z.ZodType {
  const checks = schema.def.checks?.filter(check => check._zod.def.check === 'custom');
  return schema.clone({ ...schema.def, ...children(schema), ...(checks && { checks }) });
}

function children(schema: z.ZodType): object {
  if (schema instanceof z.ZodObject) {
    const fields = Object.entries<z.ZodType>(schema.shape);
    return { shape: Object.fromEntries(fields.map(([name, field]) => [name, structureOf(field)])) };
  }
  if (schema instanceof z.ZodArray && schema.element instanceof z.ZodType)
    return { element: structureOf(schema.element) };
  if (schema instanceof z.ZodRecord && schema.valueType instanceof z.ZodType)
    return { valueType: structureOf(schema.valueType) };
  if ('innerType' in schema.def && schema.def.innerType instanceof z.ZodType)
    return { innerType: structureOf(schema.def.innerType) };
  return {};
}
