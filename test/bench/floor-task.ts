import { z } from 'zod';

const applied = z.object({ namespace: z.string(), name: z.string(), uid: z.string(), resourceVersion: z.string() });
const issued = z.object({ ...applied.shape, secretResourceVersion: z.string() });

/** What the process of the bare client is asked to do, one line of JSON each. */
export const Task = z.discriminatedUnion('do', [
  z.object({ do: z.literal('issue'), tokens: z.array(applied) }),
  z.object({ do: z.literal('rotate'), tokens: z.array(issued) }),
  z.object({ do: z.literal('end-overlap'), tokens: z.array(issued) }),
]);
export type Task = z.infer<typeof Task>;
