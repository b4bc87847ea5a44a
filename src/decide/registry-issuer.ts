import type { IssuerOf } from '../api/cluster-token-issuer.ts';
import { timestamp, type Verdict } from '../api/conditions.ts';
import { mergePatch } from '../base/merge-patch.ts';
import { inUse, saying, type UseSeen, withoutFinalizer } from './issuer-in-use.ts';
import { earliest } from './times.ts';

const day = 24 * 3600 * 1000;
/** So long before a CA ends its successor stands in the bundle: registries are restarted at least that often. */
export const successorAhead = 730 * day;
/** So long before its end it hands over: a registry that has not been given its successor by then refuses tokens. */
export const handOverAhead = 365 * day;
/** So long people are told of a CA that signs though no registry may know it yet. */
const newFor = 90 * day;
/** A bundle of more is a sign of somebody who deletes Secrets again and again. */
export const mostAuthorities = 8;

/** The certificate of a CA. */
export interface AuthoritySeen {
  /** In PEM. */
  certificate: string;
  fingerprint: string;
  validFrom: Date;
  validTo: Date;
}

/** The Secret of the CA: the one that signs leaves, and its successor where there is one. */
export type AuthoritySecretSeen =
  | { state: 'missing' }
  /** It has not been looked at since it changed. */
  | { state: 'unread' }
  /** It holds no CA. */
  | { state: 'invalid'; message: string }
  | { state: 'intact'; current: AuthoritySeen; next: AuthoritySeen | undefined };

/** The Secret of the leaf, whose key signs tokens. */
export type LeafSeen =
  | { state: 'missing' | 'unread' | 'invalid' }
  /** `by`: which CA of the bundle or of the Secret has signed it. */
  | { state: 'intact'; by: AuthoritySeen | undefined; validFrom: Date; renewAt: Date };

export interface Observed extends UseSeen {
  issuer: IssuerOf<'registry'>;
  /** What `status.rootCertBundle` holds. */
  published: readonly AuthoritySeen[];
  authoritySecret: { name: string } & AuthoritySecretSeen;
  leaf: LeafSeen;
}

export type Step =
  | { do: 'add-finalizer' }
  | { do: 'remove-finalizer' }
  /** Count its credentials live: the cache alone never takes the finalizer off. */
  | { do: 'confirm-credentials' }
  /** Read the Secret live. */
  | { do: 'read'; what: 'authority' | 'leaf' }
  /** A new CA in a new Secret, a successor beside the CA that is there, or a new leaf in the place of the old one. */
  | { do: 'make'; what: 'authority' | 'successor' | 'leaf' }
  /** The successor takes the place of the CA. */
  | { do: 'promote' }
  /** `bundle`: registries have to be given a new CA, and people are told, whatever the conditions said before. */
  | { do: 'write-status'; patch: object; because: 'bundle' | 'state'; verdict: Verdict }
  | { do: 'rest'; until: Date | undefined };

/**
 * Pure and total. A CA of ten years certifies leaves of ninety days, whose keys sign. Registries read the bundle of CAs only when
 * they start, so a CA is in the bundle long before it signs anything, and stays there until it ends. Only a CA whose Secret somebody
 * deleted is followed by one that no registry knows; what the old one has certified is used until it has to be renewed.
 */
export function decide(seen: Observed, now: Date): Step {
  const free = withoutFinalizer(seen.issuer);
  if (free !== undefined) return free;
  const isLeaving = seen.issuer.metadata.deletionTimestamp !== undefined;
  const step = chainStep(seen, now);
  // No registry would get to know a new CA of an issuer that goes.
  if (step !== undefined && !(isLeaving && step.do === 'make' && step.what !== 'leaf')) return step;
  const end = isLeaving ? inUse(seen, 'delete their RobotAccounts') : undefined;
  if (end !== undefined && end.do !== 'say') return end;
  return statusWrite(seen, end?.verdict ?? verdictOf(seen, now), now) ?? { do: 'rest', until: nextTime(seen, now) };
}

/** What the chain lacks; undefined when it is whole, or nothing of ours can make it so. */
function chainStep({ authoritySecret: secret, leaf, published }: Observed, now: Date): Step | undefined {
  if (secret.state === 'unread') return { do: 'read', what: 'authority' };
  if (secret.state === 'missing') return { do: 'make', what: 'authority' };
  if (secret.state === 'invalid' || now < secret.current.validFrom) return undefined;
  const { current, next } = secret;
  if (next === undefined && before(current.validTo, successorAhead) <= now) return { do: 'make', what: 'successor' };
  // Nothing is certified by a successor before it is in the bundle: the status is written first.
  if (next !== undefined && before(current.validTo, handOverAhead) <= now && isIn(published, next))
    return { do: 'promote' };
  if (leaf.state === 'unread') return { do: 'read', what: 'leaf' };
  return current.validTo > now && isLeafDue(leaf, now) ? { do: 'make', what: 'leaf' } : undefined;
}

