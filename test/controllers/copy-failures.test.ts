import { expect, test } from 'vitest';
import { failureOf } from '../../src/controllers/copy-failures.ts';
import type { CopyChange } from '../../src/decide/copies-seen.ts';
import { KubeError, Unreachable } from '../../src/kube/errors.ts';
import { copied } from '../decide/copied.ts';

const signal = new AbortController().signal;
const nothing = { source: undefined, from: undefined };
const change: CopyChange = {
  do: 'write',
  place: 'one',
  wanted: 'this',
  namespace: 'one',
  over: undefined,
  serviceAccounts: [],
};
const answer = (status: number, message = 'no') => KubeError.of(status, { kind: 'Status', message }, undefined);
const endOf = (error: Error, by = signal) => failureOf(error, copied(), nothing, change, by);

test.each<[string, Error, 'failed' | 'moved']>([
  ['a refusal', answer(403), 'failed'],
  ['no answer in time: others wait behind it', new Unreachable('deadline', 'no answer'), 'failed'],
  ['a broken connection', new Unreachable('connection', 'reset'), 'moved'],
  ['a change of somebody else', answer(409), 'moved'],
  ['a server that is busy', answer(429), 'moved'],
  ['a server in trouble', answer(500), 'moved'],
])('%s', (_, error, as) => expect(endOf(error)).toMatchObject({ as, trouble: expect.stringContaining('one') }));

test('what a webhook says is told up to a length', () => {
  const { trouble } = endOf(answer(403, 'x'.repeat(5000))) as { trouble: string };
  expect(trouble.length).toBeLessThan(1000);
});

test('a defect, and the end of the work, are thrown on', () => {
  expect(() => endOf(new TypeError('a defect'))).toThrow(TypeError);
  expect(() => endOf(answer(403), AbortSignal.abort())).toThrow(KubeError);
});
