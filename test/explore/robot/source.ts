/** The Secret with an own secret, as a world keeps it. */
export interface Source {
  metadata: { uid: string; resourceVersion: string };
  /** Its resourceVersion, as records have it: it stays what it is whatever the world renumbers. */
  at: string;
  /** Undefined: it has other keys. */
  value: string | undefined;
}

const plain = { resourceVersion: '' };

/** What people put there, one after the other. */
export const sources = {
  first: { metadata: { ...plain, uid: 'source-1' }, at: '1', value: 'own:A' },
  second: { metadata: { ...plain, uid: 'source-1' }, at: '2', value: 'own:B' },
  /** The same value, in a Secret that was made anew. */
  anew: { metadata: { ...plain, uid: 'source-2' }, at: '3', value: 'own:A' },
  weak: { metadata: { ...plain, uid: 'source-1' }, at: '4', value: 'weak' },
  keyless: { metadata: { ...plain, uid: 'source-1' }, at: '5', value: undefined },
} as const satisfies { readonly [name: string]: Source };

export function brokenRulesOf({ value }: Source): readonly string[] {
  return value === 'weak' ? ['a digit'] : [];
}
