import * as z from 'zod';
import { celText, type Rule, rulesKey } from './schema.ts';

/** The part of JSON schema that a CRD may hold (a structural schema). What a key means: apiextensions `JSONSchemaProps`. */
export interface Structural {
  description?: string;
  type?: string;
  format?: string;
  enum?: readonly string[];
  default?: unknown;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  required?: readonly string[];
  properties?: Record<string, Structural>;
  items?: Structural;
  additionalProperties?: Structural;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-validations'?: readonly Rule[];
}

/** In the order in which a reader wants them. Nothing else may stand in a schema: `lint` refuses the rest. */
export const keywords = [
  'description',
  'type',
  'format',
  'enum',
  'default',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-preserve-unknown-fields',
  rulesKey,
  'required',
  'properties',
  'items',
  'additionalProperties',
] as const satisfies readonly (keyof Structural)[];

/** What zod says about its input side, in the words of a CRD. Whatever has no such words is left for `lint` to refuse. */
export function structural(schema: z.ZodType): Structural {
  return tidied(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', cycles: 'throw' }) as Structural);
}

function tidied(node: Structural): Structural {
  const { properties, items, additionalProperties, ...own } = node;
  const children: Structural = {
    ...(properties && { properties: mapped(properties, tidied) }),
    ...(items && { items: tidied(items) }),
    // Both together are refused, and a list of values that nobody knows says less than the flag.
    ...(additionalProperties &&
      !own['x-kubernetes-preserve-unknown-fields'] && { additionalProperties: tidied(additionalProperties) }),
  };
  return ordered({ ...withoutPattern(withoutSafeBounds(own)), ...children });
}

/** zod bounds integers by what JavaScript can count to; Kubernetes says int64. */
function withoutSafeBounds({ minimum, maximum, ...node }: Structural): Structural {
  const min =
    minimum !== undefined && Number.isSafeInteger(minimum) && minimum !== Number.MIN_SAFE_INTEGER ? { minimum } : {};
  const max = maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER ? { maximum } : {};
  return { ...node, ...min, ...max, ...(node.type === 'integer' && { format: 'int64' }) };
}

/** A pattern that a rule checks already: the rule has the better message, and is asked together with all the others. */
function withoutPattern(node: Structural): Structural {
  const { pattern, ...rest } = node;
  const said = pattern !== undefined && node[rulesKey]?.some(({ rule }) => rule.includes(celText(pattern)));
  return said ? rest : node;
}

const order: readonly string[] = keywords;

function ordered(node: Structural): Structural {
  const rank = (key: string) => {
    const index = order.indexOf(key);
    return index < 0 ? order.length : index;
  };
  return Object.fromEntries(Object.entries(node).toSorted(([a], [b]) => rank(a) - rank(b)));
}

function mapped<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
