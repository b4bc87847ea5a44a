import * as z from 'zod';
import { conditionsOf } from '../api/conditions.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Client } from '../kube/client.ts';
import { type KubeObject, parseKubeObject, type Resource } from '../kube/objects.ts';

const Said = z.looseObject({
  status: z.looseObject({
    observedGeneration: z.number(),
    conditions: z.array(z.looseObject({ type: z.string(), status: z.string(), reason: z.string() })),
  }),
});

const verdict = {
  state: 'stalled',
  reason: 'UnknownFormat',
  message: 'the object has a field that this version of botmint does not understand: it is left alone',
} as const;

/**
 * Says on an object that it cannot be read, for example because a newer version wrote it. Nothing else of it is touched,
 * and nothing is concluded from it. Any replica may say so: at the resourceVersion that was seen, and once.
 */
export async function sayUnreadable(
  o: { client: Client; clock: Clock; log: Log },
  resource: Resource,
  object: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const { generation = 0, resourceVersion, namespace, name } = object.metadata;
  if (isSaid(object, generation)) return;
  const conditions = conditionsOf(verdict, undefined, generation, o.clock.now());
  const body = { status: { observedGeneration: generation, conditions } };
  try {
    const raw = { ...resource, parse: parseKubeObject };
    await o.client.patch(raw, object.metadata, body, { signal, resourceVersion, subresource: 'status' });
  } catch (error) {
    // It changes under our hands, or it may not be written: the next look at it says so, or nobody does. It is left alone.
    o.log.debug({ kind: resource.kind, namespace, name, err: error }, 'could not say that an object is unreadable');
  }
}

function isSaid(object: KubeObject, generation: number): boolean {
  const said = Said.safeParse(object).data?.status;
  const stalled = said?.conditions.find(({ type }) => type === 'Stalled');
  return said?.observedGeneration === generation && stalled?.status === 'True' && stalled.reason === verdict.reason;
}
