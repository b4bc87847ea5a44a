import { isDeepStrictEqual } from 'node:util';
import type { Credentialed } from '../api/credentialed.ts';
import { type Inputs, parseInputsText } from '../api/inputs.ts';
import {
  apiVersion,
  inputsAnnotation,
  managedCredential,
  managedLabel,
  ownerAnnotation,
  ownerUIDAnnotation,
  revisionAnnotation,
  tokenIDAnnotation,
} from '../api/names.ts';
import type { CredentialKind } from './kind.ts';

/** What is looked at of a Secret's metadata. */
export interface SecretMetadata {
  labels?: { [key: string]: string } | undefined;
  annotations?: { [key: string]: string } | undefined;
  ownerReferences?: readonly { uid: string }[] | undefined;
}

/** What a Secret's annotations say of the credential in it. */
export interface Marks {
  revision: number;
  tokenID: string;
  /** `unknown`: in a form that this version does not know. */
  inputs: Inputs | 'unknown';
}

/** What the annotations say; undefined when one of them is gone. */
export function marksOf({ annotations }: SecretMetadata): Marks | undefined {
  const revision = Number(annotations?.[revisionAnnotation]);
  const tokenID = annotations?.[tokenIDAnnotation];
  const text = annotations?.[inputsAnnotation];
  if (!Number.isSafeInteger(revision) || revision < 1 || tokenID === undefined || text === undefined) return undefined;
  return { revision, tokenID, inputs: parseInputsText(text) ?? 'unknown' };
}

/** The object that a Secret belongs to. */
export interface Owner {
  kind: Pick<CredentialKind, 'name'>;
  object: Credentialed;
}

/** How the spec wants the Secret rendered, as the inputs record it. */
export function renderingOf(object: Credentialed): Inputs['secret'] {
  const { data, labels, annotations } = object.spec.secret;
  return { data: data.map(entry => ({ ...entry })), labels: labels ?? {}, annotations: annotations ?? {} };
}

/** Everything botmint writes into the metadata of a Secret: from the spec's template and the marks alone. */
export function wantedMetadata(of: Owner, marks: { revision: number; tokenID: string; inputs: Inputs }) {
  const { name, uid } = of.object.metadata;
  const { labels, annotations } = marks.inputs.secret;
  return {
    labels: { ...labels, [managedLabel]: managedCredential },
    annotations: { ...annotations, ...ownMarks(of, marks), [inputsAnnotation]: JSON.stringify(marks.inputs) },
    // With these two, `kubectl delete --cascade=foreground` and the garbage collector know what belongs to the object.
    ownerReferences: [{ apiVersion, kind: of.kind.name, name, uid, controller: true, blockOwnerDeletion: true }],
  };
}

function ownMarks({ kind, object: { metadata } }: Owner, { revision, tokenID }: { revision: number; tokenID: string }) {
  return {
    [ownerAnnotation]: `${kind.name}/${metadata.name}`,
    [ownerUIDAnnotation]: metadata.uid,
    [revisionAnnotation]: String(revision),
    [tokenIDAnnotation]: tokenID,
  };
}

/** Whether label, owner, marks and template are on the Secret as the record and the spec want them. */
export function isLabelled(
  seen: SecretMetadata,
  of: Owner,
  record: { revision: number; tokenID: string; inputs: Inputs },
): boolean {
  const rendering = renderingOf(of.object);
  return (
    seen.labels?.[managedLabel] === managedCredential &&
    holds(seen.labels, rendering.labels) &&
    holds(seen.annotations, ownMarks(of, record)) &&
    holds(seen.annotations, rendering.annotations) &&
    seen.ownerReferences?.some(({ uid }) => uid === of.object.metadata.uid) === true &&
    isDeepStrictEqual(record.inputs.secret, rendering) &&
    isDeepStrictEqual(marksOf(seen)?.inputs, record.inputs)
  );
}

function holds(seen: { [key: string]: string } | undefined, wanted: { [key: string]: string }): boolean {
  return Object.entries(wanted).every(([key, value]) => seen?.[key] === value);
}

/** The keys that an earlier rendering had and a later one has not: a merge patch must name them to take them away. */
export function dropped(before: object, after: object): { [key: string]: null } {
  const gone = Object.keys(before).filter(key => !Object.hasOwn(after, key));
  return Object.fromEntries(gone.map(key => [key, null]));
}

/** Whether two inputs are of one credential, however it is rendered, and whatever of it can be revised. */
export function sameCredential(
  a: Inputs,
  b: Inputs,
  { revisable, revisableOfRobot }: Pick<CredentialKind, 'revisable' | 'revisableOfRobot'>,
): boolean {
  const [x, y] = [a, b].map(({ robot, ...inputs }) => ({
    ...without(inputs, ['secret', 'digest', ...revisable]),
    ...(robot !== undefined && { robot: without(robot, revisableOfRobot) }),
  }));
  return isDeepStrictEqual(x, y);
}

function without(fields: object, some: readonly string[]): object {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !some.includes(field)));
}
