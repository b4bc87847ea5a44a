import type { WorkloadKind } from '../api/restart.ts';

/** A workload as a live read shows it. */
export interface Workload {
  metadata: { uid: string; resourceVersion: string; generation?: number | undefined };
  replicas: number | undefined;
  templateAnnotations: Readonly<Record<string, string>>;
  counts: Readonly<Record<string, number>>;
  conditions: readonly { type: string; reason: string }[];
}

/**
 * Whether the pods of a workload are those of its template: the rules of `kubectl rollout status`. They differ in one thing:
 * where pods are kept back (a partition, or the strategy OnDelete) it is not finished before somebody has let the last one
 * go, because an old pod has the old credential. `stuck`: the deployment controller has given up waiting.
 */
export function progressOf(kind: WorkloadKind, workload: Workload): 'rolled' | 'rolling' | 'stuck' {
  const { counts, replicas: wanted = 1, metadata } = workload;
  const count = (name: string) => counts[name] ?? 0;
  // Without this the counts are those of the template before.
  if (count('observedGeneration') < (metadata.generation ?? 0)) return 'rolling';
  const isRolled = {
    Deployment: () =>
      count('updatedReplicas') >= wanted &&
      count('replicas') <= count('updatedReplicas') &&
      count('availableReplicas') >= count('updatedReplicas'),
    StatefulSet: () => count('updatedReplicas') >= wanted && count('readyReplicas') >= wanted,
    DaemonSet: () =>
      count('updatedNumberScheduled') >= count('desiredNumberScheduled') &&
      count('numberAvailable') >= count('desiredNumberScheduled'),
  }[kind]();
  if (isRolled) return 'rolled';
  const isLate = workload.conditions.some(({ reason }) => reason === 'ProgressDeadlineExceeded');
  return kind === 'Deployment' && isLate ? 'stuck' : 'rolling';
}
