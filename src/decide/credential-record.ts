import type { Credentialed } from '../api/credentialed.ts';
import { type Inputs, parseInputs } from '../api/inputs.ts';

/** What the status records of the credential in force. */
export interface Recorded {
  revision: number;
  tokenID: string;
  inputs: Inputs;
  secretUID: string;
  /** The Secret's resourceVersion at which its data was known to be what was written. */
  resourceVersion: string | undefined;
}

/**
 * The record; undefined when there is none, `unknown` when it is in a form that this version does not know. One of another UID
 * came with a restored backup: it says nothing of this object, whose own Secret is still to come.
 */
export function recordOf(object: Credentialed): Recorded | 'unknown' | undefined {
  const { issued, tokenID, revision } = object.status ?? {};
  if (issued === undefined) return undefined;
  const inputs = parseInputs(issued.inputs);
  if (inputs === undefined || tokenID === undefined || revision === undefined) return 'unknown';
  if (!isOwnID(object, tokenID)) return undefined;
  return { revision, tokenID, inputs, secretUID: issued.secret.uid, resourceVersion: issued.secret.resourceVersion };
}

/** The record, where there is one that this version knows. */
export function knownRecord(object: Credentialed): Recorded | undefined {
  const record = recordOf(object);
  return record === 'unknown' ? undefined : record;
}

/** The highest revision that was given to this object. */
export function revisionOf(object: Credentialed): number {
  const { tokenID, revision = 0 } = object.status ?? {};
  return tokenID === undefined || isOwnID(object, tokenID) ? revision : 0;
}

function isOwnID({ metadata }: Credentialed, tokenID: string): boolean {
  return tokenID.startsWith(`${metadata.uid}.`);
}

/** The issuer of the credential in force; undefined where there is none, and for a record that cannot be read. */
export function issuerOf(object: Credentialed): Inputs['issuer'] | undefined {
  return knownRecord(object)?.inputs.issuer;
}

/** The issuer (UID) of all that the status says: of the credential in force, or of what is left of one that was lost. */
export function issuerUIDOf(object: Credentialed): string | undefined {
  return issuerOf(object)?.uid ?? object.status?.issuerUID;
}

/** The issuer (UID) on which a credential of the object depends: the one in force, or one that was lost, in its overlap. */
export function issuerInUse(object: Credentialed): string | undefined {
  const { previous = [], issuerUID } = object.status ?? {};
  return issuerOf(object)?.uid ?? (previous.length > 0 ? issuerUID : undefined);
}

/** Whether an issuer has to stay for a credential of the object; of a record that cannot be read nobody knows. */
export function dependsOn(object: Credentialed, issuer: { uid: string }): boolean {
  return recordOf(object) === 'unknown' || issuerInUse(object) === issuer.uid;
}
