import type { Api } from '../cluster/api.ts';
import type { SeenStatus } from './follow.ts';
import type { MeasuredOperator } from './measured-operator.ts';
import { apply } from './objects.ts';
import { wishedToken } from './wished.ts';

const hour = 3600 * 1000;
const day = 24 * hour;

/** Due for renewal 10 days after their issue: half of a life has no room for jitter. */
export const warmTokens = wishedToken({ expiresIn: '20d', rotation: { renewBefore: '10d', overlap: '1h' } });

/** Due for renewal 12 to 14 days after their issue: the operator spreads them, the turn of its clock brings them together. */
export const waveTokens = wishedToken({ expiresIn: '20d', rotation: { renewBefore: '6d', overlap: '1h' } });

/**
 * How far ahead the operator's clock is when these tokens are due, and when the overlaps of that rotation are over. All
 * before the signing key is due for a rotation of its own. With `waveAgain` `warmTokens` are due once more as well.
 */
export const due = {
  warm: 11 * day,
  warmEnd: 11 * day + 2 * hour,
  wave: 15 * day,
  waveEnd: 15 * day + 2 * hour,
  waveAgain: 30 * day,
};

export function isRotatedTo(revision: number): (status: SeenStatus) => boolean {
  return status => status.revision === revision;
}

export function isOverlapOver({ previous = [] }: SeenStatus): boolean {
  return previous.length === 0;
}

/**
 * Turns the operator's clock ahead. It looks at it once a minute, and whenever something changes: so a token is applied
 * that is never renewed.
 */
export async function turnClock(
  api: Api,
  operator: MeasuredOperator,
  { clock, namespace }: { clock: number; namespace: string },
): Promise<void> {
  await operator.setClock(clock);
  await apply(api, 'pilot', { namespace, name: `pilot-${clock}` });
}
