import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { type Account, type AttemptLimit, logIn } from '../../../src/issuers/registry/account.ts';
import { generateSecret } from '../../../src/issuers/registry/secrets.ts';
import { TooManyChecks } from '../../../src/issuers/registry/slow-hash.ts';
import { VerifierKeyMissing, Verifiers } from '../../../src/issuers/registry/verifiers.ts';

const now = new Date('2026-11-22T12:00:00Z');
const before = new Date(now.getTime() - 1);
const after = new Date(now.getTime() + 1);
const verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), async secret =>
  Buffer.from(secret.reveal()),
);
const secret = generateSecret();
const old = generateSecret();
const own = new SecretValue('Passw0rd-of-ours');
const uid = '7f0c8a3e-0000-4000-8000-000000000001';
const verifier = verifiers.ofGenerated({ uid, revision: 2 }, secret);
const ofOld = verifiers.ofGenerated({ uid, revision: 1 }, old);
const healthy: Account = {
  uid,
  fullName: 'robot_shop+ci',
  verifiers: [{ revision: 2, verifier }],
  grants: [],
  disabled: false,
};

/** A limit that counts what is taken for good. */
function limit(wait?: number): AttemptLimit & { taken: number } {
  return {
    taken: 0,
    take() {
      this.taken++;
      return wait;
    },
    giveBack() {
      this.taken--;
    },
  };
}

const overlap = (until: Date) => [...healthy.verifiers, { revision: 1, verifier: ofOld, until }];

test.each<[string, Partial<Account> | undefined, SecretValue, string]>([
  ['the right secret', {}, secret, 'ok'],
  ['a wrong one', {}, generateSecret(), 'refused'],
  ['an empty one', {}, new SecretValue(''), 'refused'],
  ['no such account', undefined, secret, 'refused'],
  ['an account without a verifier', { verifiers: [] }, secret, 'refused'],
  ['one of another UID', { uid: uid.replace('1', '2') }, secret, 'refused'],
  ['a disabled one', { disabled: true }, secret, 'disabled'],
  ['a disabled one and a wrong secret', { disabled: true }, old, 'refused'],
  ['one that has just ended', { expiresAt: now }, secret, 'expired'],
  ['one that has ended, and a wrong secret', { expiresAt: before }, old, 'refused'],
  ['one whose end is no time', { expiresAt: new Date(Number.NaN) }, secret, 'expired'],
  ['one that is about to end', { expiresAt: after }, secret, 'ok'],
  ['the old secret in its overlap', { verifiers: overlap(after) }, old, 'ok'],
  ['the new secret in the overlap of the old one', { verifiers: overlap(after) }, secret, 'ok'],
  ['the old secret at the end of its overlap', { verifiers: overlap(now) }, old, 'refused'],
  ['the old secret without an overlap', {}, old, 'refused'],
])('%s', async (_, change, shown, expected) => {
  const account = change && { ...healthy, ...change };
  expect((await logIn(account, shown, { verifiers, limit: limit(), now })).result).toBe(expected);
});

describe('attempts', () => {
  const owned = async () => ({
    ...healthy,
    verifiers: [{ revision: 3, verifier: await verifiers.ofOwn({ uid, revision: 3 }, own) }],
  });

  test('that fail are counted, the same with and without an account', async () => {
    for (const account of [undefined, healthy, await owned()]) {
      for (const shown of [old, new SecretValue('Wrong-passw0rd')]) {
        const counted = limit();
        await logIn(account, shown, { verifiers, limit: counted, now });
        expect(counted.taken).toBe(1);
      }
    }
  });

  test('with the right secret are not', async () => {
    for (const [account, shown] of [
      [healthy, secret],
      [await owned(), own],
    ] as const) {
      const counted = limit();
      expect((await logIn(account, shown, { verifiers, limit: counted, now })).result).toBe('ok');
      expect(counted.taken).toBe(0);
    }
  });

  test('beyond the limit are not made, but a generated secret is let in all the same', async () => {
    const exhausted = { verifiers, limit: limit(7), now };
    expect(await logIn(await owned(), own, exhausted)).toEqual({ result: 'limited', retryAfterSeconds: 7 });
    expect(await logIn(undefined, own, exhausted)).toEqual({ result: 'limited', retryAfterSeconds: 7 });
    expect((await logIn(healthy, secret, exhausted)).result).toBe('ok');
  });

  test('that could not be checked are given back', async () => {
    const busy = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), () =>
      Promise.reject(new TooManyChecks('busy')),
    );
    const counted = limit();
    await expect(logIn(healthy, own, { verifiers: busy, limit: counted, now })).rejects.toThrow(TooManyChecks);
    expect(counted.taken).toBe(0);
  });
});

describe('an account with a verifier of a key that is not loaded', () => {
  const account = { ...healthy, verifiers: [...healthy.verifiers, { revision: 3, verifier: unknownVerifier() }] };

  function unknownVerifier() {
    return new Verifiers(new Map([[1, new SecretValue('another'.repeat(5))]])).ofGenerated({ uid, revision: 3 }, old);
  }

  test('lets in whoever shows what can be checked', async () =>
    expect((await logIn(account, secret, { verifiers, limit: limit(), now })).result).toBe('ok'));

  test('turns nobody away: whether another secret is right cannot be said', async () => {
    const counted = limit();
    await expect(logIn(account, old, { verifiers, limit: counted, now })).rejects.toThrow(VerifierKeyMissing);
    expect(counted.taken).toBe(1);
  });
});
