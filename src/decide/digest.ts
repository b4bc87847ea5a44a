import { createHash, createHmac } from 'node:crypto';
import type { SecretValue } from '../base/secret-value.ts';

/**
 * A keyed digest of a Secret's data: `<key id>.<HMAC-SHA-256>`. It shows an edit and gives nothing away: without the
 * operator's key nobody can try values against it. The key id tells digests of a lost key apart from edits.
 */
export function digestOf(data: ReadonlyMap<string, SecretValue>, key: SecretValue): string {
  const mac = createHmac('sha256', key.reveal());
  for (const name of [...data.keys()].sort()) {
    const value = data.get(name)?.reveal() ?? '';
    mac.update(`${name.length}:${name}${Buffer.byteLength(value)}:`).update(value);
  }
  return `${keyID(key)}.${mac.digest('base64url')}`;
}

function keyID(key: SecretValue): string {
  return createHash('sha256').update('botmint digest key').update(key.reveal()).digest('base64url').slice(0, 8);
}

/** Whether two digests speak of the same data. Digests under different keys cannot be compared: nothing is concluded from them. */
export function differ(a: string, b: string): boolean {
  return a !== b && a.split('.')[0] === b.split('.')[0];
}

/** Shows that an index of the status lists was given to this credential by whoever has the operator's key. */
export function statusListTag(of: { namespace: string; tokenID: string; index: number }, key: SecretValue): string {
  const mac = createHmac('sha256', key.reveal()).update('botmint status list');
  return mac.update(`${of.namespace}/${of.tokenID}/${of.index}`).digest('base64url');
}
