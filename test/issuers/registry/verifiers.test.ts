import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { generateSecret } from '../../../src/issuers/registry/secrets.ts';
import type { SlowHash } from '../../../src/issuers/registry/slow-hash.ts';
import { Verifiers } from '../../../src/issuers/registry/verifiers.ts';

const secretKey = (text: string) => new SecretValue(text.repeat(32));
const verifiers = new Verifiers(new Map([[1, secretKey('a')]]));
const robot = { uid: '7f0c8a3e-0000-4000-8000-000000000001', revision: 3 };
const other = { ...robot, uid: '7f0c8a3e-0000-4000-8000-000000000002' };
const own = new SecretValue('Passw0rd-of-ours');
const live = (verifier: string, revision = robot.revision) => [{ revision, verifier }];

/** Whether it was made with the key that makes new ones. */
const isCurrent = (of: Verifiers, verifier: string) => of.numberOf(verifier) === of.current.number;

describe('of a generated secret', () => {
  const secret = generateSecret();
  const verifier = verifiers.ofGenerated(robot, secret);

  test('is v1, the key, the method and 256 bits, the same each time', () => {
    expect(verifier).toMatch(/^v1\.[\w-]{8}\.hmac\.[\w-]{43}$/);
    expect(verifiers.ofGenerated(robot, secret)).toBe(verifier);
  });

  test('is these bytes, for ever: nobody can log in any more when they change', () =>
    expect(verifiers.ofGenerated(robot, new SecretValue('bmr_0123456789ABCDEFabcdef1fqHeg'))).toBe(
      'v1.6QxbHgRg.hmac.r_LHqyA1qt-t-e2EpdvUQpWb8XyEE6fU3Tq4TsGl2tA',
    ));

  test('matches its secret and no other', () => {
    expect(verifiers.matchesGenerated(robot.uid, live(verifier), secret)).toBe(true);
    expect(verifiers.matchesGenerated(robot.uid, live(verifier), generateSecret())).toBe(false);
    expect(verifiers.matchesGenerated(robot.uid, live(verifier), new SecretValue(''))).toBe(false);
  });

  test('is worth nothing for another account, another revision, or under another key', () => {
    expect(verifiers.matchesGenerated(other.uid, live(verifier), secret)).toBe(false);
    expect(verifiers.matchesGenerated(undefined, live(verifier), secret)).toBe(false);
    expect(verifiers.matchesGenerated(robot.uid, live(verifier, 4), secret)).toBe(false);
    expect(new Verifiers(new Map([[1, secretKey('b')]])).matchesGenerated(robot.uid, live(verifier), secret)).toBe(
      false,
    );
  });

  test('is one of two in an overlap', () => {
    const next = generateSecret();
    const both = [...live(verifiers.ofGenerated({ ...robot, revision: 4 }, next), 4), ...live(verifier)];
    expect(verifiers.matchesGenerated(robot.uid, both, secret)).toBe(true);
    expect(verifiers.matchesGenerated(robot.uid, both, next)).toBe(true);
    expect(verifiers.matchesGenerated(robot.uid, [...both].reverse(), next)).toBe(true);
  });

  test('does not match as one’s own, nor the other way round', async () => {
    const asOwn = await verifiers.ofOwn(robot, own);
    expect(verifiers.matchesGenerated(robot.uid, live(asOwn), own)).toBe(false);
    expect(await verifiers.matchesOwn(robot.uid, live(verifiers.ofGenerated(robot, own)), own)).toBe(false);
  });
});

describe('of a secret of one’s own', () => {
  test('is these bytes, for ever', async () =>
    expect(await verifiers.ofOwn(robot, new SecretValue('Passw0rd-of-ours'))).toBe(
      'v1.6QxbHgRg.scrypt-14-8-1.jWgRCdUU8PCCSkvbpZcNK9OHqeth1NnuXkBamXax8Rw',
    ));

  test('matches its secret, for its account and revision', async () => {
    const verifier = live(await verifiers.ofOwn(robot, own));
    expect(await verifiers.matchesOwn(robot.uid, verifier, own)).toBe(true);
    expect(await verifiers.matchesOwn(robot.uid, verifier, new SecretValue('Passw0rd-of-yours'))).toBe(false);
    expect(await verifiers.matchesOwn(other.uid, verifier, own)).toBe(false);
    expect(await verifiers.matchesOwn(robot.uid, live(verifier[0]?.verifier ?? '', 4), own)).toBe(false);
  });

  test('takes one slow hash, with and without an account, a verifier, or two of them', async () => {
    let hashes = 0;
    const counted: SlowHash = async secret => Buffer.from(`${++hashes}${secret.reveal()}`.slice(1));
    const counting = new Verifiers(new Map([[1, secretKey('a')]]), counted);
    const mine = live(await counting.ofOwn(robot, own));
    const two = [...mine, ...live(await counting.ofOwn({ ...robot, revision: 4 }, own), 4)];
    const generated = live(counting.ofGenerated(robot, generateSecret()));
    const wrong = new SecretValue('Wrong-passw0rd');
    for (const [uid, candidates] of [
      [undefined, []],
      [robot.uid, []],
      [robot.uid, generated],
      [robot.uid, mine],
      [robot.uid, two],
      [robot.uid, live('v1.nonsense')],
    ] as const) {
      hashes = 0;
      expect(await counting.matchesOwn(uid, candidates, wrong)).toBe(false);
      expect(hashes).toBe(1);
    }
  });

  test('takes none for what cannot be one by its length, whatever the account', async () => {
    const never: SlowHash = () => Promise.reject(new Error('not expected'));
    const cheap = new Verifiers(new Map([[1, secretKey('a')]]), never);
    const mine = live(await verifiers.ofOwn(robot, own));
    for (const text of ['', 'Short0', generateSecret().reveal(), 'x'.repeat(10_000)]) {
      expect(await cheap.matchesOwn(robot.uid, mine, new SecretValue(text))).toBe(false);
      expect(await cheap.matchesOwn(undefined, [], new SecretValue(text))).toBe(false);
    }
  });
});

