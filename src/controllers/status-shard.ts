import * as z from 'zod';
import { managedStatusList } from '../api/names.ts';
import type { TokenStatus } from '../api/token-status.ts';
import { listSize, StatusList } from '../issuers/jwt/status-list.ts';
import { configMaps } from '../kube/core-kinds.ts';
import { type KubeObject, MalformedObject, type Resource } from '../kube/objects.ts';
import { issuerOwned } from './issuer-owned.ts';

/** A replica takes that many indexes at once: one write for each 256 tokens, and 512 starts of a replica before a list is used up. */
const rangeSize = 256;
export const rangesPerList = listSize / rangeSize;

/** One list of an issuer as its ConfigMap holds it. */
export interface StatusShard extends KubeObject {
  /** The number in the list's URI. It is drawn by lot and never given twice, also not after somebody deleted the ConfigMap. */
  number: number;
  issuerUID: string;
  statuses: StatusList;
  /** The same, compressed as it is sent. */
  lst: string;
  /** The ranges whose indexes are being handed out, and by which replica. */
  held: ReadonlyMap<number, string>;
  /** The ranges whose indexes have been handed out, or never will be. */
  closed: ReadonlySet<number>;
  /** There is a range that nobody has taken yet. */
  hasRoom: boolean;
}

const Range = z.coerce
  .number()
  .int()
  .min(0)
  .max(rangesPerList - 1);
const Data = z.object({
  number: z.coerce.number().int().min(0),
  issuerUID: z.string().min(1),
  lst: z.string(),
  held: z
    .string()
    .transform(json)
    .pipe(z.record(z.string(), z.string().min(1))),
  closed: z.string().transform(json).pipe(z.array(Range)),
});

/** Refuses what it did not write itself: half of a list is none. */
export const statusShards: Resource<StatusShard> = { ...configMaps, parse: parseShard };

function parseShard(value: unknown): StatusShard {
  const { data, ...object } = configMaps.parse(value);
  const { number, issuerUID, lst, held, closed } = Data.parse(data);
  const statuses = StatusList.decode(lst);
  if (statuses.size !== listSize || !statuses.isKnown || object.metadata.name !== shardName(number))
    throw new MalformedObject('a status list that botmint did not write');
  const holders = Object.entries(held).map(([range, holder]) => [Range.parse(range), holder] as const);
  const hasRoom = new Set([...closed, ...holders.map(([range]) => range)]).size < rangesPerList;
  return { ...object, number, issuerUID, lst, statuses, held: new Map(holders), closed: new Set(closed), hasRoom };
}

function json(text: string): unknown {
  return JSON.parse(text);
}

/** The name of the ConfigMap that holds a list. */
export function shardName(number: number): string {
  return `botmint-status-${number}`;
}

/** What one write makes of a shard: changes are collected here and written together. Never kept beyond the write. */
export class ShardDraft {
  readonly held: Map<number, string>;
  readonly closed: Set<number>;
  statuses: StatusList;
  readonly #of: Pick<StatusShard, 'statuses' | 'held' | 'closed'>;

  constructor(of: Pick<StatusShard, 'statuses' | 'held' | 'closed'>) {
    this.#of = of;
    this.held = new Map(of.held);
    this.closed = new Set(of.closed);
    this.statuses = of.statuses;
  }

  /** By the index within this list. */
  set(changes: readonly (readonly [idx: number, status: TokenStatus])[]): void {
    this.statuses = this.statuses.with(changes);
  }

  get free(): number[] {
    const all = Array.from({ length: rangesPerList }, (_, range) => range);
    return all.filter(range => !this.held.has(range) && !this.closed.has(range));
  }

  /** Nothing of this range is handed out any more, and what `isLost` says of it is INVALID. */
  close(range: number, isLost: (idx: number) => boolean): void {
    this.held.delete(range);
    this.closed.add(range);
    this.set(indexesOf(range).flatMap(idx => (isLost(idx) ? [[idx, 'INVALID'] as const] : [])));
  }

  /** The fields of `data` that are other than before; undefined when none is. */
  get changed(): Record<string, string> | undefined {
    const before = fieldsOf(this.#of);
    const after = fieldsOf(this);
    const lst = this.statuses.equals(this.#of.statuses) ? {} : { lst: this.statuses.encode() };
    const ranges = Object.entries(after).filter(([name, text]) => text !== before[name]);
    const data = { ...lst, ...Object.fromEntries(ranges) };
    return Object.keys(data).length === 0 ? undefined : data;
  }

  /** A new ConfigMap. */
  body(issuer: { metadata: { name: string; uid: string } }, number: number, namespace: string) {
    const { uid } = issuer.metadata;
    const data = { number: String(number), issuerUID: uid, lst: this.statuses.encode(), ...fieldsOf(this) };
    const metadata = { name: shardName(number), namespace, ...issuerOwned(issuer.metadata, managedStatusList) };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
  }
}

/** The indexes of a range, ascending. */
export function indexesOf(range: number): number[] {
  return Array.from({ length: rangeSize }, (_, at) => range * rangeSize + at);
}

function fieldsOf({ held, closed }: Pick<StatusShard, 'held' | 'closed'>): Record<string, string> {
  const ascending = (a: number, b: number) => a - b;
  const holders = [...held].toSorted(([a], [b]) => a - b);
  return { held: JSON.stringify(Object.fromEntries(holders)), closed: JSON.stringify([...closed].toSorted(ascending)) };
}
