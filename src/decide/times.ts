import { createHash } from 'node:crypto';
import { parseDuration } from '../api/durations.ts';

/** How long a superseded credential lives on when it is not a planned renewal: a change, a rotate-now or a loss. */
export const overlapAfterChangeSeconds = 3600;

/** A fleet that was created at once must not renew at once: each moves its renewal ahead by up to this part of its life. */
const jitterShare = 0.1;

/**
 * When a credential ends: after its life, or with its BotUser if that is earlier; undefined for one that never does. Times
 * are whole seconds, as Kubernetes writes them.
 */
export function endOf(issuedAt: Date, expiresIn: string, notAfter?: string): Date | undefined {
  const seconds = parseDuration(expiresIn);
  const end = seconds === 'never' ? undefined : new Date(issuedAt.getTime() + seconds * 1000);
  return earliest(end, notAfter === undefined ? undefined : new Date(notAfter));
}

/**
 * When a credential is due for renewal: `renewBefore` (a third of the life where it is left out) ahead of its end, and
 * up to a tenth of the life earlier, by a share that the UID decides: the same after every restart. Never in the first
 * half of the life.
 */
export function renewalTime(
  life: { issuedAt: Date; expiresAt: Date },
  renewBefore: string | undefined,
  uid: string,
): Date {
  const whole = life.expiresAt.getTime() - life.issuedAt.getTime();
  const wish = renewBefore === undefined ? 'never' : parseDuration(renewBefore);
  // A change of expiresIn can leave a renewBefore that is longer than what is left of the life: at most half of it counts.
  const ahead = Math.min(wish === 'never' ? whole / 3 : wish * 1000, whole / 2);
  const jitter = Math.min(whole * jitterShare, whole / 2 - ahead) * shareOf(uid);
  return wholeSeconds(new Date(life.expiresAt.getTime() - ahead - jitter));
}

/** From when on people are told that a credential ends which nothing renews: after two thirds of its life. */
export function warningTime(life: { issuedAt: Date; expiresAt: Date }): Date {
  const whole = life.expiresAt.getTime() - life.issuedAt.getTime();
  return wholeSeconds(new Date(life.issuedAt.getTime() + (whole * 2) / 3));
}

/** A number from 0 to 1 that depends on the text alone. */
function shareOf(uid: string): number {
  return createHash('sha256').update(uid).digest().readUInt32BE(0) / 2 ** 32;
}

export function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** The earliest of some times that may be missing. */
export function earliest(...times: readonly (Date | undefined)[]): Date | undefined {
  const known = times.filter(time => time !== undefined).map(time => time.getTime());
  return known.length === 0 ? undefined : new Date(Math.min(...known));
}
