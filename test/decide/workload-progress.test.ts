import { describe, expect, test } from 'vitest';
import type { WorkloadKind } from '../../src/api/restart.ts';
import { progressOf, type Workload } from '../../src/decide/workload-progress.ts';

// What the controllers of Kubernetes write when a template's third generation has been rolled out to three pods.
const counts: { [kind in WorkloadKind]: Record<string, number> } = {
  Deployment: { observedGeneration: 3, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 },
  StatefulSet: { observedGeneration: 3, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 },
  DaemonSet: {
    observedGeneration: 3,
    desiredNumberScheduled: 3,
    currentNumberScheduled: 3,
    updatedNumberScheduled: 3,
    numberReady: 3,
    numberAvailable: 3,
  },
};

type Change = Partial<Omit<Workload, 'counts'>> & { counts?: Record<string, number> };

function workload(kind: WorkloadKind, change: Change = {}): Workload {
  return {
    metadata: { uid: 'w', resourceVersion: '9', generation: 3 },
    replicas: kind === 'DaemonSet' ? undefined : 3,
    templateAnnotations: {},
    conditions: [],
    ...change,
    counts: { ...counts[kind], ...change.counts },
  };
}

const late = { conditions: [{ type: 'Progressing', reason: 'ProgressDeadlineExceeded' }] };

describe('as kubectl rollout status says', () => {
  test.each<[WorkloadKind, string, Change, ReturnType<typeof progressOf>]>([
    ['Deployment', 'all new and available', {}, 'rolled'],
    ['Deployment', 'the counts of the template before', { counts: { observedGeneration: 2 } }, 'rolling'],
    ['Deployment', 'not all new yet', { counts: { updatedReplicas: 2 } }, 'rolling'],
    ['Deployment', 'old pods left', { counts: { replicas: 4 } }, 'rolling'],
    ['Deployment', 'new ones not available', { counts: { availableReplicas: 2 } }, 'rolling'],
    [
      'Deployment',
      'scaled to nothing',
      { replicas: 0, counts: { replicas: 0, updatedReplicas: 0, availableReplicas: 0 } },
      'rolled',
    ],
    [
      'Deployment',
      'one replica where it does not say',
      { replicas: undefined, counts: { replicas: 1, updatedReplicas: 1, availableReplicas: 1 } },
      'rolled',
    ],
    [
      'Deployment',
      'no replica yet where it does not say',
      { replicas: undefined, counts: { replicas: 0, updatedReplicas: 0, availableReplicas: 0 } },
      'rolling',
    ],
    ['Deployment', 'beyond its deadline', { ...late, counts: { availableReplicas: 2 } }, 'stuck'],
    [
      'Deployment',
      'beyond the deadline of the template before',
      { ...late, counts: { observedGeneration: 2 } },
      'rolling',
    ],
    ['Deployment', 'done in the end', late, 'rolled'],
    ['StatefulSet', 'all new and ready', {}, 'rolled'],
    ['StatefulSet', 'the counts of the template before', { counts: { observedGeneration: 2 } }, 'rolling'],
    ['StatefulSet', 'never seen by its controller', { counts: { observedGeneration: 0 } }, 'rolling'],
    ['StatefulSet', 'not all ready', { counts: { readyReplicas: 2 } }, 'rolling'],
    ['StatefulSet', 'kept back by a partition', { counts: { updatedReplicas: 1 } }, 'rolling'],
    ['StatefulSet', 'OnDelete, and the last old pod was deleted', {}, 'rolled'],
    ['StatefulSet', 'scaled to nothing', { replicas: 0, counts: { updatedReplicas: 0, readyReplicas: 0 } }, 'rolled'],
    ['DaemonSet', 'all new and available', {}, 'rolled'],
    ['DaemonSet', 'the counts of the template before', { counts: { observedGeneration: 2 } }, 'rolling'],
    ['DaemonSet', 'OnDelete, with an old pod', { counts: { updatedNumberScheduled: 2 } }, 'rolling'],
    ['DaemonSet', 'new ones not available', { counts: { numberAvailable: 2 } }, 'rolling'],
    [
      'DaemonSet',
      'on no node',
      { counts: { desiredNumberScheduled: 0, updatedNumberScheduled: 0, numberAvailable: 0 } },
      'rolled',
    ],
  ])('%s: %s', (kind, _, change, expected) => {
    expect(progressOf(kind, workload(kind, change))).toBe(expected);
  });

  test.each<WorkloadKind>(['Deployment', 'StatefulSet', 'DaemonSet'])('a %s without a status is not rolled', kind => {
    expect(progressOf(kind, { ...workload(kind), counts: {} })).toBe('rolling');
  });
});
