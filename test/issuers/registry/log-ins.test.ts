import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import type { Account } from '../../../src/issuers/registry/account.ts';
import { type AttemptLimit, LogIns } from '../../../src/issuers/registry/log-ins.ts';
import { generateSecret } from '../../../src/issuers/registry/secrets.ts';
import { type SlowHash, TooManyChecks } from '../../../src/issuers/registry/slow-hash.ts';
import { VerifierKeyMissing, Verifiers } from '../../../src/issuers/registry/verifiers.ts';
import { eventually } from '../../cluster/wait.ts';

const now = new Date('2026-11-22T12:00:00Z');
const before = new Date(now.getTime() - 1);
const after = new Date(now.getTime() + 1);
const hash: SlowHash = async secret => Buffer.from(secret.reveal());
const verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), hash);
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

/** By a replica that has just started. */
function logIn(account: Account | undefined, shown: SecretValue, by = limit(), checks = verifiers) {
  return new LogIns(checks).logIn({ name: 'hub robot_shop+ci', account, secret: shown }, { limit: by, now });
}

const ownVerifiers = async (revision = 3) => [{ revision, verifier: await verifiers.ofOwn({ uid, revision }, own) }];
const owned = async (): Promise<Account> => ({ ...healthy, verifiers: await ownVerifiers() });
const wrong = new SecretValue('Wrong-passw0rd');

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
  expect((await logIn(account, shown)).result).toBe(expected);
});

describe('attempts', () => {
  test('that fail are counted, the same with and without an account', async () => {
    for (const account of [undefined, healthy, await owned()]) {
      for (const shown of [old, wrong]) {
        const counted = limit();
        await logIn(account, shown, counted);
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
      expect((await logIn(account, shown, counted)).result).toBe('ok');
      expect(counted.taken).toBe(0);
    }
  });

  test('beyond the limit are not made, but a generated secret is let in all the same', async () => {
    for (const account of [await owned(), undefined]) {
      expect(await logIn(account, own, limit(7))).toEqual({ result: 'limited', retryAfterSeconds: 7 });
    }
    expect((await logIn(healthy, secret, limit(7))).result).toBe('ok');
  });

  test('that could not be checked are counted, whether or not there is such an account', async () => {
    const busy = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), () =>
      Promise.reject(new TooManyChecks('busy')),
    );
    for (const account of [healthy, undefined]) {
      const counted = limit();
      await expect(logIn(account, own, counted, busy)).rejects.toThrow(TooManyChecks);
      expect(counted.taken).toBe(1);
    }
  });
});

/** A replica whose slow hashes are counted, and end when the test lets them. */
function replica({ held = false } = {}) {
  const ends: (() => void)[] = [];
  const release = () => {
    for (const end of ends.splice(0)) end();
  };
  const seen = { hashes: 0, release };
  const checks = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), async (shown, salt, cost) => {
    seen.hashes++;
    if (held) await new Promise<void>(resolve => ends.push(resolve));
    return hash(shown, salt, cost);
  });
  const logIns = new LogIns(checks);
  const by = (name: string, account: Account | undefined, shown: SecretValue, counted = limit()) =>
    logIns.logIn({ name, account, secret: shown }, { limit: counted, now });
  return { seen, checks, by };
}

