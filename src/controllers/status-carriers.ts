import * as z from 'zod';
import { botTokenKind } from '../api/bot-token.ts';
import { inputsAnnotation, managedCredential, managedLabel } from '../api/names.ts';
import { parsedJSON } from '../base/json.ts';
import type { Client } from '../kube/client.ts';
import { secretMetadata } from '../kube/core-kinds.ts';
import { type KubeObject, parseKubeObject, type Ref, type Resource, rawOf } from '../kube/objects.ts';

/**
 * The status-list indexes that an object names; `unknown` when it has a record in a form that this version does not know.
 * Read from the bare object: it must not matter that a newer version gave it a field that we cannot parse.
 */
export function indexesIn(object: unknown): readonly number[] | 'unknown' {
  const { data } = Carrier.safeParse(object);
  if (data === undefined) return 'unknown';
  const { status, metadata } = data;
  // What somebody wrote over is taken for nothing: no operator would ever copy it into a record.
  const annotation = Inputs.safeParse(parsedJSON(metadata.annotations?.[inputsAnnotation])).data;
  const inputs = [status?.issued?.inputs, annotation].filter(each => each !== undefined);
  if (inputs.some(({ format }) => format !== 1)) return 'unknown';
  return [...inputs, ...(status?.previous ?? [])].flatMap(({ statusListIndex: index }) => index ?? []);
}

const statusListIndex = z.number().optional();
const Inputs = z.looseObject({ format: z.unknown(), statusListIndex });
const Carrier = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }),
  status: z
    .looseObject({
      issued: z.looseObject({ inputs: Inputs.optional() }).optional(),
      previous: z.array(z.looseObject({ statusListIndex })).optional(),
    })
    .optional(),
});

/**
 * All indexes that tokens carry, by live lists; undefined when that cannot be known. Secrets first: what is in one of them
 * and then recorded is seen in one of the two lists.
 */
export async function carriedIndexes(
  client: Pick<Client, 'page'>,
  signal: AbortSignal,
): Promise<ReadonlySet<number> | undefined> {
  const carried = new Set<number>();
  const credentials = `${managedLabel}=${managedCredential}`;
  for (const [resource, labelSelector] of [[secretMetadata, credentials] as const, [botTokenKind] as const]) {
    for await (const object of pages(client, resource, labelSelector, signal)) {
      const indexes = indexesIn(object);
      if (indexes === 'unknown') return undefined;
      for (const index of indexes) carried.add(index);
    }
  }
  return carried;
}

async function* pages(
  client: Pick<Client, 'page'>,
  resource: Resource,
  labelSelector: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  let next: string | undefined;
  do {
    const page = await client.page(resource, { signal, labelSelector, limit: 500, ...(next && { continue: next }) });
    yield* page.items;
    next = page.continue;
  } while (next !== undefined);
}

/** The same for one token and its Secret, which may both be gone. */
export async function carriedByToken(
  client: Pick<Client, 'get'>,
  refs: { token: Ref; secret: Ref },
  signal: AbortSignal,
): Promise<{ secret: readonly number[] | 'unknown'; record: readonly number[] | 'unknown' }> {
  const secret = await client.get<KubeObject>(secretMetadata, refs.secret, { signal });
  const token = await client.get({ ...rawOf(botTokenKind), parse: parseKubeObject }, refs.token, { signal });
  return { secret: secret ? indexesIn(secret) : [], record: token ? indexesIn(token) : [] };
}
