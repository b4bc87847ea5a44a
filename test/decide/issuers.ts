import { ClusterTokenIssuer, type IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { inUseFinalizer } from '../../src/api/names.ts';
import { decide } from '../../src/decide/issuer.ts';
import {
  type KeySecretSeen,
  keysOf,
  type NewKey,
  type Observed,
  withdrawnKeysOf,
} from '../../src/decide/issuer-seen.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { issuer, now } from './healthy.ts';

export const intact: KeySecretSeen = { state: 'intact' };
export const lost: KeySecretSeen = { state: 'missing', confirmed: true };
export const edited: KeySecretSeen = { state: 'invalid', message: 'holds another key than the one that is published' };

export function key(number: number, alg = 'ES256'): NewKey {
  return { kid: `kid-${number}`, publicJWK: { kty: 'EC', alg }, secretName: `key-${number}` };
}

const { status: _, ...unkeyed } = issuer;
/** With its finalizer and nothing else. */
export const freshIssuer: IssuerOf<'jwt'> = {
  ...unkeyed,
  metadata: { ...issuer.metadata, finalizers: [inUseFinalizer] },
};
/** kid-1 signs since `now`, kid-2 is the next one. */
export const keyed = written(seen({ issuer: freshIssuer, made: [key(1), key(2)] }));

/** The keyed issuer with something else about it, as an operator sees it. */
export function seen(change: Partial<Observed> & { secrets?: Record<string, KeySecretSeen> } = {}): Observed {
  const { issuer: of = keyed, secrets = {} } = change;
  const kids = [...keysOf(of), ...withdrawnKeysOf(of)].map(({ kid }) => kid);
  const keySecrets = new Map(kids.map(kid => [kid, secrets[kid] ?? intact]));
  return {
    issuer: of,
    olderWithURL: undefined,
    made: [],
    credentials: 3,
    unknownCredentials: 0,
    confirmedCredentials: undefined,
    inTheWay: undefined,
    isNeeded: () => true,
    keySecrets,
    ...change,
  };
}

/** The issuer after its next step, which has to be a write of its status. */
export function written(given: Observed, at: Date = now): IssuerOf<'jwt'> {
  const step = decide(given, at);
  if (step.do !== 'write-status') throw new Error(`not a status write: ${step.do}`);
  return ClusterTokenIssuer.parse(applyMergePatch(given.issuer, { status: step.patch })) as IssuerOf<'jwt'>;
}

export const states = (of: IssuerOf<'jwt'>) => of.status?.keys?.map(({ kid, state }) => `${kid} ${state}`);
export const told = (of: IssuerOf<'jwt'>) =>
  of.status?.conditions?.flatMap(({ type, status, reason }) => (status === 'True' ? [`${type}=True, ${reason}`] : []));
