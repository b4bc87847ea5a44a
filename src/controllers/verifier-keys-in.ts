import type { SecretValue } from '../base/secret-value.ts';
import type { Secret } from '../kube/core-kinds.ts';

const pattern = /^verifier-([1-9]\d{0,5})\.key$/;
export const firstVerifierKeyName = 'verifier-1.key';
/** Of 128 bits; less is a slip of whoever wrote it. */
const fewestBytes = 16;

/**
 * The keys for verifiers in the operator's Secret, by number, the highest last, and the names of those that are too short to be one. A key
 * is its base64 as the API server writes it: every byte counts, whatever the bytes are.
 */
export function verifierKeysIn({ data }: Secret): { keys: ReadonlyMap<number, SecretValue>; broken: string[] } {
  const keys: [number, SecretValue][] = [];
  const broken: string[] = [];
  for (const [name, value] of Object.entries(data)) {
    const number = Number(pattern.exec(name)?.[1]);
    if (Number.isNaN(number)) continue;
    if (Buffer.from(value.reveal(), 'base64').length < fewestBytes) broken.push(name);
    else keys.push([number, value]);
  }
  return { keys: new Map(keys.sort(([a], [b]) => a - b)), broken };
}
