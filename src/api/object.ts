import * as z from 'zod';
import { mapBy, time } from './schema.ts';

const owner = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().exactOptional(),
  blockOwnerDeletion: z.boolean().exactOptional(),
});

/** What botmint reads of an object's metadata. Kubernetes defines it, so it is no part of a CRD. */
const metadata = z.object({
  name: z.string(),
  namespace: z.string().exactOptional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.int().exactOptional(),
  creationTimestamp: z.string(),
  deletionTimestamp: z.string().exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  finalizers: z.array(z.string()).exactOptional(),
  ownerReferences: z.array(owner).exactOptional(),
});

/** The fields that every object has. */
export const objectFields = {
  apiVersion: z.string().exactOptional(),
  kind: z.string().exactOptional(),
  metadata,
};

type Born = { metadata: Pick<z.infer<typeof metadata>, 'creationTimestamp' | 'uid'> };

/** Creation order, and the smaller UID where two were created in the same second: who has what only one can have. */
export function isOlder({ metadata: a }: Born, { metadata: b }: Born): boolean {
  return a.creationTimestamp === b.creationTimestamp ? a.uid < b.uid : a.creationTimestamp < b.creationTimestamp;
}

/** Whether a time that an object names (`time`) has come. One that it does not name never comes. */
export function isPast(time: string | undefined, now: Date): boolean {
  return time !== undefined && Date.parse(time) <= now.getTime();
}

const condition = z
  .object({
    type: z
      .string()
      .max(316)
      .describe(
        'Ready sums up. Reconciling means that botmint goes on by itself. Stalled means that only a change can help.',
      ),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
    reason: z
      .string()
      .max(1024)
      .describe('One word from a closed list: docs/reference/conditions.md says what each means and what helps.'),
    message: z.string().max(32_768).describe('The same in a sentence, with the names it is about.'),
    lastTransitionTime: time().describe('When `status` last changed.'),
    observedGeneration: z.int().describe('The generation of the object that this was said about.'),
  })
  .describe('One statement about the object.');

/** The fields that every status has. Conditions of a newer version stay readable: their words are not closed here. */
export const statusFields = {
  observedGeneration: z
    .int()
    .exactOptional()
    .describe('The `metadata.generation` that this status is about. -1: botmint has not seen the object yet.'),
  conditions: mapBy('type', condition, { max: 16 })
    .exactOptional()
    .describe('Ready, Reconciling and Stalled, by the rules of kstatus: `kubectl wait --for=condition=Ready` works.'),
};

/** The back-off of an object whose last attempt failed. It is recorded, so that a restart does not try everything again. */
export const retry = z
  .object({
    attempts: z.int().min(1).describe('How many attempts in a row have failed.'),
    at: time().describe('When the next attempt is made. A change of the spec is served at once.'),
    reason: z
      .string()
      .max(1024)
      .describe('Why the last attempt failed, in the word that the condition and the metric use.'),
    operation: z
      .enum(['Write', 'Delete', 'Revoke'])
      .exactOptional()
      .describe(
        'What was tried: to write the Secret, to delete it, or to say in the status list what the token is worth. One does not wait for the other. Left out: Write.',
      ),
    asked: z
      .string()
      .max(1024)
      .exactOptional()
      .describe('What the annotations asked for then: something new is tried at once.'),
  })
  .describe('Present while attempts fail: when botmint tries again.');

/** Tells a reader, kstatus and Argo CD that nobody has looked at a new object yet. */
export const unseen = { default: { observedGeneration: -1 } };
