import { ClusterTokenIssuer, type IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { inUseFinalizer } from '../../src/api/names.ts';
import { decide } from '../../src/decide/registry-issuer.ts';
import type { AuthoritySeen, LeafSeen, Observed } from '../../src/decide/registry-issuer-seen.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { registry as bare } from './robots.ts';

// A registry issuer that has all it needs, and its CAs.

export const day = 24 * 3600 * 1000;
const start = new Date('2026-11-01T00:00:00Z');
export const inDays = (days: number, from = start) => new Date(from.getTime() + days * day);
export const now = inDays(100);

/** When the first CA needs a successor, and when it hands over. */
export const due = inDays(3650 - 730);
export const last = inDays(3650 - 365);

/** A CA of ten years. */
export const ca = (name: string, from = start): AuthoritySeen => ({
  certificate: `${name}\n`,
  fingerprint: name,
  validFrom: from,
  validTo: inDays(3650, from),
});
export const [first, second] = [ca('first'), ca('second')];
export const leafOf = (by: AuthoritySeen | undefined, from = now): LeafSeen => ({
  state: 'intact',
  by,
  validFrom: from,
  renewAt: inDays(60, from),
});
export const intact = (current: AuthoritySeen, next?: AuthoritySeen) =>
  ({ name: 'the-ca', state: 'intact', current, next }) as const;
export const missing = { name: 'the-ca', state: 'missing' } as const;
export const edited = { name: 'the-ca', state: 'invalid', message: 'cannot be used' } as const;

export const freshIssuer: IssuerOf<'registry'> = {
  ...bare,
  metadata: { ...bare.metadata, finalizers: [inUseFinalizer] },
};

const whole = {
  authoritySecret: intact(first),
  leaf: leafOf(first),
  credentials: 3,
  unknownCredentials: 0,
  confirmedCredentials: undefined,
};

/** A settled issuer with something else about it, as an operator sees it. */
export function seen(change: Partial<Observed> = {}): Observed {
  return { issuer: settled, published: [first], ...whole, ...change };
}

/** The issuer after its next step, which has to be a write of its status. */
export function written(given: Observed, at = now): IssuerOf<'registry'> {
  const step = decide(given, at);
  if (step.do !== 'write-status') throw new Error(`not a status write: ${step.do}`);
  return ClusterTokenIssuer.parse(applyMergePatch(given.issuer, { status: step.patch })) as IssuerOf<'registry'>;
}

export const settled = written({ ...whole, issuer: freshIssuer, published: [] });

export const told = ({ status }: IssuerOf<'registry'>) =>
  status?.conditions?.flatMap(each => (each.status === 'True' ? [`${each.type}=True, ${each.reason}`] : []));
export const message = ({ status }: IssuerOf<'registry'>) => status?.conditions?.[0]?.message;
