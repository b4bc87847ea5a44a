import { scrypt } from 'node:crypto';
import { BotmintError, type Retry } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';

/** Parameters of scrypt (RFC 7914), as they are written in a verifier. Memory is 128 · 2^logN · r bytes. */
export interface Cost {
  logN: number;
  r: number;
  p: number;
}

/** scrypt in the thread pool, or a stand-in that counts. */
export type SlowHash = (secret: SecretValue, salt: Buffer, cost: Cost) => Promise<Buffer>;

/** More secrets are waiting to be checked than is sensible. Nobody was refused. */
export class TooManyChecks extends BotmintError {
  readonly reason = 'TooManyChecks';
  readonly retry: Retry = { kind: 'after', seconds: 2 };
}

const bytes = 32;

/** How many run at once, and how many may wait for that. */
export interface Bound {
  atOnce: number;
  waiting: number;
}

/** Of Node's four threads. About two seconds of waiting; who comes then is asked to come again. */
export const forLogins: Bound = { atOnce: 2, waiting: 128 };
/** A thread of its own, so that no crowd of logins keeps a robot from its secret. Those who ask are as many as the operator's workers. */
export const forIssuing: Bound = { atOnce: 1, waiting: Number.POSITIVE_INFINITY };

/** scrypt with a bound on how many run and how many wait, so that guessing costs neither memory nor all threads. */
export function boundedScrypt(bound: Bound, hash: SlowHash = inThreadPool): SlowHash {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (secret, salt, cost) => {
    if (waiting.length >= bound.waiting) throw new TooManyChecks('too many secrets are being checked');
    if (running >= bound.atOnce) await new Promise<void>(resolve => waiting.push(resolve));
    else running++;
    try {
      return await hash(secret, salt, cost);
    } finally {
      const next = waiting.shift(); // it takes over this place
      if (next === undefined) running--;
      else next();
    }
  };
}

const inThreadPool: SlowHash = (secret, salt, { logN, r, p }) => {
  const N = 2 ** logN;
  return new Promise((resolve, reject) => {
    const options = { N, r, p, maxmem: 2 * 128 * N * r };
    scrypt(secret.reveal(), salt, bytes, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
};
