import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { timestamp, type Verdict } from '../api/conditions.ts';
import { retireKeyAnnotation } from '../api/names.ts';
import { mergePatch } from '../base/merge-patch.ts';
import { inUse, saying, withoutFinalizer } from './issuer-in-use.ts';
import { withdrawnKeysOf } from './issuer-seen.ts';
import { bundleOf, isIn, publicationOf, unknownAuthorities } from './registry-bundle.ts';
import type { AuthoritySecretSeen, AuthoritySeen, LeafSeen, Observed, Step } from './registry-issuer-seen.ts';
import { earliest } from './times.ts';
import { isStopped } from './withdrawn-keys.ts';

const day = 24 * 3600 * 1000;
/** So long before a CA ends its successor stands in the bundle: registries are restarted at least that often. */
export const successorAhead = 730 * day;
/** So long before its end it hands over: a registry that has not been given its successor by then refuses tokens. */
export const handOverAhead = 365 * day;
/** So long people are told of a change that no registry may know yet: a CA that signs, or one that is stopped. */
const newFor = 90 * day;

/**
 * Pure and total. A CA of ten years certifies leaves of ninety days, whose keys sign. Registries read the bundle of CAs only when
 * they start, so a CA is in the bundle long before it signs anything, and stays there until it ends. Only a CA whose Secret somebody
 * deleted is followed by one that no registry knows; what the old one has certified is used until it has to be renewed. One that is
 * stopped leaves the bundle when another one and its leaf are there: until that write, registries believe what is signed.
 */
export function decide(seen: Observed, now: Date): Step {
  const free = withoutFinalizer(seen.issuer);
  if (free !== undefined) return free;
  const isLeaving = seen.issuer.metadata.deletionTimestamp !== undefined;
  const step = chainStep(seen, now);
  // No registry would get to know a new CA of an issuer that goes, but one of which the old one has leaked.
  const isVain = isLeaving && step?.do === 'make' && (step.what === 'authority' || step.what === 'successor');
  if (step !== undefined && !isVain) return step;
  const end = isLeaving ? inUse(seen, 'delete their RobotAccounts') : undefined;
  if (end !== undefined && end.do !== 'say') return end;
  return statusWrite(seen, end?.verdict ?? verdictOf(seen, now), now) ?? { do: 'rest', until: nextTime(seen, now) };
}

/** What the chain lacks; undefined when it is whole, or nothing of ours can make it so. */
function chainStep({ issuer, authoritySecret: secret, leaf, published }: Observed, now: Date): Step | undefined {
  if (secret.state === 'unread') return { do: 'read', what: 'authority' };
  if (secret.state === 'missing') return { do: 'make', what: 'authority' };
  if (secret.state === 'invalid' || now < secret.current.validFrom) return undefined;
  const { current } = secret;
  const next = secret.next !== undefined && isStopped(secret.next.fingerprint, issuer) ? undefined : secret.next;
  if (isStopped(current.fingerprint, issuer))
    return next === undefined ? { do: 'make', what: 'replacement' } : { do: 'promote' };
  if (next === undefined && before(current.validTo, successorAhead) <= now) return { do: 'make', what: 'successor' };
  // Nothing is certified by a successor before it is in the bundle: the status is written first.
  if (next !== undefined && before(current.validTo, handOverAhead) <= now && isIn(published, next))
    return { do: 'promote' };
  if (leaf.state === 'unread') return { do: 'read', what: 'leaf' };
  return current.validTo > now && isLeafDue(leaf, issuer, now) ? { do: 'make', what: 'leaf' } : undefined;
}

