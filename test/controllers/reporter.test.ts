import { expect, test } from 'vitest';
import type { Verdict } from '../../src/api/conditions.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { reporter, tokenMetrics } from '../../src/controllers/world.ts';
import { served } from '../decide/healthy.ts';
import { silent } from '../kube/local-server.ts';

const says = (verdict: Omit<Verdict, 'message'>) => {
  const types: string[] = [];
  const events = {
    record: (_: object, { type, reason }: { type: string; reason: string }) => void types.push(`${type} ${reason}`),
  };
  const report = reporter({ events, log: silent, metrics: tokenMetrics(new Metrics()) });
  report('BotToken', served, { ...verdict, message: '' }, { always: false, action: 'Reconcile' });
  return types;
};

test.each<[string, Omit<Verdict, 'message'>, string[]]>([
  ['what only a change can help', { state: 'stalled', reason: 'Expired' }, ['Warning Expired']],
  ['a refused write', { state: 'reconciling', reason: 'WriteRefused' }, ['Warning WriteRefused']],
  ['a refused write of a token that is in force', { state: 'ready', reason: 'WriteRefused' }, ['Warning WriteRefused']],
  ['consumers that were not restarted', { state: 'ready', reason: 'RestartFailed' }, ['Warning RestartFailed']],
  ['a key that was stopped', { state: 'ready', reason: 'KeyWithdrawn' }, ['Warning KeyWithdrawn']],
  ['a key that is none', { state: 'ready', reason: 'KeyNotFound' }, ['Warning KeyNotFound']],
  ['something that goes on by itself', { state: 'reconciling', reason: 'BotUserNotFound' }, ['Normal BotUserNotFound']],
  ['a repeat of the same', { state: 'ready', reason: 'Issued' }, []],
])('the event of %s', (_, verdict, expected) => expect(says(verdict)).toEqual(expected));