describe('an own secret that was right before', () => {
  test('is not slow to check again', async () => {
    const { seen, by } = replica();
    const account = await owned();
    for (let i = 0; i < 3; i++) expect((await by('a', account, own)).result).toBe('ok');
    expect(seen.hashes).toBe(1);
  });

  test('cannot be guessed at beyond the limit either, though an answer would cost nothing', async () => {
    const { by } = replica();
    const account = await owned();
    await by('a', account, own);
    for (const shown of [wrong, own]) expect((await by('a', account, shown, limit(7))).result).toBe('limited');
  });

  test('takes no attempt away', async () => {
    const { by } = replica();
    const account = await owned();
    const counted = limit();
    for (let i = 0; i < 3; i++) await by('a', account, own, counted);
    expect(counted.taken).toBe(0);
  });

  test.each<[string, (account: Account) => Partial<Account> | Promise<Partial<Account>>, string]>([
    ['its verifier was replaced', async () => ({ verifiers: [{ revision: 4, verifier }] }), 'refused'],
    [
      'its overlap is over',
      ({ verifiers: all }) => ({ verifiers: all.map(each => ({ ...each, until: now })) }),
      'refused',
    ],
    ['somebody wrote the verifier of one robot into another', () => ({ uid: uid.replace('1', '2') }), 'refused'],
    [
      'somebody wrote the verifier under another revision',
      ({ verifiers: [one] }) => ({ verifiers: [{ revision: 9, verifier: one?.verifier ?? '' }] }),
      'refused',
    ],
    ['the account is disabled', () => ({ disabled: true }), 'disabled'],
    ['the account has ended', () => ({ expiresAt: now }), 'expired'],
  ])('is worth nothing when %s', async (_, change, expected) => {
    const { by } = replica();
    const account = await owned();
    await by('a', account, own);
    expect((await by('a', { ...account, ...(await change(account)) }, own)).result).toBe(expected);
    expect((await by('a', account, own)).result).toBe('ok');
  });

  test('is worth nothing when the key of its verifier is gone', async () => {
    const { by, checks } = replica();
    const account = await owned();
    await by('a', account, own);
    checks.replaceKeys(new Map([[2, new SecretValue('l'.repeat(32))]]));
    await expect(by('a', account, own)).rejects.toThrow(VerifierKeyMissing);
  });

  test('is remembered beside 4,095 others, and the one that was shown least lately goes', async () => {
    const { seen, by } = replica();
    const account = async (n: number) => ({ ...healthy, verifiers: await ownVerifiers(n) });
    for (let n = 0; n < 4096; n++) await by('a', await account(n), own);
    await by('a', await account(0), own);
    await by('a', await account(4096), own);
    expect(seen.hashes).toBe(4097);
    await by('a', await account(0), own);
    expect(seen.hashes).toBe(4097);
    await by('a', await account(1), own);
    expect(seen.hashes).toBe(4098);
  });
});

describe('a crowd', () => {
  test('that comes with one secret makes one attempt and waits for one check', async () => {
    for (const [shown, expected, left] of [
      [own, 'ok', 0],
      [wrong, 'refused', 1],
    ] as const) {
      const { seen, by } = replica({ held: true });
      const account = await owned();
      const counted = limit();
      const crowd = Array.from({ length: 300 }, () => by('a', account, shown, counted));
      expect(seen.hashes).toBe(1);
      seen.release();
      expect(new Set((await Promise.all(crowd)).map(({ result }) => result))).toEqual(new Set([expected]));
      expect(counted.taken).toBe(left);
    }
  });

  test('of several accounts, existing or not, makes an attempt for each', async () => {
    const { seen, by } = replica({ held: true });
    const counted = limit();
    const another = { ...healthy, uid: uid.replace('1', '2') };
    const crowd = [by('a', healthy, wrong, counted), by('b', another, wrong, counted)];
    crowd.push(by('c', undefined, wrong, counted), by('d', undefined, wrong, counted));
    expect([seen.hashes, counted.taken]).toEqual([2, 4]);
    await eventually('the hashes of the others have begun', () => {
      seen.release();
      return seen.hashes === 4;
    });
    seen.release();
    expect((await Promise.all(crowd)).map(({ result }) => result)).toEqual(crowd.map(() => 'refused'));
  });

  test('that is let in with a secret does not let in who shows another', async () => {
    const { seen, by } = replica({ held: true });
    const account = await owned();
    const both = [by('a', account, own), by('a', account, wrong)];
    seen.release();
    expect((await Promise.all(both)).map(({ result }) => result)).toEqual(['ok', 'refused']);
  });
});

describe('an account with a verifier of a key that is not loaded', () => {
  const account = { ...healthy, verifiers: [...healthy.verifiers, { revision: 3, verifier: unknownVerifier() }] };

  function unknownVerifier() {
    return new Verifiers(new Map([[1, new SecretValue('another'.repeat(5))]])).ofGenerated({ uid, revision: 3 }, old);
  }

  test('lets in whoever shows what can be checked', async () =>
    expect((await logIn(account, secret)).result).toBe('ok'));

  test('turns nobody away: whether another secret is right cannot be said', async () => {
    const counted = limit();
    await expect(logIn(account, old, counted)).rejects.toThrow(VerifierKeyMissing);
    expect(counted.taken).toBe(1);
  });
});
