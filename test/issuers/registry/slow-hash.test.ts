import { scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { boundedScrypt, forIssuing, forLogins, TooManyChecks } from '../../../src/issuers/registry/slow-hash.ts';

const cost = { logN: 14, r: 8, p: 1 };
const salt = Buffer.from('salt');
const secret = new SecretValue('Passw0rd');

test('is scrypt', async () =>
  expect(await boundedScrypt(forLogins)(secret, salt, cost)).toEqual(
    scryptSync('Passw0rd', salt, 32, { N: 16_384, r: 8, p: 1 }),
  ));

test('runs two at once, lets 128 wait, refuses the next, and goes on after a failure', async () => {
  const ends: { done(): void; fail(): void }[] = [];
  const bounded = boundedScrypt(
    forLogins,
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
  const all = Array.from({ length: 130 }, start);
  expect(ends).toHaveLength(2);
  await start();
  expect(outcomes).toEqual(['refused']);
  ends[0]?.fail();
  await all[0];
  for (let i = 1; i < 130; i++) {
    expect(ends.length).toBeLessThanOrEqual(i + 2);
    ends[i]?.done();
    await all[i];
  }
  expect(outcomes.filter(outcome => outcome === 'ok')).toHaveLength(129);
  const last = start();
  expect(ends).toHaveLength(131); // nothing was lost: it runs at once
  ends[130]?.done();
  await last;
});

test('refuses no wait to what the operator issues', async () => {
  const issuing = boundedScrypt(forIssuing, async () => Buffer.of(1));
  await expect(Promise.all(Array.from({ length: 1000 }, () => issuing(secret, salt, cost)))).resolves.toHaveLength(
    1000,
  );
});
