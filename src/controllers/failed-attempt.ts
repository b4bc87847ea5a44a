import { BotmintError } from '../base/errors.ts';
import type { Refused } from '../decide/credential-seen.ts';
import { isRefusal, KubeError } from '../kube/errors.ts';
import { StatusListInvalid } from './status-shards.ts';

/**
 * What a failed attempt to revoke says of itself: the issuer, or what it writes to, refused or did not answer. Undefined for
 * a defect, and where the attempt was called off.
 */
export function wordsOf(error: unknown, signal: AbortSignal): string | undefined {
  if (signal.aborted) return undefined;
  if (error instanceof BotmintError) return `${error.reason}: ${error.message}`;
  // An AbortSignal.timeout() within the attempt has no error of ours.
  return error instanceof Error && error.name === 'TimeoutError' ? 'Timeout: no answer in time' : undefined;
}

/** Why a status list was not written, where only a change can help: a refusal of the API server, or a list that somebody edited. */
export function refusedList(error: unknown): Refused | undefined {
  if (error instanceof StatusListInvalid)
    return { operation: 'Revoke', reason: 'StatusListInvalid', message: error.message };
  if (!(error instanceof KubeError) || !isRefusal(error)) return undefined;
  const message = `the API server refused to write a status list: ${error.reason}: ${error.message}`;
  return { operation: 'Revoke', reason: 'WriteRefused', message };
}

/** The same for every other failure that is known. */
export function failedList(error: unknown, signal: AbortSignal): Refused | undefined {
  const words = wordsOf(error, signal);
  if (words === undefined) return undefined;
  return { operation: 'Revoke', reason: 'RevocationFailed', message: `a status list could not be written: ${words}` };
}
