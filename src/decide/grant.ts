import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { type Reason, timestamp, type Verdict } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import { replaceAnnotation, rotateAnnotation } from '../api/names.ts';
import { isPast } from '../api/object.ts';
import type { Permission } from '../api/permissions.ts';
import type { Excess } from './limits.ts';
import { allowsNamespace, type Labels } from './selector.ts';
import { wholeSeconds } from './times.ts';

/** What any credential should be made from, by the spec of the moment. */
export interface CommonWish {
  /** Whom it speaks for, in its issuer's words. */
  username: string;
  issuer: { kind: 'ClusterTokenIssuer'; name: string; uid: string };
  expiresIn: string;
  /** The absolute end (the BotUser's, the robot's), where there is one. */
  notAfter: string | undefined;
  /** The values of the annotations that ask for a new credential. */
  rotate: string | undefined;
  replace: string | undefined;
}

export interface TokenWish extends CommonWish {
  botUser: { namespace: string; name: string; uid: string };
  audiences: readonly string[];
  /** True when the token names no audience and takes the issuer's first: a later change of that default is no new wish. */
  audiencesDefaulted: boolean;
  scopes: readonly string[];
  identities: readonly { service: string; id: string }[];
  /** The ids of keys that may have leaked: it must not be signed with any of them. */
  withdrawnKeys: readonly string[];
  /** By this the wishes of the kinds are told apart, as their inputs are. */
  robot?: undefined;
}

/** The keys of verifiers that this process knows. Those of higher numbers follow those of lower ones. */
export interface VerifierKeys {
  /** The one that makes verifiers. */
  readonly current: { number: number };
  /** The number of the key that a verifier was made with; undefined for one that is gone, or that this process has not heard of. */
  numberOf(verifier: string): number | undefined;
}

export interface RobotWish extends CommonWish {
  robot: {
    /** The host of the registry, which stands in the Secret. */
    host: string;
    /** Where a secret of one's own is read, and at which version; left out: it is generated. */
    source?: { name: string; key: string; uid: string; resourceVersion: string };
    /** What is there is the recorded secret: only where it was read may have changed. */
    unchanged?: true;
    /** What it may do, by project, each in the order of the API. `defaulted`: the spec does not say. */
    permissions: readonly { project: string; permissions: readonly Permission[]; defaulted?: true }[];
    /** Those among them that mean nothing at this issuer. */
    withoutEffect: readonly Permission[];
  };
}

export type Wish = TokenWish | RobotWish;

/** Whether an object may be served now. `blocked` says why not, as the conditions will say it. */
export type Grant<T> =
  | { allowed: true; value: T }
  /**
   * `wish`: what was refused, as far as the issuer is there to be asked. `within`: what is asked for is within the ceilings
   * and only a new credential cannot be had, so that all is served that needs none.
   */
  | { allowed: false; blocked: Verdict; wish?: Wish; within?: Wish };

/** What may be served of a wish without a new credential. */
export function withinOf(grant: Grant<Wish>): Wish | undefined {
  return grant.allowed ? grant.value : grant.within;
}

export interface IssuerSeen {
  /** `unreadable`: it is there, in a form that this version does not know. */
  issuer: ClusterTokenIssuer | 'unreadable' | undefined;
  /** The labels of the namespace of whom it issues for, undefined while the namespace is not known. */
  namespaceLabels: Labels | undefined;
}

/** Whether an issuer is there and can be read. */
export function isReadable(issuer: IssuerSeen['issuer']): issuer is ClusterTokenIssuer {
  return issuer !== undefined && issuer !== 'unreadable';
}

/** The UID of such a one. */
export function uidOf({ issuer }: IssuerSeen): string | undefined {
  return isReadable(issuer) ? issuer.metadata.uid : undefined;
}

/** Whether the issuer of that name is there, stays, and serves the namespace. */
export function issuerGrant(
  issuerName: string,
  namespace: string | undefined,
  { issuer, namespaceLabels }: IssuerSeen,
): Grant<ClusterTokenIssuer> {
  const name = `ClusterTokenIssuer ${issuerName}`;
  if (issuer === undefined) return waits('IssuerNotFound', `${name} does not exist; spec.issuerRef names it`);
  if (issuer === 'unreadable') return waits('UnknownFormat', `${name} is in a form that this version does not know`);
  if (issuer.metadata.deletionTimestamp !== undefined) return waits('IssuerDeleted', `${name} is being deleted`);
  if (allowsNamespace(issuer.spec.allowedNamespaces, namespaceLabels)) return { allowed: true, value: issuer };
  return stalls(
    'NamespaceNotAllowed',
    `${name} does not allow the namespace ${namespace}: its owner can add it to spec.allowedNamespaces`,
  );
}

/** The issuer says of itself that only a change can help it. */
export function stalledIssuer({ metadata }: ClusterTokenIssuer, words: string): Grant<never> {
  return waits('IssuerNotReady', `ClusterTokenIssuer ${metadata.name} is stalled: ${words}`);
}

/** A wish above a ceiling of its issuer is refused, and what was wished for is told. */
export function exceeds(excess: Excess, { metadata }: ClusterTokenIssuer, wish: Wish): Grant<never> {
  const message =
    `${excess.field} asks for ${excess.wish}, ClusterTokenIssuer ${metadata.name} allows ${excess.ceiling}: ` +
    'ask for less, or have the ceiling raised';
  return { allowed: false, blocked: { state: 'stalled', reason: 'ExceedsIssuerLimit', message }, wish };
}

/** What the annotations of an object ask for. */
export function askedBy({ metadata }: Pick<Credentialed, 'metadata'>): Pick<CommonWish, 'rotate' | 'replace'> {
  const { [rotateAnnotation]: rotate, [replaceAnnotation]: replace } = metadata.annotations ?? {};
  return { rotate: rotate || undefined, replace: replace || undefined };
}

/** Whether nothing of a bot or robot works for now, as everybody is told who asks: what its spec says may turn round. */
export function isSuspended(principal: { spec: { disabled?: boolean; notAfter?: string } }, now: Date): boolean {
  return principal.spec.disabled === true || hasEnded(principal, now);
}

/** Whether its absolute end has come. */
export function hasEnded({ spec: { notAfter } }: { spec: { notAfter?: string } }, now: Date): boolean {
  return isPast(notAfter, now);
}

/** An absolute end as it is wished for and recorded: in whole seconds. */
export function wholeEnd(notAfter: string | undefined): string | undefined {
  return notAfter === undefined ? undefined : timestamp(wholeSeconds(new Date(notAfter)));
}

/** It goes on by itself. */
export function waits(reason: Reason, message: string): Grant<never> {
  return { allowed: false, blocked: { state: 'reconciling', reason, message } };
}

/** Only a change can help. */
export function stalls(reason: Reason, message: string): Grant<never> {
  return { allowed: false, blocked: { state: 'stalled', reason, message } };
}