/** One from another time is none of use either: a clock was wrong when it was made, or is now. */
function isLeafDue(leaf: LeafSeen, now: Date): boolean {
  return leaf.state !== 'intact' || leaf.by === undefined || leaf.renewAt <= now || now < leaf.validFrom;
}

/** The bundle as it should be: what was published stays until it ends, and what the Secret holds comes in. */
function bundleOf({ published, authoritySecret: secret, leaf }: Observed, now: Date): readonly AuthoritySeen[] {
  const own = secret.state === 'intact' ? [secret.current, secret.next].filter(ca => ca !== undefined) : [];
  const valid = published.filter(({ validTo }) => now < validTo);
  const all = [...valid, ...own.filter(ca => !isIn(valid, ca))];
  const by = leaf.state === 'intact' ? leaf.by : undefined;
  const needed = all.filter(ca => isIn(own, ca) || ca.fingerprint === by?.fingerprint);
  const others = all.filter(ca => !needed.includes(ca));
  const kept = new Set([...needed, ...others.slice(Math.max(0, others.length + needed.length - mostAuthorities))]);
  return all.filter(ca => kept.has(ca));
}

function verdictOf(seen: Observed, now: Date): Verdict {
  const { authoritySecret: secret, leaf } = seen;
  const invalid = invalidityOf(seen, now);
  if (invalid !== undefined) {
    const remedy =
      'restore it from a backup, or delete it: a new CA is made, which every registry then has to be given';
    return { state: 'stalled', reason: 'SigningKeyInvalid', message: `Secret ${secret.name} ${invalid}: ${remedy}` };
  }
  if (secret.state !== 'intact' || leaf.state !== 'intact') {
    return { state: 'reconciling', reason: 'KeysPublished', message: 'the signing chain is being made' };
  }
  const change = changeOf(bundleOf(seen, now), secret, leaf, now);
  if (change === undefined) {
    return { state: 'ready', reason: 'KeysPublished', message: `the CA ${secret.current.fingerprint} certifies keys` };
  }
  const message = `${change}: give every registry status.rootCertBundle as its rootcertbundle, and restart it`;
  return { state: 'ready', reason: 'BundleChanged', message };
}

function invalidityOf({ authoritySecret: secret }: Observed, now: Date): string | undefined {
  if (secret.state === 'invalid') return secret.message;
  if (secret.state !== 'intact' || secret.current.validFrom <= now) return undefined;
  return `holds a CA that is valid from ${timestamp(secret.current.validFrom)} on, which the clock has not reached`;
}

/** What registries have to be told; undefined when they have had the time. */
function changeOf(
  bundle: readonly AuthoritySeen[],
  { current, next }: AuthoritySecretSeen & { state: 'intact' },
  leaf: LeafSeen & { state: 'intact' },
  now: Date,
): string | undefined {
  if (next !== undefined) {
    return `from ${timestamp(before(current.validTo, handOverAhead))} on the new CA ${next.fingerprint} certifies keys`;
  }
  if (leaf.by !== undefined && leaf.by.fingerprint !== current.fingerprint && newUntil(current) > now) {
    return `from ${timestamp(leaf.renewAt)} on the new CA ${current.fingerprint} certifies keys`;
  }
  if (bundle.length < 2 || newUntil(current) <= now) return undefined;
  return `the new CA ${current.fingerprint} certifies keys already`;
}

function newUntil({ validFrom }: AuthoritySeen): Date {
  return new Date(validFrom.getTime() + newFor);
}

function statusWrite(seen: Observed, verdict: Verdict, now: Date): Step | undefined {
  const { issuer, published } = seen;
  const bundle = bundleOf(seen, now);
  const text = bundle.map(({ certificate }) => certificate).join('');
  const fields = { rootCertBundle: text === '' ? undefined : text, ...saying(issuer, verdict, now) };
  const patch = mergePatch(issuer.status, { ...issuer.status, ...fields });
  if (patch === undefined) return undefined;
  const isNews = published.length > 0 && bundle.some(ca => !isIn(published, ca));
  return { do: 'write-status', patch, because: isNews ? 'bundle' : 'state', verdict };
}

/** The next time at which something is due by itself. */
function nextTime(seen: Observed, now: Date): Date | undefined {
  const { authoritySecret: secret, leaf } = seen;
  const ends = bundleOf(seen, now).map(({ validTo }) => validTo);
  const own =
    secret.state !== 'intact'
      ? []
      : [
          before(secret.current.validTo, secret.next === undefined ? successorAhead : handOverAhead),
          secret.current.validFrom,
          newUntil(secret.current),
        ];
  const renewal = leaf.state === 'intact' ? [leaf.renewAt] : [];
  return earliest(...[...ends, ...own, ...renewal].filter(time => time > now));
}

function isIn(authorities: readonly AuthoritySeen[], { fingerprint }: AuthoritySeen): boolean {
  return authorities.some(other => other.fingerprint === fingerprint);
}

function before(time: Date, milliseconds: number): Date {
  return new Date(time.getTime() - milliseconds);
}
