import { timestamp } from '../api/conditions.ts';
import { wholeSeconds } from './times.ts';

/** What a status records of attempts that failed. */
export interface Retry {
  attempts: number;
  at: string;
  reason: string;
}

const firstRetrySeconds = 5;
const longestRetrySeconds = 600;

/**
 * When it is tried again, as a status records it. A time that is further away than any back-off is a wrong clock's: it is
 * not believed.
 */
export function recordedRetry(retry: Pick<Retry, 'at'> | undefined, now: Date): Date | undefined {
  if (retry === undefined) return undefined;
  const at = new Date(retry.at);
  return at.getTime() - now.getTime() <= longestRetrySeconds * 1000 ? at : undefined;
}

/** The note of one more failure: 5 s, doubling to 10 min, and not before the other side asks for it. */
export function nextRetry<R extends string>(
  before: Pick<Retry, 'attempts'> | undefined,
  reason: R,
  now: Date,
  notBeforeSeconds = 0,
): Retry & { reason: R } {
  const failed = before?.attempts ?? 0;
  const seconds = Math.min(Math.max(firstRetrySeconds * 2 ** failed, notBeforeSeconds), longestRetrySeconds);
  const at = timestamp(wholeSeconds(new Date(now.getTime() + seconds * 1000)));
  return { attempts: failed + 1, at, reason };
}
