import { isDeepStrictEqual } from 'node:util';

/**
 * The JSON merge patch (RFC 7396) that turns one JSON object into another, or undefined when they are equal.
 * Arrays are replaced whole; a key that the target lacks becomes null. The target itself must not hold nulls.
 */
export function mergePatch(from: unknown, to: object): Record<string, unknown> | undefined {
  const before = isObject(from) ? from : {};
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(to)) {
    if (value === undefined || isDeepStrictEqual(before[key], value)) continue;
    patch[key] = isObject(value) && isObject(before[key]) ? (mergePatch(before[key], value) ?? {}) : value;
  }
  const after: Record<string, unknown> = { ...to };
  for (const key of Object.keys(before)) if (after[key] === undefined) patch[key] = null;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
