import type { Pair } from '../base/certificates.ts';
import { type Authority, readAuthority } from '../issuers/registry/authorities.ts';
import { RegistryKeyInvalid, type RegistrySigner, readSigner } from '../issuers/registry/signer.ts';
import { type Metadata, type Secret, secretText } from '../kube/core-kinds.ts';

// How a signing chain stands in Secrets.

/** What signs now. */
export const authorityKeys = { certificate: 'tls.crt', key: 'tls.key' };
/** Beside it: the CA that takes over. */
export const successorKeys = { certificate: 'next.crt', key: 'next.key' };

/** A Secret as it was at one resourceVersion. */
export type Reading<T> = { uid: string; resourceVersion: string } & ({ found: T } | { invalid: string });

/** What the Secret of a CA holds. */
export interface Authorities {
  current: Authority;
  next: Authority | undefined;
}

/** What the Secret of a leaf holds. */
export interface Leaf {
  certificate: string;
  signer: RegistrySigner;
}

/** What a Secret was found to hold, and nothing of what it holds instead. */
export function reading<T>({ metadata: { uid, resourceVersion } }: Metadata, parse: () => T): Reading<T> {
  try {
    return { uid, resourceVersion, found: parse() };
  } catch (error) {
    if (!(error instanceof RegistryKeyInvalid)) throw error;
    return { uid, resourceVersion, invalid: `cannot be used: ${error.message}` };
  }
}

/** A CA and its successor. A successor that somebody edited is none: another one is made. */
export function authoritiesIn(secret: Secret): Authorities {
  const current = pairOf(secret, authorityKeys);
  if (current === undefined) throw new RegistryKeyInvalid('it lacks tls.crt or tls.key');
  const successor = pairOf(secret, successorKeys);
  return { current: readAuthority(current), next: successor && usable(successor) };
}

function usable(pair: Pair): Authority | undefined {
  try {
    return readAuthority(pair);
  } catch (error) {
    if (!(error instanceof RegistryKeyInvalid)) throw error;
    return undefined;
  }
}

/** The leaf. */
export function leafIn(secret: Secret): Leaf {
  const pair = pairOf(secret, authorityKeys);
  if (pair === undefined) throw new RegistryKeyInvalid('it lacks tls.crt or tls.key');
  return { certificate: pair.certificate, signer: readSigner(pair) };
}

/** A certificate and its key under these names, whatever they are. */
export function pairOf(secret: Secret, keys: { certificate: string; key: string }): Pair | undefined {
  const certificate = secretText(secret, keys.certificate)?.reveal();
  const key = secretText(secret, keys.key);
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

/** The same as the data of a Secret. */
export function encoded(
  { certificate, key }: Pair,
  keys: { certificate: string; key: string },
): { [key: string]: string } {
  return {
    [keys.certificate]: Buffer.from(certificate).toString('base64'),
    [keys.key]: Buffer.from(key.reveal()).toString('base64'),
  };
}