/** One from another time is none of use either: a clock was wrong when it was made, or is now. */
function isLeafDue(leaf: LeafSeen, issuer: ClusterTokenIssuer, now: Date): boolean {
  if (leaf.state !== 'intact' || leaf.by === undefined || isStopped(leaf.by.fingerprint, issuer)) return true;
  return leaf.renewAt <= now || now < leaf.validFrom;
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
  const certifies = `the CA ${secret.current.fingerprint} certifies keys`;
  const unknown = unknownAuthorities(seen);
  if (unknown.length > 0) {
    const message = `${retireKeyAnnotation} names ${unknown.join(', ')}, which is no CA of this issuer: correct it by status.rootCertFingerprints, or take it off; ${certifies}`;
    return { state: 'ready', reason: 'KeyNotFound', message };
  }
  const change = withdrawalIn(seen, now) ?? changeOf(bundleOf(seen, now), secret, leaf, now);
  if (change === undefined) return { state: 'ready', reason: 'KeysPublished', message: certifies };
  const message = `${change}: give every registry status.rootCertBundle as its rootcertbundle, and restart it`;
  return { state: 'ready', reason: 'BundleChanged', message };
}

function invalidityOf({ authoritySecret: secret }: Observed, now: Date): string | undefined {
  if (secret.state === 'invalid') return secret.message;
  if (secret.state !== 'intact' || secret.current.validFrom <= now) return undefined;
  return `holds a CA that is valid from ${timestamp(secret.current.validFrom)} on, which the clock has not reached`;
}

/** Which CAs were stopped lately; undefined when registries have had the time. */
function withdrawalIn(seen: Observed, now: Date): string | undefined {
  const { withdrawnKeys = [] } = publicationOf(seen, now).fields;
  const kids = withdrawnKeys.flatMap(({ kid, since }) => (newUntil(since) > now ? [kid] : []));
  return kids.length === 0
    ? undefined
    : `the bundle no longer holds ${kids.join(', ')}, as ${retireKeyAnnotation} asks`;
}

/** Which CA registries have to be told of; undefined when they have had the time. */
function changeOf(
  bundle: readonly AuthoritySeen[],
  { current, next }: AuthoritySecretSeen & { state: 'intact' },
  leaf: LeafSeen & { state: 'intact' },
  now: Date,
): string | undefined {
  if (next !== undefined) {
    return `from ${timestamp(before(current.validTo, handOverAhead))} on the new CA ${next.fingerprint} certifies keys`;
  }
  if (leaf.by !== undefined && leaf.by.fingerprint !== current.fingerprint && newUntil(current.validFrom) > now) {
    return `from ${timestamp(leaf.renewAt)} on the new CA ${current.fingerprint} certifies keys`;
  }
  if (bundle.length < 2 || newUntil(current.validFrom) <= now) return undefined;
  return `the new CA ${current.fingerprint} certifies keys already`;
}

function newUntil(since: Date | string): Date {
  return new Date(new Date(since).getTime() + newFor);
}

function statusWrite(seen: Observed, verdict: Verdict, now: Date): Step | undefined {
  const { issuer } = seen;
  const { fields, isNews } = publicationOf(seen, now);
  const patch = mergePatch(issuer.status, { ...issuer.status, ...fields, ...saying(issuer, verdict, now) });
  return patch && { do: 'write-status', patch, because: isNews ? 'bundle' : 'state', verdict };
}

/** The next time at which something is due by itself. */
function nextTime(seen: Observed, now: Date): Date | undefined {
  const { issuer, authoritySecret: secret, leaf } = seen;
  const ends = bundleOf(seen, now).map(({ validTo }) => validTo);
  const own =
    secret.state !== 'intact'
      ? []
      : [
          before(secret.current.validTo, secret.next === undefined ? successorAhead : handOverAhead),
          secret.current.validFrom,
          newUntil(secret.current.validFrom),
        ];
  const renewal = leaf.state === 'intact' ? [leaf.renewAt] : [];
  const news = withdrawnKeysOf(issuer).map(({ since }) => newUntil(since));
  return earliest(...[...ends, ...own, ...renewal, ...news].filter(time => time > now));
}

function before(time: Date, milliseconds: number): Date {
  return new Date(time.getTime() - milliseconds);
}
