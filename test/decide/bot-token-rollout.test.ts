import { describe, expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { TokenInputs } from '../../src/api/inputs.ts';
import { pausedAnnotation } from '../../src/api/names.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Observed } from '../../src/decide/credential-seen.ts';
import { type Rollout, restartAnnotation, type TargetSeen, type TargetsSeen } from '../../src/decide/rollout.ts';
import {
  botUser,
  deleting,
  gone,
  inputs,
  later,
  madeFrom,
  now,
  secretOf,
  seen,
  served,
  tokenID,
  uid,
  withSpec,
  withStatus,
} from './healthy.ts';

// How a roll-out stands in the life of a token: what begins it, what it waits for, and what stops it.
const web = { kind: 'Deployment', name: 'web' } as const;
const rollout: Rollout = { tokenID, startedAt: later(-60), givesUpAt: later(7140) };
const workload = {
  metadata: { uid: 'web-uid', resourceVersion: '5', generation: 2 },
  replicas: 1,
  templateAnnotations: {},
  counts: { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
  conditions: [],
};
const untouched = { state: 'found', workload, restartedUID: undefined } as const;
const rolled = {
  state: 'found',
  workload: { ...workload, templateAnnotations: { [restartAnnotation('deploy')]: tokenID } },
  restartedUID: undefined,
} as const;
const absentWorkload: TargetSeen = { state: 'absent', restartedUID: undefined };
const targets = (of: TargetSeen): TargetsSeen => new Map([['Deployment/web', of]]);

function withRestart(token: BotToken = served, restart: BotToken['spec']['restart'] = [web]): BotToken {
  return { ...token, spec: { ...token.spec, restart } };
}
const rolling = withRestart(withStatus({ rollout }));

type Status = NonNullable<BotToken['status']>;
function written(of: Observed, at = now): Partial<Status> & { conditions?: Status['conditions'] } {
  const step = decide(of, at);
  if (step.do !== 'write-status') throw new Error(`the step is ${step.do}`);
  return step.patch;
}

/** The Secret is one revision ahead of the record. */
function rotated(token: BotToken, change: Partial<TokenInputs> = {}): Observed {
  const made = TokenInputs.parse({
    ...inputs,
    issuedAt: later(0),
    expiresAt: later(90 * 86_400),
    overlapSeconds: 600,
    ...change,
  });
  return seen({ token, secret: secretOf(token, { revision: 4, tokenID: `${uid}.4.new`, inputs: made }) });
}

describe('a roll-out begins with the record of a new token', () => {
  test('and holds the old one, an hour beyond its overlap at the most', () => {
    expect(written(rotated(withRestart()))).toMatchObject({
      tokenID: `${uid}.4.new`,
      rollout: { tokenID: `${uid}.4.new`, startedAt: later(0), givesUpAt: later(4200) },
      previous: [{ tokenID, revokeAt: later(4200), overlapEndsAt: later(600) }],
    });
  });

  test('but never beyond its own end', () => {
    const ends = withStatus({ expiresAt: later(1800) }, withRestart());
    expect(written(rotated(ends))).toMatchObject({ previous: [{ revokeAt: later(1800), overlapEndsAt: later(600) }] });
    const first = withRestart(madeFrom({ expiresAt: later(300) }).token);
    expect(written(rotated(first)).previous).toEqual([{ tokenID, revokeAt: later(300) }]);
  });

  test('and where the old one lives to its own end, nothing is held', () => {
    const made = TokenInputs.parse({ ...inputs, issuedAt: later(0), expiresAt: later(90 * 86_400) });
    const secret = secretOf(served, { revision: 4, tokenID: `${uid}.4.new`, inputs: made });
    const end = served.status?.expiresAt ?? '';
    expect(written(seen({ token: withRestart(), secret }))).toMatchObject({
      previous: [{ tokenID, revokeAt: end }],
      rollout: { givesUpAt: new Date(Date.parse(end) + 3600_000).toISOString().replace('.000', '') },
    });
  });

  test('also without an overlap: then nothing is held, and it is tried for an hour', () => {
    const patch = written(rotated(withRestart(), { overlapSeconds: 0 }));
    expect(patch.rollout).toEqual({ tokenID: `${uid}.4.new`, startedAt: later(0), givesUpAt: later(3600) });
    expect(patch.previous).toBeUndefined();
  });

  test('not with the first one, and not where nobody is named', () => {
    expect(written(rotated(served)).rollout).toBeUndefined();
    expect(written(rotated(served)).previous).toEqual([{ tokenID, revokeAt: later(600) }]);
    const { status: _, ...first } = withRestart();
    expect(written(rotated(first)).rollout).toBeUndefined();
  });

  test('and takes the place of the one before, whose credential keeps its own time', () => {
    const held = { tokenID: 'older', revokeAt: later(3000), overlapEndsAt: later(-600) };
    const patch = written(rotated(withStatus({ previous: [held] }, rolling)));
    expect(patch.previous).toEqual([held, { tokenID, revokeAt: later(4200), overlapEndsAt: later(600) }]);
    expect(patch.rollout).toMatchObject({ tokenID: `${uid}.4.new`, startedAt: later(0), givesUpAt: later(4200) });
  });

  test('and the next one clears what the last one left', () => {
    const old = {
      ...rollout,
      restarted: [{ ...web, uid: 'web-uid' }],
      restartedAt: later(-50),
      finishedAt: later(-40),
    };
    const finished = withRestart(withStatus({ rollout: old }));
    expect(written(rotated(finished)).rollout).toMatchObject({ restarted: null, restartedAt: null, finishedAt: null });
    expect(written(rotated(withRestart(finished, []))).rollout).toBeNull();
  });
});

describe('while it is open', () => {
  test('workloads are read, restarted and recorded, one step at a time', () => {
    expect(decide(seen({ token: rolling }), now)).toEqual({ do: 'read-workloads', targets: [web] });
    expect(decide(seen({ token: rolling, targets: targets(untouched) }), now)).toEqual({
      do: 'restart-workload',
      target: web,
      workload,
      tokenID,
    });
    const patch = written(seen({ token: rolling, targets: targets(rolled) }));
    expect(patch).toEqual({
      rollout: { restarted: [{ ...web, uid: 'web-uid' }], restartedAt: later(0), finishedAt: later(0) },
    });
  });

  test('it is looked at again in five seconds', () => {
    const restarted = { ...rollout, restarted: [{ ...web, uid: 'web-uid' }], restartedAt: later(-50) };
    const token = withRestart(withStatus({ rollout: { ...restarted, startedAt: later(-10) } }));
    const waiting: TargetSeen = { ...rolled, workload: { ...rolled.workload, counts: {} } };
    expect(decide(seen({ token, targets: targets(waiting) }), now)).toEqual({ do: 'rest', until: new Date(later(5)) });
  });

  test('what is wrong is said, and the token stays ready', () => {
    const absent = seen({ token: rolling, targets: targets(absentWorkload) });
    const ready = written(absent).conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({
      status: 'True',
      reason: 'RestartFailed',
      message: expect.stringContaining('spec.restart[0]'),
    });
    const told = withStatus(written(absent), rolling);
    expect(decide(seen({ token: told, targets: targets(absentWorkload) }), now)).toMatchObject({ do: 'rest' });
    expect(decide(seen({ token: told }), now)).toMatchObject({ do: 'read-workloads' });
  });

  test('and is not said any more when it is given up', () => {
    const absent = targets(absentWorkload);
    const told = withStatus(written(seen({ token: rolling, targets: absent })), rolling);
    const patch = written(seen({ token: told, targets: absent }), new Date(later(7140)));
    expect(patch.rollout).toMatchObject({ finishedAt: later(7140), failed: [{ name: 'web' }] });
    expect(patch.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'True', reason: 'Issued' });
  });

  test('the old one is released when it has finished', () => {
    const held = [{ tokenID: 'old', revokeAt: later(4200), overlapEndsAt: later(600) }];
    const token = withStatus({ previous: held }, rolling);
    expect(written(seen({ token, targets: targets(rolled) })).previous).toEqual([
      { tokenID: 'old', revokeAt: later(600) },
    ]);
  });

  test('a credential that is due comes first', () => {
    const due = new Date('2027-01-02T00:00:00Z');
    const open = withRestart(withStatus({ rollout: { ...rollout, givesUpAt: '2027-03-01T00:00:00Z' } }));
    expect(decide(seen({ token: open }), due)).toMatchObject({ do: 'issue', cause: 'renewal' });
  });

  test('a Secret that may not be relabelled holds up no restart', () => {
    const retry = { attempts: 3, at: later(60), reason: 'WriteRefused' };
    expect(decide(seen({ token: withStatus({ retry }, rolling) }), now)).toMatchObject({ do: 'read-workloads' });
  });
});

describe('nothing is read or restarted', () => {
  test.each<[string, Parameters<typeof seen>[0]]>([
    ['for a token that is being deleted', { token: deleting(rolling), secret: gone }],
    ['for one that is revoked', { token: withSpec({ revoked: true, restart: [web] }, rolling), secret: gone }],
    [
      'for one that is paused',
      { token: { ...rolling, metadata: { ...rolling.metadata, annotations: { [pausedAnnotation]: 'true' } } } },
    ],
    [
      'for one whose bot is disabled',
      { token: rolling, botUser: { ...botUser, spec: { ...botUser.spec, disabled: true } } },
    ],
    ['for one whose bot is gone', { token: rolling, botUser: undefined, confirmed: { principal: true } }],
    ['while the Secret is not there', { token: rolling, secret: gone }],
    [
      'while somebody sees to a Secret that was edited',
      {
        token: { ...rolling, spec: { ...rolling.spec, secret: { ...rolling.spec.secret, onLost: 'Stall' } } },
        secret: { ...secretOf(rolling, {}), digest: 'operator-key.other' },
      },
    ],
    ['when restart was added after the rotation', { token: withRestart() }],
    ['when it has finished', { token: withRestart(withStatus({ rollout: { ...rollout, finishedAt: later(-1) } })) }],
  ])('%s', (_, situation) => {
    const { do: step } = decide(seen(situation), now);
    expect(['read-workloads', 'restart-workload']).not.toContain(step);
  });
});
