import { z } from 'zod';

const versioned = z.object({ namespace: z.string(), name: z.string(), resourceVersion: z.string() });
const applied = z.object({ ...versioned.shape, uid: z.string() });
const issued = z.object({ ...applied.shape, secretResourceVersion: z.string() });

/** What the process of the bare client is asked to do, one line of JSON each. */
export const Task = z.discriminatedUnion('do', [
  z.object({ do: z.literal('issue'), tokens: z.array(applied) }),
  z.object({ do: z.literal('rotate'), tokens: z.array(issued) }),
  z.object({ do: z.literal('end-overlap'), tokens: z.array(issued) }),
  z.object({ do: z.literal('rewrite'), secrets: z.array(versioned), text: z.string() }),
]);
export type Task = z.infer<typeof Task>;
