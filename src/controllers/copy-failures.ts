import type { Credentialed } from '../api/credentialed.ts';
import { ownerAnnotation } from '../api/names.ts';
import { BotmintError } from '../base/errors.ts';
import type { CopyChange } from '../decide/copies-seen.ts';
import type { CopySource } from '../decide/copy-metadata.ts';
import { secretNameOf } from '../decide/credential-seen.ts';
import type { Metadata, Secret } from '../kube/core-kinds.ts';
import { isLasting, KubeError } from '../kube/errors.ts';
import type { Ref } from '../kube/objects.ts';
import type { End } from './copy-attempts.ts';
import { dataOf } from './secret-readings.ts';
import { withoutValues } from './secret-writes.ts';

/** A Secret without our label is not watched: whoever removes it waits at most so long for the copy. */
const longestForeignSeconds = 60;
/** What a webhook says can be long. */
const longestWords = 800;

/** What copies are made from in one step. */
export interface From {
  source: CopySource | undefined;
  /** With its values, for as long as the step takes. */
  from: Secret | undefined;
}

/** Another Secret has the name of a copy. */
export function inTheWay({ metadata }: Metadata, ref: Ref): End {
  const owner = metadata.annotations?.[ownerAnnotation];
  const what = owner === undefined ? 'is not from botmint' : `belongs to ${owner}`;
  const remedy = 'remove it, or let spec.secret.copies not select this namespace';
  return { as: 'failed', trouble: inWords(ref, `${what}: ${remedy}`), mostSeconds: longestForeignSeconds };
}

/** A sentence about the copy in a namespace. */
export function inWords({ namespace, name }: Ref, what: string): string {
  return `namespace ${namespace}: Secret ${name} ${what}`;
}

/** A refusal, or an answer that did not come: with the next attempt the world may look different. A defect is thrown on. */
export function failureOf(
  error: unknown,
  object: Credentialed,
  { from }: From,
  change: CopyChange,
  signal: AbortSignal,
): End {
  if (signal.aborted || !(error instanceof BotmintError)) throw error;
  const safe = error instanceof KubeError && from !== undefined ? withoutValues(error, dataOf(from)) : error;
  const what =
    change.do === 'list' || change.do === 'unlist'
      ? `ServiceAccount ${change.account} could not be changed`
      : `Secret ${secretNameOf(object)} could not be ${participles[change.do]}`;
  const trouble = `namespace ${change.namespace}: ${what}: ${wordsOf(safe)}`;
  return isLasting(error) ? { as: 'failed', trouble } : { as: 'moved', trouble };
}

/** It was not even begun: those before it took too long. */
export function notReached(object: Credentialed, { namespace }: CopyChange): End {
  return {
    as: 'failed',
    trouble: inWords({ namespace, name: secretNameOf(object) }, 'has to wait: others take too long'),
  };
}

const participles = { read: 'read', write: 'written', label: 'written', delete: 'deleted' } as const;

/** The API server's own words. */
export function wordsOf({ reason, message }: BotmintError): string {
  return `${reason}: ${message.slice(0, longestWords)}`;
}
