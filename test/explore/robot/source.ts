import { firstKey, type Key } from './verifying.ts';

/** The Secret with an own secret, as a world keeps it. */
export interface Source {
  uid: string;
  /** Its resourceVersion, as records have it: it stays what it is whatever the world renumbers. */
  at: string;
  /** Undefined: it has other keys. */
  value: string | undefined;
}

/** What stands beside robots, and is heard of by itself. */
export interface Surroundings {
  metadata: { uid: string; resourceVersion: string };
  source?: Source | undefined;
  /** The keys of verifiers in the operator's Secret, the newest last. */
  keys: readonly [...Key[], Key];
}

export const surroundings: Surroundings = { metadata: { uid: 'surroundings', resourceVersion: '' }, keys: [firstKey] };

/** What people put there, one after the other. */
export const sources = {
  first: { uid: 'source-1', at: '1', value: 'own:A' },
  second: { uid: 'source-1', at: '2', value: 'own:B' },
  /** The same value, in a Secret that was made anew. */
  anew: { uid: 'source-2', at: '3', value: 'own:A' },
  weak: { uid: 'source-1', at: '4', value: 'weak' },
  keyless: { uid: 'source-1', at: '5', value: undefined },
} as const satisfies { readonly [name: string]: Source };

/** The same value, in a Secret that was written once more. */
export function touched(source: Source): Source {
  return { ...source, at: `${source.at}+` };
}

export function brokenRulesOf({ value }: Source): readonly string[] {
  return value === 'weak' ? ['a digit'] : [];
}