test('is made for the operator at once, however many logins are waiting', async () => {
  let isBusy = true;
  const never = new Promise<Buffer>(() => undefined);
  const busy = new Verifiers(new Map([[1, secretKey('a')]]), async secret =>
    isBusy ? never : Buffer.from(secret.reveal()),
  );
  for (let i = 0; i < 50; i++) void busy.matchesOwn(robot.uid, [], new SecretValue(`Passw0rd-${i}`));
  isBusy = false;
  expect(await busy.ofOwn(robot, own)).toMatch(/^v1\./);
});

describe('when the operator’s key changes', () => {
  const secret = generateSecret();
  const [old, both, without] = [[secretKey('a')], [secretKey('b'), secretKey('a')], [secretKey('b')]] as const;

  test('both are known, the new one makes the next, and what the old one made is to be made anew', async () => {
    const before = new Verifiers(new Map([[1, old[0]]]));
    const during = new Verifiers(
      new Map([
        [2, both[0]],
        [1, both[1]],
      ]),
    );
    for (const verifier of [before.ofGenerated(robot, secret), during.ofGenerated(robot, secret)]) {
      expect(during.matchesGenerated(robot.uid, live(verifier), secret)).toBe(true);
    }
    expect(await during.matchesOwn(robot.uid, live(await before.ofOwn(robot, own)), own)).toBe(true);
    expect(isCurrent(during, before.ofGenerated(robot, secret))).toBe(false);
    expect(isCurrent(during, during.ofGenerated(robot, secret))).toBe(true);
    const after = new Verifiers(new Map([[1, without[0]]]));
    expect(after.matchesGenerated(robot.uid, live(during.ofGenerated(robot, secret)), secret)).toBe(true);
    expect(after.matchesGenerated(robot.uid, live(before.ofGenerated(robot, secret)), secret)).toBe(false);
  });
});

describe('a set of numbered keys', () => {
  const secret = generateSecret();
  const [a, b] = [secretKey('a'), secretKey('b')];

  test('has its newest make verifiers, or the one that is asked for', () => {
    const set = new Verifiers(new Map([[1, a]]));
    const old = set.ofGenerated(robot, secret);
    expect(set.current).toEqual({ number: 1, id: old.split('.')[1] });
    set.replaceKeys(
      new Map([
        [2, b],
        [1, a],
      ]),
      1,
    );
    expect(set.ofGenerated(robot, secret)).toBe(old);
    set.replaceKeys(
      new Map([
        [1, a],
        [2, b],
      ]),
    );
    const verifier = set.ofGenerated(robot, secret);
    expect([set.numberOf(old), set.numberOf(verifier), set.current.number]).toEqual([1, 2, 2]);
    expect(set.matchesGenerated(robot.uid, [...live(old), ...live(verifier)], secret)).toBe(true);
    expect(set.matchesGenerated(robot.uid, live(old), secret)).toBe(true);
  });

  test('says of what was made with a key that is gone that nothing can be said', () => {
    const set = new Verifiers(new Map([[1, a]]));
    const old = set.ofGenerated(robot, secret);
    expect(set.lacksKeyOf(live(old))).toBe(false);
    set.replaceKeys(new Map([[2, b]]));
    expect(set.matchesGenerated(robot.uid, live(old), secret)).toBe(false);
    expect(set.lacksKeyOf(live(old))).toBe(true);
    expect(set.lacksKeyOf(live('v1.short'))).toBe(false);
    expect(set.numberOf(old)).toBeUndefined();
  });
});

test.each([
  '',
  'v1',
  'v2.AAAAAAAA.hmac.' + 'A'.repeat(43),
  'v1.AAAAAAAA.hmac.short',
  'v1.AAAAAAAA.scrypt-30-8-1.' + 'A'.repeat(43),
  'v1.AAAAAAAA.toString.' + 'A'.repeat(43),
])('%j matches nothing and costs nothing more', async text => {
  const secret = generateSecret();
  expect(verifiers.matchesGenerated(robot.uid, live(text), secret)).toBe(false);
  expect(await verifiers.matchesOwn(robot.uid, live(text), own)).toBe(false);
  expect(isCurrent(verifiers, text)).toBe(false);
});

test('of a method that is not known, it is not one of today', () => {
  const verifier = verifiers.ofGenerated(robot, generateSecret());
  expect(isCurrent(verifiers, verifier)).toBe(true);
  expect(isCurrent(verifiers, verifier.replace('.hmac.', '.scrypt-30-8-1.'))).toBe(false);
});

test('what stands in for a missing verifier matches nothing, whatever is shown', () => {
  for (const text of ['', '\0'.repeat(32)]) {
    expect(verifiers.matchesGenerated(undefined, [], new SecretValue(text))).toBe(false);
  }
});

test('neither key nor secret can be seen in it', () => {
  const secret = generateSecret();
  const seen = inspect(verifiers, { depth: 9, showHidden: true }) + verifiers.ofGenerated(robot, secret);
  expect(seen).not.toContain('a'.repeat(32));
  expect(seen).not.toContain(secret.reveal().slice(4));
});
