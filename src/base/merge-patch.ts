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

/** What a JSON merge patch makes of an object (RFC 7396 section 2). */
export function patched(target: unknown, patch: object): Record<string, unknown> {
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, isObject(value) ? patched(result.get(key), value) : value);
  }
  return Object.fromEntries(result);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
