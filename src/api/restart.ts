import * as z from 'zod';
import { objectName } from './forms.ts';
import { mapBy, text, time } from './schema.ts';

/** What rolls its pods when their template changes. */
const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;
export type WorkloadKind = (typeof workloadKinds)[number];

const target = z
  .object({
    kind: z.enum(workloadKinds).describe('The kind of the workload.'),
    name: text({ max: 253, form: objectName }).min(1).describe('Its name, in the namespace of this object.'),
  })
  .describe('A workload that reads the Secret.');

/** `spec.restart`: which workloads are rolled after a rotation. */
export const restart = mapBy(['kind', 'name'], target, { max: 16 });

// In a status words are not closed: another version may have written them.
const recorded = {
  kind: z.string().max(63).describe('Its kind.'),
  name: z.string().max(253).describe('Its name.'),
};

const restarted = z
  .object({ ...recorded, uid: z.string().max(64).describe('Its UID: one that is made anew has new pods anyway.') })
  .describe('A workload whose pod template was given the id of the credential.');

const failed = z
  .object({ ...recorded, message: z.string().max(1024).describe('What it did not do, and why.') })
  .describe('A workload that was given up.');

/** `status.rollout`: how far the restart of the consumers of the newest credential has come. */
export const rollout = z
  .object({
    tokenID: z.string().max(253).describe('The id of the credential that the workloads are rolled for.'),
    startedAt: time().describe('When that credential was recorded.'),
    givesUpAt: time().describe('Until when it is tried and waited for: one hour longer than the overlap at the most.'),
    restarted: mapBy(['kind', 'name'], restarted, { max: 16 })
      .exactOptional()
      .describe('The workloads that were restarted: none is restarted twice for one credential.'),
    restartedAt: time().exactOptional().describe('When all were restarted. After this no workload is touched again.'),
    finishedAt: time().exactOptional().describe('When all had finished rolling, or were given up.'),
    failed: mapBy(['kind', 'name'], failed, { max: 16 })
      .exactOptional()
      .describe('The workloads that had not finished when they were given up.'),
  })
  .describe('The restart of `spec.restart` after the last rotation.');
