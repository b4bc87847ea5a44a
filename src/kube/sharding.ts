/** The Lease by which a replica is alive. A host's name may have letters that an object's name may not. */
export function replicaName(identity: string): string {
  return `botmint-replica-${identity.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-')}`;
}

export function isReplicaName(name: string): boolean {
  return name.startsWith(replicaName(''));
}

/** The Lease that names who holds a shard. */
export function shardName(shard: number): string {
  return `botmint-shard-${shard}`;
}

/** The reverse of `shardName`; undefined for every other name. */
export function shardOfName(name: string): number | undefined {
  const digits = /^botmint-shard-(\d+)$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** FNV-1a, 32 bits, of the text's UTF-16 units. All replicas of all versions must agree on it, so it may never change. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  return state >>> 0;
}

/** How many shards a replica may own: a fair share, of which the first by name have one more, so that nobody stays empty. */
export function fairShare(count: number, identity: string, others: readonly string[]): number {
  const live = others.length + 1;
  const before = others.filter(other => other < identity).length;
  return Math.floor(count / live) + (before < count % live ? 1 : 0);
}
