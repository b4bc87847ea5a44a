import { managedLabel } from '../api/names.ts';
import type { Client } from '../kube/client.ts';
import { type Metadata, type Secret, secretMetadata, secrets } from '../kube/core-kinds.ts';
import { keyOf, type Ref } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';

/**
 * A Secret of the operator's own by a live read, with the label by which the watch sees it: put back where somebody took it off.
 * The cache then knows what was read; undefined when there is none.
 */
export async function readLabelled(
  { client, store }: { client: Pick<Client, 'get' | 'patch'>; store: Store<Metadata> },
  ref: Ref,
  managed: string,
  signal: AbortSignal,
): Promise<{ secret: Secret; metadata: Metadata } | undefined> {
  const secret = await client.get(secrets, ref, { signal });
  if (secret === undefined) {
    const cached = store.get(keyOf(ref));
    if (cached !== undefined) store.remove(keyOf(ref), cached.metadata.uid);
    return undefined;
  }
  const metadata = await labelled(client, secret, managed, signal);
  store.put(metadata);
  return { secret, metadata };
}

async function labelled(
  client: Pick<Client, 'patch'>,
  { metadata }: Secret,
  managed: string,
  signal: AbortSignal,
): Promise<Metadata> {
  if (metadata.labels?.[managedLabel] === managed) return { metadata };
  const body = { metadata: { labels: { [managedLabel]: managed } } };
  return client.patch(secretMetadata, metadata, body, { signal, resourceVersion: metadata.resourceVersion });
}
