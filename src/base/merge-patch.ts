import { isDeepStrictEqual } from 'node:util';

/**
 * The JSON merge patch (RFC 7396) that turns one JSON object into another, or undefined when they are equal.
 * Arrays are replaced whole; a key that the target lacks becomes null. The target itself must not hold nulls.
 */
export function mergePatch(from: unknown, to: object): Record<string, unknown> | undefined {
  const before = isObject(from) ? from : {};
  const patch: Record<string, unknown> = {};
  const after = new Map(Object.entries(to).filter(([, value]) => value !== undefined));
  for (const [key, value] of after) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    const change = isObject(old) && isObject(value) ? mergePatch(old, value) : value;
    if (change !== undefined && !isDeepStrictEqual(old, value)) patch[key] = change;
  }
  for (const key of Object.keys(before)) if (!after.has(key)) patch[key] = null;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
