import { timestamp } from '../api/conditions.ts';
import { withdrawnKeysOf } from './issuer-seen.ts';
import type { AuthoritySecretSeen, AuthoritySeen, Observed } from './registry-issuer-seen.ts';
import { isStopped, namedKeys, remembered } from './withdrawn-keys.ts';

/** A bundle of more is a sign of somebody who deletes Secrets again and again. */
export const mostAuthorities = 8;

/** The bundle as it should be: what was published stays until it ends or is stopped, and what the Secret holds comes in. */
export function bundleOf({ issuer, published, authoritySecret, leaf }: Observed, now: Date): readonly AuthoritySeen[] {
  const own = ownOf(authoritySecret);
  const valid = published.filter(({ validTo }) => now < validTo);
  const all = [...valid, ...own.filter(ca => !isIn(valid, ca))].filter(ca => !isStopped(ca.fingerprint, issuer));
  const by = leaf.state === 'intact' ? leaf.by : undefined;
  const needed = all.filter(ca => isIn(own, ca) || ca.fingerprint === by?.fingerprint);
  const others = all.filter(ca => !needed.includes(ca));
  const kept = new Set([...needed, ...others.slice(Math.max(0, others.length + needed.length - mostAuthorities))]);
  return all.filter(ca => kept.has(ca));
}

/** What the status says of the CAs: the bundle, and those that were taken out of it for good. */
export function publicationOf(seen: Observed, now: Date) {
  const { issuer, published, authoritySecret } = seen;
  const bundle = bundleOf(seen, now);
  const recorded = withdrawnKeysOf(issuer);
  const stopped = published
    .map(({ fingerprint: kid }) => kid)
    .filter(kid => isStopped(kid, issuer) && !recorded.some(key => key.kid === kid))
    .map(kid => ({ kid, since: timestamp(now), secretName: authoritySecret.name }));
  const withdrawnKeys = remembered([...recorded, ...stopped], issuer);
  const fields = {
    rootCertBundle: bundle.length === 0 ? undefined : bundle.map(({ certificate }) => certificate).join(''),
    rootCertFingerprints: bundle.length === 0 ? undefined : bundle.map(({ fingerprint }) => fingerprint),
    withdrawnKeys: withdrawnKeys.length === 0 ? undefined : withdrawnKeys,
  };
  const isNew = published.length > 0 && bundle.some(ca => !isIn(published, ca));
  return { fields, isNews: isNew || stopped.length > 0 };
}

/** The fingerprints that people ask to stop and that are none of a CA of this issuer. */
export function unknownAuthorities({ issuer, published, authoritySecret }: Observed): readonly string[] {
  const known = [...published, ...ownOf(authoritySecret)].map(({ fingerprint }) => fingerprint);
  const withdrawn = withdrawnKeysOf(issuer).map(({ kid }) => kid);
  return namedKeys(issuer).filter(kid => !known.includes(kid) && !withdrawn.includes(kid));
}

export function isIn(authorities: readonly AuthoritySeen[], { fingerprint }: AuthoritySeen): boolean {
  return authorities.some(other => other.fingerprint === fingerprint);
}

/** The CAs of the Secret. */
export function ownOf(secret: AuthoritySecretSeen): readonly AuthoritySeen[] {
  return secret.state === 'intact' ? [secret.current, secret.next].filter(ca => ca !== undefined) : [];
}
