import { managedLabel } from '../api/names.ts';
import type { Client } from '../kube/client.ts';
import { type Metadata, type Secret, secretMetadata, secrets } from '../kube/core-kinds.ts';
import type { Ref } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { keepLive } from './kept.ts';

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
  const metadata = secret && (await labelled(client, secret, managed, signal));
  keepLive(store, secretMetadata, ref, metadata);
  return secret && metadata && { secret, metadata };
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
