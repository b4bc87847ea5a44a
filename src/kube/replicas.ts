import type { Client } from './client.ts';
import { leases } from './core-kinds.ts';
import { isReplicaName, replicaName } from './sharding.ts';
import { leaseLabel } from './shards.ts';

/**
 * The identities of the replicas that have a Lease of their own in their name, by a live list. One that is silent for too
 * long loses it to the others; one that is not there may still be on its way to it: absence has to last before it says anything.
 */
export async function liveReplicas(
  client: Pick<Client, 'list'>,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { items } = await client.list(leases, { namespace, labelSelector: leaseLabel, signal });
  const own = items.filter(({ metadata: { name }, spec: { holderIdentity: holder } }) => {
    return isReplicaName(name) && holder !== undefined && replicaName(holder) === name;
  });
  return new Set(own.flatMap(({ spec }) => spec.holderIdentity ?? []));
}
