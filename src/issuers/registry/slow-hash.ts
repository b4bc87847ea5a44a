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
/** Of Node's four threads; the others stay free for files and names. */
const mostAtOnce = 2;
/** About a second of waiting; who comes then is asked to come again. */
const mostWaiting = 32;

/** scrypt with a bound on how many run and how many wait, so that guessing costs neither memory nor all threads. */
export function boundedScrypt(hash: SlowHash = inThreadPool): SlowHash {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (secret, salt, cost) => {
    if (waiting.length >= mostWaiting) throw new TooManyChecks('too many secrets are being checked');
    if (running >= mostAtOnce) await new Promise<void>(resolve => waiting.push(resolve));
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
