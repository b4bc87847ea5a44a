import { describe, expect, test } from 'vitest';
import { Attempts } from '../../src/server/attempts.ts';

const here = '192.0.2.1';

/** How many attempts go through at one moment, up to a thousand. */
function through(attempts: Attempts, now: number, account = 'robot_shop+ci', address: string | (() => string) = here) {
  for (let count = 0; count < 1000; count++) {
    const from = typeof address === 'string' ? address : address();
    if (attempts.limit(account, from, now).take() !== undefined) return count;
  }
  return 1000;
}

/** Ever another address. */
function anywhere(): () => string {
  let count = 0;
  return () => `10.${(++count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`;
}

test('an account is guessed at 60 times at once, and once a second from then on, from wherever', () => {
  const attempts = new Attempts();
  const address = anywhere();
  expect(through(attempts, 0, 'a', address)).toBe(60);
  expect(through(attempts, 999, 'a', address)).toBe(0);
  expect(through(attempts, 1000, 'a', address)).toBe(1);
  expect(through(attempts, 11_000, 'a', address)).toBe(10);
  expect(through(attempts, 10_000_000, 'a', address)).toBe(60);
  expect(through(attempts, 10_000_000, 'b', address)).toBe(60);
});

test('an address guesses 120 times at once, and four times a second from then on, at whatever', () => {
  const attempts = new Attempts();
  const guess = (now: number) => {
    for (let count = 0; count < 1000; count++) {
      if (attempts.limit(`${now} ${count}`, here, now).take() !== undefined) return count;
    }
    return 1000;
  };
  expect(guess(0)).toBe(120);
  expect(guess(1000)).toBe(4);
  expect(attempts.limit('a', '192.0.2.2', 1000).take()).toBeUndefined();
});

test('says when to come again', () => {
  const attempts = new Attempts();
  through(attempts, 0);
  expect(attempts.limit('robot_shop+ci', '192.0.2.9', 0).take()).toBe(1);
});

test('what is given back was never taken', () => {
  const attempts = new Attempts();
  for (let i = 0; i < 500; i++) {
    const limit = attempts.limit('a', here, 0);
    expect(limit.take()).toBeUndefined();
    limit.giveBack();
  }
  attempts.limit('a', here, 0).giveBack(); // and nothing grows beyond the allowance
  expect(through(attempts, 0, 'a', anywhere())).toBe(60);
});

test('an attempt that is refused costs nothing more', () => {
  const attempts = new Attempts();
  through(attempts, 0);
  for (let i = 0; i < 1000; i++) attempts.limit('robot_shop+ci', here, 0).take();
  expect(through(attempts, 1000)).toBe(1);
});

describe('an address of IPv6', () => {
  test.each([
    ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', true],
    ['2001:db8::1', '2001:db8:0:0:1::', true],
    ['2001:db8:0:1::1', '2001:db8:0:2::1', false],
    ['::1', '2001:db8::1', false],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
    ['fe80::1%eth0', 'fe80::2', true],
  ])('%s and %s: one network is %s', (a, b, same) => {
    const attempts = new Attempts();
    for (let i = 0; i < 120; i++) attempts.limit(`${i}`, a, 0).take();
    expect(attempts.limit('other', b, 0).take() !== undefined).toBe(same);
  });
});

test('an account that was guessed at is not forgotten for attempts at others, from however many addresses', () => {
  const attempts = new Attempts();
  const address = anywhere();
  expect(through(attempts, 0, 'victim', address)).toBe(60);
  for (let i = 0; i < 20_000; i++) attempts.limit(`account-${i}`, address(), 0).take();
  expect(through(attempts, 0, 'victim', address)).toBe(0);
});

test('which names share an allowance is different in each process, and few do', () => {
  const sharing = () => {
    const attempts = new Attempts();
    const address = anywhere();
    for (let i = 0; i < 1000; i++) {
      const limit = attempts.limit(`victim-${i}`, address(), 0);
      for (let j = 0; j < 60; j++) limit.take();
    }
    const names = Array.from({ length: 5000 }, (_, i) => `account-${i}`);
    return names.filter(name => attempts.limit(name, address(), 0).take() !== undefined);
  };
  const [first, second] = [sharing(), sharing()];
  expect(first.length).toBeGreaterThan(20); // 76 on average
  expect(first.length).toBeLessThan(200);
  expect(first).not.toEqual(second);
});
