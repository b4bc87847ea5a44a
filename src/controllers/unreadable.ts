import * as z from 'zod';
import { conditionsOf, type Verdict } from '../api/conditions.ts';
import type { Log } from '../base/log.ts';
import { handOverAfterSeconds } from '../decide/hand-over.ts';
import type { Outcome } from '../kube/controller.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import { withoutFinalizer } from '../kube/finalizer.ts';
import { type Key, type KubeObject, keyOf, type Resource, rawOf, refOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import type { World } from './world.ts';

const Said = z.looseObject({
  status: z.looseObject({
    observedGeneration: z.number(),
    conditions: z.array(z.looseObject({ type: z.string(), status: z.string(), reason: z.string() })),
  }),
});

const reason = 'UnknownFormat';

/** Why an object cannot be read, with the field where one can be named; undefined for one that can. */
function barTo(resource: Resource, live: KubeObject): Verdict | undefined {
  try {
    resource.parse(live);
    return undefined;
  } catch (error) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    const field = issue === undefined || issue.path.length === 0 ? 'a field' : issue.path.join('.');
    // What zod says of types and words is for whoever writes code; what a field has to be says its schema.
    const what =
      issue?.code === 'custom' ? issue.message : 'is in a form that this version of botmint does not understand';
    return { state: 'stalled', reason, message: `${field} ${what}: until it can be read the object is left alone` };
  }
}

/** A kind of which objects may be there that cannot be read. */
export interface UnreadableKind<T extends KubeObject> {
  resource: Resource<T>;
  store: Store<T>;
  /** The finalizer that an object gives up when it is deleted, though nobody can read it; undefined where it has to stay. */
  finalizer: string | undefined;
  /** Ends what it still has outside of itself, as far as anybody can tell. May be repeated. */
  end?: (live: KubeObject, signal: AbortSignal) => Promise<void>;
}

/**
 * Looks after an object that cannot be read, for example because a newer version wrote it: says so, and concludes nothing
 * from it. Only a deletion that was asked for is carried out (docs/decisions/0005): the metadata, which is the same in
 * every version, says it.
 */
export async function reconcileUnreadable<T extends KubeObject>(
  world: Pick<World, 'client' | 'clock' | 'report'> & { log: Log },
  kind: UnreadableKind<T>,
  key: Key,
  signal: AbortSignal,
): Promise<Outcome> {
  const { resource, store } = kind;
  // Live, because the cache keeps nothing of it but its metadata.
  const live = await world.client.get(rawOf(resource), refOf(key), { signal });
  if (live === undefined) store.remove(key, store.unreadable(key)?.metadata.uid ?? '');
  else {
    const bar = barTo(resource, live);
    if (bar !== undefined) await settle(world, kind, live, bar, signal);
  }
  return { next: 'on-change' };
}

async function settle<T extends KubeObject>(
  world: Pick<World, 'client' | 'clock' | 'report'> & { log: Log },
  of: UnreadableKind<T>,
  live: KubeObject,
  bar: Verdict,
  signal: AbortSignal,
): Promise<void> {
  const { resource, store, finalizer } = of;
  const { kind } = resource;
  const { namespace, name, uid, generation = 0, deletionTimestamp } = live.metadata;
  const released =
    deletionTimestamp === undefined || finalizer === undefined ? undefined : withoutFinalizer(live, finalizer);
  if (released !== undefined) {
    await endBefore(world, of, live, signal);
    const after = await patchRaw(world, resource, live, released, signal);
    if (after === undefined) return;
    world.log.info({ kind, namespace, name }, 'released an unreadable object that is deleted');
    if ((after.metadata.finalizers ?? []).length === 0) store.remove(keyOf(live), uid);
  } else if (!isSaid(live, generation)) {
    const conditions = conditionsOf(bar, undefined, generation, world.clock.now());
    const body = { status: { observedGeneration: generation, conditions } };
    const after = await patchRaw(world, resource, live, body, signal, 'status');
    if (after !== undefined) world.report(kind, live, bar, { always: true, action: 'Reconcile' });
  }
}

/** For as long as any other token may wait for that; then it goes all the same (I6), and its own deletion has ended it for who asks. */
async function endBefore<T extends KubeObject>(
  world: Pick<World, 'clock'> & { log: Log },
  { end }: UnreadableKind<T>,
  live: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, deletionTimestamp = '' } = live.metadata;
  try {
    await end?.(live, signal);
  } catch (error) {
    const waited = world.clock.now().getTime() - Date.parse(deletionTimestamp);
    if (signal.aborted || waited < handOverAfterSeconds * 1000) throw error;
    world.log.warn({ namespace, name, err: error }, 'what an unreadable object had is not revoked in the status list');
  }
}

/** At the resourceVersion that was seen; undefined when it has moved, and the watch shows how. */
async function patchRaw(
  { client }: Pick<World, 'client'>,
  resource: Resource,
  { metadata }: KubeObject,
  body: object,
  signal: AbortSignal,
  subresource?: 'status',
): Promise<KubeObject | undefined> {
  try {
    const options = { signal, resourceVersion: metadata.resourceVersion, ...(subresource && { subresource }) };
    return await client.patch(rawOf(resource), metadata, body, options);
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return undefined;
    throw error;
  }
}

function isSaid(object: KubeObject, generation: number): boolean {
  const said = Said.safeParse(object).data?.status;
  const stalled = said?.conditions.find(({ type }) => type === 'Stalled');
  return said?.observedGeneration === generation && stalled?.status === 'True' && stalled.reason === reason;
}
