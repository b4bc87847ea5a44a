import { scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { boundedScrypt, TooManyChecks } from '../../../src/issuers/registry/slow-hash.ts';

const cost = { logN: 14, r: 8, p: 1 };
const salt = Buffer.from('salt');
const secret = new SecretValue('Passw0rd');

test('is scrypt', async () =>
  expect(await boundedScrypt()(secret, salt, cost)).toEqual(
    scryptSync('Passw0rd', salt, 32, { N: 16_384, r: 8, p: 1 }),
  ));

test('runs two at once, lets 32 wait, refuses the next, and goes on after a failure', async () => {
  const ends: { done(): void; fail(): void }[] = [];
  const bounded = boundedScrypt(
    () =>
      new Promise((resolve, reject) =>
        ends.push({ done: () => resolve(Buffer.of(1)), fail: () => reject(new Error('out of memory')) }),
      ),
  );
  const outcomes: string[] = [];
  const start = () =>
    bounded(secret, salt, cost).then(
      () => void outcomes.push('ok'),
      error => void outcomes.push(error instanceof TooManyChecks ? 'refused' : 'failed'),
    );
  const all = Array.from({ length: 34 }, start);
  expect(ends).toHaveLength(2);
  await start();
  expect(outcomes).toEqual(['refused']);
  ends[0]?.fail();
  await all[0];
  for (let i = 1; i < 34; i++) {
    expect(ends.length).toBeLessThanOrEqual(i + 2);
    ends[i]?.done();
    await all[i];
  }
  expect(outcomes.filter(outcome => outcome === 'ok')).toHaveLength(33);
  const last = start();
  expect(ends).toHaveLength(35); // nothing was lost: it runs at once
  ends[34]?.done();
  await last;
});
