import { describe, expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import {
  newRollout,
  nextLook,
  nextOfRollout,
  openRollout,
  type Rollout,
  type RolloutStep,
  restartAnnotation,
  restartPatch,
  type TargetSeen,
  targetKey,
} from '../../src/decide/rollout.ts';
import type { Workload } from '../../src/decide/workload-progress.ts';
import { later, now, served, tokenID, withSpec, withStatus } from './healthy.ts';

// One token that was rotated a minute ago, with two consumers; the old one's overlap ends in an hour.
const web = { kind: 'Deployment', name: 'web' } as const;
const db = { kind: 'StatefulSet', name: 'db' } as const;
const restart = [web, db];
const rollout: Rollout = { tokenID, startedAt: later(-60), givesUpAt: later(7140) };
const bothRestarted = [
  { ...web, uid: 'web-uid' },
  { ...db, uid: 'db-uid' },
];
const restarted: Rollout = { ...rollout, restarted: bothRestarted, restartedAt: later(-50) };
const key = restartAnnotation('deploy');
const marked = { [key]: tokenID };
const generation = 2;
const held = { tokenID: 'old', revokeAt: later(7140), overlapEndsAt: later(3540) };

function tokenWith(of: Rollout, change: { restart?: BotToken['spec']['restart']; previous?: (typeof held)[] } = {}) {
  const { restart: named = restart, previous = [held] } = change;
  return withStatus({ rollout: of, previous }, withSpec({ restart: named }));
}

function workload(name: 'web' | 'db', change: Partial<Workload> = {}): Workload {
  const isRolled = {
    observedGeneration: generation,
    replicas: 1,
    updatedReplicas: 1,
    availableReplicas: 1,
    readyReplicas: 1,
  };
  return {
    metadata: { uid: `${name}-uid`, resourceVersion: '5', generation },
    replicas: 1,
    templateAnnotations: {},
    counts: isRolled,
    conditions: [],
    ...change,
  };
}

const found = (of: Workload, restartedUID?: string): TargetSeen => ({ state: 'found', workload: of, restartedUID });
const untouched = (name: 'web' | 'db') => found(workload(name));
const rolled = (name: 'web' | 'db') => found(workload(name, { templateAnnotations: marked }));
const rolling = (name: 'web' | 'db', conditions: Workload['conditions'] = []) =>
  found(workload(name, { templateAnnotations: marked, counts: { observedGeneration: 1 }, conditions }));
const stuck = found(
  workload('web', {
    templateAnnotations: marked,
    counts: { observedGeneration: generation },
    conditions: [{ type: 'Progressing', reason: 'ProgressDeadlineExceeded' }],
  }),
);
const absent: TargetSeen = { state: 'absent', restartedUID: undefined };
const refused: TargetSeen = { state: 'refused', message: 'the API server refused to patch it: Forbidden: no' };

function next(
  of: Rollout,
  seen: { web?: TargetSeen; db?: TargetSeen },
  { at = now, ...change }: Parameters<typeof tokenWith>[1] & { at?: Date } = {},
): RolloutStep {
  const pairs = [[web, seen.web] as const, [db, seen.db] as const].filter(([, what]) => what !== undefined);
  const map = new Map(pairs.map(([target, what]) => [targetKey(target), what as TargetSeen]));
  return nextOfRollout({ kind: botTokens, object: tokenWith(of, change) }, of, map, at);
}

function trouble(step: RolloutStep): string | undefined {
  expect(step.do).toBe('wait');
  return step.do === 'wait' ? step.trouble : undefined;
}

describe('before all are restarted', () => {
  test('looks at those that it has not seen', () => {
    expect(next(rollout, {})).toEqual({ do: 'read-workloads', targets: [web, db] });
    expect(next(rollout, { web: untouched('web') })).toEqual({ do: 'read-workloads', targets: [db] });
  });

  test('restarts one at a time, at what was read', () => {
    const seen = { web: untouched('web'), db: untouched('db') };
    expect(next(rollout, seen)).toMatchObject({
      do: 'restart-workload',
      target: web,
      tokenID,
      workload: { metadata: { resourceVersion: '5' } },
    });
    expect(next(rollout, { ...seen, web: rolling('web') })).toMatchObject({ do: 'restart-workload', target: db });
  });

  test('takes the token of another rotation for none', () => {
    const older = found(workload('web', { templateAnnotations: { [key]: 'older' } }));
    expect(next(rollout, { web: older, db: rolled('db') })).toMatchObject({ do: 'restart-workload', target: web });
  });

  test('records that all are', () => {
    expect(next(rollout, { web: rolling('web'), db: rolled('db') })).toEqual({
      do: 'record',
      rollout: { ...rollout, restarted: bothRestarted, restartedAt: later(0) },
      previous: [held],
    });
  });

  test('records what it could do, and says why not all', () => {
    const step = next(rollout, { web: absent, db: rolling('db') });
    expect(step).toMatchObject({ do: 'record', rollout: { restarted: [{ ...db, uid: 'db-uid' }] } });
    expect(step.do === 'record' && step.rollout.restartedAt).toBeUndefined();
    const recorded = { ...rollout, restarted: [{ ...db, uid: 'db-uid' }] };
    expect(trouble(next(recorded, { web: absent, db: rolling('db') }))).toBe(
      'spec.restart[0]: Deployment web does not exist in this namespace: create it, or correct spec.restart',
    );
  });

  test('names every one that is refused, with the words of the API server and the remedy', () => {
    const says = trouble(next(rollout, { web: refused, db: refused }));
    expect(says).toMatch(
      /^spec\.restart\[0\]: Deployment web cannot be restarted: .*Forbidden: no: let botmint .*; spec\.restart\[1\]: StatefulSet db/,
    );
  });

  test('restarts what comes later, and no other a second time', () => {
    const recorded = { ...rollout, restarted: [{ ...db, uid: 'db-uid' }] };
    expect(next(recorded, { web: untouched('web'), db: untouched('db') })).toMatchObject({
      do: 'restart-workload',
      target: web,
    });
  });

  test('does not restart again what this process has restarted, though somebody took the annotation off', () => {
    const stripped = found(workload('web'), 'web-uid');
    expect(next(rollout, { web: stripped, db: rolling('db') })).toMatchObject({
      do: 'record',
      rollout: { restartedAt: later(0) },
    });
  });

  test.each<[string, TargetSeen]>([
    ['was made anew', found(workload('web'), 'earlier-uid')],
    ['is gone', { state: 'absent', restartedUID: 'earlier-uid' }],
  ])('does not restart again what this process has restarted and what %s before that was recorded', (_, seen) => {
    expect(next(rollout, { web: seen, db: rolling('db') })).toMatchObject({
      do: 'record',
      rollout: {
        restarted: [
          { ...web, uid: 'earlier-uid' },
          { ...db, uid: 'db-uid' },
        ],
        restartedAt: later(0),
      },
    });
  });

  test('counts only those that are named now', () => {
    expect(next(rollout, { db: rolled('db') }, { restart: [db] })).toMatchObject({
      do: 'record',
      rollout: { finishedAt: later(0) },
    });
    expect(next(rollout, {}, { restart: [] })).toMatchObject({ do: 'record', rollout: { finishedAt: later(0) } });
  });
});

describe('when all are restarted', () => {
  test('waits, and says nothing, while they roll', () => {
    expect(trouble(next(restarted, { web: rolling('web'), db: rolled('db') }))).toBeUndefined();
  });

  test('restarts nothing, whatever becomes of the annotation', () => {
    const says = trouble(next(restarted, { web: untouched('web'), db: rolled('db') }));
    expect(says).toContain(`spec.restart[0]: Deployment web lost the annotation ${key}`);
  });

  test('leaves one alone that is added later', () => {
    const onlyWeb = { ...restarted, restarted: [{ ...web, uid: 'web-uid' }] };
    expect(next(onlyWeb, { web: rolling('web') })).toEqual({ do: 'wait', trouble: undefined });
  });

  test.each<[string, { web: TargetSeen; db: TargetSeen }]>([
    ['both have rolled', { web: rolled('web'), db: rolled('db') }],
    ['one is gone', { web: absent, db: rolled('db') }],
    [
      'one was made anew',
      {
        web: found(workload('web', { metadata: { uid: 'other', resourceVersion: '8', generation: 1 } })),
        db: rolled('db'),
      },
    ],
  ])('finishes when %s, and lets the old credential go at the end of its overlap', (_, seen) => {
    expect(next(restarted, seen)).toEqual({
      do: 'record',
      rollout: { ...restarted, finishedAt: later(0) },
      previous: [{ tokenID: 'old', revokeAt: held.overlapEndsAt }],
    });
  });

  test('lets it go now when the overlap is over, and leaves alone what was not held', () => {
    const previous = [
      { tokenID: 'old', revokeAt: later(3000), overlapEndsAt: later(-600) },
      { tokenID: 'older', revokeAt: later(9000) } as typeof held,
      { tokenID: 'oldest', revokeAt: later(30), overlapEndsAt: later(60) },
    ];
    expect(next(restarted, { web: rolled('web'), db: rolled('db') }, { previous })).toMatchObject({
      previous: [
        { tokenID: 'old', revokeAt: later(0) },
        { tokenID: 'older', revokeAt: later(9000) },
        { tokenID: 'oldest', revokeAt: later(30) },
      ],
    });
  });

  test.each<[string, number, TargetSeen, RegExp | undefined]>([
    ['in its first minutes', 300, rolling('web'), undefined],
    ['stuck', 300, stuck, /^spec\.restart\[0\]: Deployment web is beyond its progress deadline/],
    ['when the overlap is nearly over', 3530, rolling('web'), undefined],
    ['when the overlap is over', 3540, rolling('web'), /Deployment web has not finished rolling/],
  ])('says of one that is still rolling: %s', (_, seconds, seen, expected) => {
    const says = trouble(
      next(restarted, { web: seen, db: rolled('db') }, { at: new Date(now.getTime() + seconds * 1000) }),
    );
    if (expected === undefined) expect(says).toBeUndefined();
    else expect(says).toMatch(expected);
  });

  test('without an overlap, waits ten minutes before it says so', () => {
    const none = { ...restarted, startedAt: later(-60), givesUpAt: later(3540) };
    expect(trouble(next(none, { web: rolling('web'), db: rolled('db') }))).toBeUndefined();
    const at = new Date(now.getTime() + 540_000);
    expect(trouble(next(none, { web: rolling('web'), db: rolled('db') }, { at }))).toContain(
      'has not finished rolling',
    );
  });
});

describe('an hour after the overlap', () => {
  const at = new Date(now.getTime() + 7140_000);
  test.each<[string, Rollout, TargetSeen, RegExp]>([
    ['that does not exist', rollout, absent, /does not exist/],
    ['that is refused', rollout, refused, /Forbidden/],
    ['that still rolls', restarted, rolling('web'), /has not finished rolling/],
    ['that lost its annotation', restarted, untouched('web'), /lost the annotation/],
  ])('gives up one %s', (_, of, seen, message) => {
    expect(next(of, { web: seen, db: rolled('db') }, { at })).toMatchObject({
      do: 'record',
      rollout: { finishedAt: later(7140), failed: [{ ...web, message: expect.stringMatching(message) }] },
      previous: [{ tokenID: 'old', revokeAt: later(7140) }],
    });
  });

  test('looks before it does, and restarts nothing any more', () => {
    expect(next(rollout, {}, { at })).toMatchObject({ do: 'read-workloads' });
    expect(next(rollout, { web: untouched('web'), db: untouched('db') }, { at })).toMatchObject({
      do: 'record',
      rollout: { finishedAt: later(7140), failed: [web, db] },
    });
  });
});

describe('a roll-out', () => {
  const rotated = withSpec({ restart });
  test('is open for the token in force, until it has finished', () => {
    expect(openRollout(tokenWith(rollout))).toBe(rollout);
    expect(openRollout(tokenWith({ ...rollout, finishedAt: later(-1) }))).toBeUndefined();
    expect(openRollout(tokenWith({ ...rollout, tokenID: 'another' }))).toBeUndefined();
    expect(openRollout(served)).toBeUndefined();
  });

  test('begins with whatever supersedes a token, and waits an hour longer than the overlap', () => {
    const overlapEnd = new Date(later(600));
    expect(newRollout(rotated, 'new', overlapEnd, now)).toEqual({
      tokenID: 'new',
      startedAt: later(0),
      givesUpAt: later(4200),
    });
    expect(newRollout(rotated, 'new', undefined, now)).toMatchObject({ givesUpAt: later(3600) });
  });

  test('does not begin with the first token, nor where nobody is named', () => {
    const { revision: _, ...first } = rotated.status ?? {};
    expect(newRollout({ ...rotated, status: first }, 'new', undefined, now)).toBeUndefined();
    expect(newRollout(withSpec({ restart: [] }), 'new', undefined, now)).toBeUndefined();
    expect(newRollout(served, 'new', undefined, now)).toBeUndefined();
  });

  test.each([
    [0, 5],
    [30, 5],
    [120, 20],
    [3600, 300],
    [7000, 140], // the end itself
    [7140, undefined],
  ])('that is %s s old is looked at again after %s s', (age, seconds) => {
    const at = new Date(Date.parse(rollout.startedAt) + age * 1000);
    const end = { ...rollout, givesUpAt: new Date(Date.parse(rollout.startedAt) + 7140_000).toISOString() };
    const next = nextLook(end, at);
    expect(next && (next.getTime() - at.getTime()) / 1000).toBe(seconds);
  });
});

describe('the annotation', () => {
  test('names the token, in a form that the API server takes', () => {
    expect(restartAnnotation('deploy')).toBe('restart.botmint.dev/deploy');
    expect(restartAnnotation('a'.repeat(63))).toBe(`restart.botmint.dev/${'a'.repeat(63)}`);
    const [long, other] = [restartAnnotation('a'.repeat(64)), restartAnnotation(`${'a'.repeat(63)}b`)];
    for (const annotation of [long, other, restartAnnotation(`${'a.'.repeat(60)}a`)])
      expect(annotation).toMatch(/^restart\.botmint\.dev\/[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])$/);
    expect(long).not.toBe(other);
    expect(restartAnnotation('deploy', 'RobotAccount')).toBe('restart.botmint.dev/RobotAccount_deploy');
  });

  test('is all that a restart changes', () => {
    expect(restartPatch({ kind: botTokens, object: served }, tokenID)).toEqual({
      spec: { template: { metadata: { annotations: { 'restart.botmint.dev/deploy': tokenID } } } },
    });
  });
});
