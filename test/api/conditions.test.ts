import { describe, expect, test } from 'vitest';
import { type Condition, conditionsOf, type Meaning, reasons, type Verdict } from '../../src/api/conditions.ts';

const before = new Date('2026-01-01T00:00:00.000Z');
const now = new Date('2026-01-02T03:04:05.678Z');
const issued: Verdict = { state: 'ready', reason: 'Issued', message: 'It is there' };
const statuses = (conditions: readonly Condition[]) => conditions.map(({ type, status }) => `${type}=${status}`);

describe('kstatus', () => {
  test.each<[Verdict['state'], string[]]>([
    ['ready', ['Ready=True', 'Reconciling=False', 'Stalled=False']],
    ['reconciling', ['Ready=False', 'Reconciling=True', 'Stalled=False']],
    ['stalled', ['Ready=False', 'Reconciling=False', 'Stalled=True']],
  ])('%s', (state, expected) => {
    expect(statuses(conditionsOf({ ...issued, state }, undefined, 1, now))).toEqual(expected);
  });
});

test('the same verdict later gives the same conditions, so nothing is written', () => {
  const old = conditionsOf(issued, undefined, 1, before);
  expect(conditionsOf(issued, old, 1, now)).toEqual(old);
});

test('a transition has a time of its own, and only where the status changed', () => {
  const old = conditionsOf(issued, undefined, 1, before);
  const stalled = conditionsOf({ state: 'stalled', reason: 'Expired', message: 'It is over' }, old, 2, now);
  expect(stalled.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
    '2026-01-02T03:04:05Z',
    '2026-01-01T00:00:00Z',
    '2026-01-02T03:04:05Z',
  ]);
  expect(stalled.map(({ reason, observedGeneration }) => [reason, observedGeneration])).toEqual([
    ['Expired', 2],
    ['Expired', 2],
    ['Expired', 2],
  ]);
});

test('a condition that another version wrote is read past', () => {
  const old = [
    {
      type: 'Paused',
      status: 'True' as const,
      reason: 'Later',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
      observedGeneration: 1,
    },
  ];
  expect(statuses(conditionsOf(issued, old, 1, now))).toEqual(['Ready=True', 'Reconciling=False', 'Stalled=False']);
});

describe('the closed list of reasons', () => {
  test.each(Object.entries<Meaning>(reasons))(
    '%s has a cause, a place, and a remedy where only a change can help',
    (_, meaning) => {
      expect(meaning.cause).toMatch(/\.$/);
      const states = Object.values(meaning.on).flat();
      expect(states).not.toEqual([]);
      if (states.includes('stalled')) expect(meaning.remedy).toMatch(/\.$/);
    },
  );
});
