import type { Reason } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import { replaceAnnotation, rotateAnnotation } from '../api/names.ts';
import type { Status } from './credential-status.ts';
import { nextRetry, recordedRetry } from './retry.ts';

/** What may be refused of the Secret. A refused write holds up no revocation. */
export type Operation = NonNullable<NonNullable<Status['retry']>['operation']>;

/**
 * When a refused write may be tried again. A change of the spec or of what the annotations ask for clears it: the remedy may
 * be in there. So does a clock that was put right: no attempt is ever put off for so long.
 */
export function retryTime(object: Credentialed, now: Date, operation: Operation = 'Write'): Date | undefined {
  const { status, metadata } = object;
  if (status?.observedGeneration !== metadata.generation || status?.retry?.asked !== askedOf(object)) return undefined;
  if ((status?.retry?.operation ?? 'Write') !== operation) return undefined;
  return recordedRetry(status?.retry, now);
}

/** The note of one more refusal. In the status, so that a restart does not try everything at once. */
export function retryAfter(
  object: Credentialed,
  reason: Reason,
  now: Date,
  operation: Operation = 'Write',
): NonNullable<Status['retry']> {
  const before = retryTime(object, now, operation) === undefined ? undefined : object.status?.retry;
  const asked = askedOf(object);
  return {
    ...nextRetry(before, reason, now),
    ...(operation !== 'Write' && { operation }),
    ...(asked !== undefined && { asked }),
  };
}

/** What the annotations ask for, as one text that changes with it. */
function askedOf({ metadata }: Credentialed): string | undefined {
  const { [rotateAnnotation]: rotate, [replaceAnnotation]: replace } = metadata.annotations ?? {};
  const asked = [rotate, replace].map(value => value?.slice(0, 500) ?? '').join(' ');
  return asked === ' ' ? undefined : asked;
}
