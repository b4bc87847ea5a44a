import type { Verdict } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import { type Inputs, parseInputs } from '../api/inputs.ts';
import type { Revocation } from '../api/revocation.ts';
import type { Observed, Step } from './credential-seen.ts';
import type { CredentialKind } from './kind.ts';
import { marksOf } from './secret-metadata.ts';

/** An object that goes waits so long for its issuer (I6). Then a Revocation takes over, and nothing waits any more. */
export const handOverAfterSeconds = 60;

type Spec = Revocation['spec'];
type Credential = Spec['credentials'][number];

/** What a Revocation takes over: everything that one issuer has to revoke of an object. */
export interface Estate {
  owner: Spec['owner'];
  issuer: Spec['issuer'];
  credentials: readonly Credential[];
  /** When the last of them has ended by itself; undefined: never, or nobody knows. */
  notAfter: string | undefined;
}

/** When a Revocation takes over from an object whose issuer has not revoked by then; undefined for one that stays. */
export function handOverTime({ object, principal }: Pick<Observed, 'object' | 'principal'>): Date | undefined {
  const since = [object.metadata.deletionTimestamp, principal.state === 'deleted' ? principal.since : undefined];
  const times = since.filter(time => time !== undefined).map(time => Date.parse(time));
  return times.length === 0 ? undefined : new Date(Math.min(...times) + handOverAfterSeconds * 1000);
}

/** What is to be taken over of an object, one estate for each issuer: all that is recorded, and what the Secret names. */
export function estatesOf({
  kind,
  object,
  secret,
  lostIssuer,
}: Pick<Observed, 'kind' | 'object' | 'secret' | 'lostIssuer'>): readonly Estate[] {
  const recorded = parseInputs(object.status?.issued?.inputs);
  const issuer = recorded === undefined ? lostIssuer : issuerOf(kind, recorded);
  const marks = secret.state === 'ours' ? marksOf(secret.metadata) : undefined;
  // An id of another object was put there by somebody else.
  const isOwn = marks?.tokenID.startsWith(`${object.metadata.uid}.`) === true;
  const parts = [
    ...(recorded === undefined || object.status?.tokenID === undefined
      ? []
      : [partOf(kind, object.status.tokenID, recorded)]),
    ...(issuer === undefined ? [] : (object.status?.previous ?? []).map(old => supersededPart(issuer, old))),
    ...(isOwn && marks.inputs !== 'unknown' ? [partOf(kind, marks.tokenID, marks.inputs)] : []),
  ];
  const issuers = Map.groupBy(parts, ({ issuer }) => issuer.uid);
  return [...issuers.values()].flatMap(own => own.slice(0, 1).map(({ issuer }) => estateOf(kind, object, issuer, own)));
}

/**
 * What becomes of an object that goes and whose issuer has failed to revoke: a Revocation takes over, one issuer after the
 * other, and when all is `taken-over` it goes on as if it were revoked. Undefined while it still waits, and for one
 * that stays.
 */
export function handOver(seen: Observed, now: Date): (Step & { do: 'hand-over' }) | 'taken-over' | undefined {
  const due = handOverTime(seen);
  if (due === undefined || due > now) return undefined;
  for (const estate of estatesOf(seen)) {
    const over = seen.revocations.find(({ metadata }) => metadata.name === revocationNameOf(estate));
    if (over === undefined || !hasTakenOver(over, estate))
      return { do: 'hand-over', estate, over, verdict: handedOver(estate) };
  }
  return 'taken-over';
}

function handedOver(estate: Estate): Verdict {
  const { issuer } = estate;
  const message = `${issuer.kind} ${issuer.name} did not revoke within ${handOverAfterSeconds} s: Revocation ${revocationNameOf(estate)} takes over`;
  return { state: 'reconciling', reason: 'HandedOver', message };
}

/** The name of the Revocation of an estate: the same whoever makes it, and however often. */
export function revocationNameOf({ owner, issuer }: Pick<Estate, 'owner' | 'issuer'>): string {
  return `${owner.uid}.${issuer.uid}`;
}

/** Whether a Revocation has all of an estate. */
export function hasTakenOver({ spec }: Revocation, estate: Estate): boolean {
  const { credentials, notAfter } = joined(spec, estate);
  return credentials.length === spec.credentials.length && notAfter === spec.notAfter;
}

/** What a Revocation is to hold beside what it has: nothing of an earlier estate is ever lost. */
export function joined(
  before: Pick<Spec, 'credentials' | 'notAfter'>,
  { credentials, notAfter }: Estate,
): { credentials: readonly Credential[]; notAfter: string | undefined } {
  const known = new Set(before.credentials.map(({ tokenID }) => tokenID));
  const added = credentials.filter(({ tokenID }) => !known.has(tokenID));
  return { credentials: [...before.credentials, ...added], notAfter: latest([before.notAfter, notAfter]) };
}

type Superseded = NonNullable<NonNullable<Credentialed['status']>['previous']>[number];

/** One credential, and who issued it. */
interface Part {
  issuer: Spec['issuer'];
  credential: Credential;
  notAfter: string | undefined;
}

function supersededPart(issuer: Spec['issuer'], old: Superseded): Part {
  return { issuer, credential: credentialOf(old), notAfter: old.expiresAt };
}

function partOf(kind: CredentialKind, tokenID: string, inputs: Inputs): Part {
  const { statusListIndex, expiresAt } = inputs;
  return {
    issuer: issuerOf(kind, inputs),
    credential: credentialOf({ tokenID, statusListIndex }),
    notAfter: expiresAt,
  };
}

function credentialOf({
  tokenID,
  statusListIndex,
}: {
  tokenID: string;
  statusListIndex?: number | undefined;
}): Credential {
  return statusListIndex === undefined ? { tokenID } : { tokenID, statusListIndex };
}

/** Only this kind of issuer issues until now; a later one has to be recorded with what it has issued. */
function issuerOf({ issuerType: type }: CredentialKind, { issuer: { name, uid } }: Inputs): Spec['issuer'] {
  return { kind: 'ClusterTokenIssuer', name, uid, type };
}

function estateOf(
  kind: CredentialKind,
  { metadata }: Credentialed,
  issuer: Spec['issuer'],
  parts: readonly Part[],
): Estate {
  const { namespace = '', name, uid } = metadata;
  const credentials = new Map(parts.map(({ credential }) => [credential.tokenID, credential]));
  return {
    owner: { kind: kind.name, namespace, name, uid },
    issuer,
    credentials: [...credentials.values()],
    notAfter: latest(parts.map(({ notAfter }) => notAfter)),
  };
}

/** Undefined, which is never, is later than any time. */
function latest(times: readonly (string | undefined)[]): string | undefined {
  return times.reduce((a, b) =>
    a === undefined || b === undefined ? undefined : Date.parse(a) < Date.parse(b) ? b : a,
  );
}
