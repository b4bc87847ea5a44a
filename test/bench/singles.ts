import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../cluster/wait.ts';
import { Follow } from './follow.ts';
import type { Ground } from './ground.ts';
import { type Applied, apply, secretsPath } from './objects.ts';

/** One token that was applied by itself. */
export interface Single {
  /** performance.now() at which it was sent. */
  sentAt: number;
  /** From then to the watch event of its Secret. */
  milliseconds: number;
}

export interface SinglesOptions {
  ground: Ground;
  namespace: string;
  /** What their names begin with. */
  prefix: string;
  perSecond: number;
  /** Asked before each one, with the number of those that were sent. */
  isEnough: (sent: number) => boolean;
  /** By whom they are issued, where no operator runs. */
  issue?: (applied: Applied) => Promise<void>;
}

/** Applies single tokens at their rate, as people and pipelines do, and waits until the Secrets of all are there. */
export async function applySingles(o: SinglesOptions): Promise<Single[]> {
  const { ground, namespace, perSecond, isEnough, issue = () => Promise.resolve() } = o;
  const sent = new Map<string, number>();
  const singles: Single[] = [];
  const path = `${secretsPath(namespace)}?labelSelector=botmint.dev/managed`;
  await using _ = await Follow.open(ground.plane.kubeconfigPath, path, ({ object: { metadata, data } }) => {
    const sentAt = sent.get(metadata.name);
    if (sentAt === undefined || data?.BUF_TOKEN === undefined) return;
    singles.push({ sentAt, milliseconds: performance.now() - sentAt });
    sent.delete(metadata.name);
  });
  const applying: Promise<void>[] = [];
  for (let n = 0; !isEnough(n); n++) {
    const name = `${o.prefix}-${String(n).padStart(5, '0')}`;
    sent.set(name, performance.now());
    applying.push(apply(ground.api, o.prefix, { namespace, name }).then(issue));
    await sleep(1000 / perSecond);
  }
  await Promise.all(applying);
  await eventually('the Secrets of all single tokens', () => singles.length === applying.length);
  return singles.toSorted((a, b) => a.sentAt - b.sentAt);
}

/** The time within which this part of them had their Secrets, in milliseconds. */
export function quantile(singles: readonly Single[], q: number): number {
  const sorted = singles.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * q) - 1] ?? Number.NaN;
}
