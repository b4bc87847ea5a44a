import { expect, test } from 'vitest';
import { failedList, refusedList, wordsOf } from '../../src/controllers/failed-attempt.ts';
import { StatusListInvalid } from '../../src/controllers/status-shards.ts';
import { KubeError, Unreachable } from '../../src/kube/errors.ts';

const { signal } = new AbortController();
const answer = (code: number) => KubeError.of(code, { kind: 'Status', message: 'no' }, undefined);

test('what refuses and what does not answer says so', async () => {
  const timeout = AbortSignal.timeout(0);
  await new Promise(resolve => timeout.addEventListener('abort', resolve));
  expect(
    wordsOf(KubeError.of(403, { kind: 'Status', reason: 'Forbidden', message: 'a policy' }, undefined), signal),
  ).toBe('Forbidden: a policy');
  expect(wordsOf(new Unreachable('deadline', 'no answer within 30 s'), signal)).toBe(
    'Unreachable: no answer within 30 s',
  );
  expect(wordsOf(timeout.reason, signal)).toBe('Timeout: no answer in time');
});

test('a defect, and an attempt that was called off, have no words', () => {
  expect(wordsOf(new TypeError('x is not a function'), signal)).toBeUndefined();
  expect(wordsOf(new Unreachable('deadline', 'x'), AbortSignal.abort())).toBeUndefined();
});

test.each<[string, Error, string | undefined, string | undefined]>([
  ['a refusal', answer(403), 'WriteRefused', 'RevocationFailed'],
  ['a list that is none', new StatusListInvalid('edited'), 'StatusListInvalid', 'RevocationFailed'],
  ['a server in trouble', answer(500), undefined, 'RevocationFailed'],
  ['a busy server', answer(429), undefined, 'RevocationFailed'],
  ['a defect', new TypeError('x'), undefined, undefined],
])('%s of a status list', (_, error, refused, failed) => {
  expect([refusedList(error)?.reason, failedList(error, signal)?.reason]).toEqual([refused, failed]);
});
