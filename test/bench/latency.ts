import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../cluster/wait.ts';
import { BareClient, templateOf } from './floor.ts';
import { Follow } from './follow.ts';
import type { Ground } from './ground.ts';
import { type Applied, applyToken, clear, makeNamespaces, secretsPath } from './objects.ts';
import type { Sizes } from './options.ts';
import { type Row, ratio } from './report.ts';

/** How many are applied before those that count. */
const warmUp = 10;

/** From the sending of single tokens to the watch event of their Secrets, by the operator and by the bare client. */
export async function measureLatency(o: { ground: Ground; sizes: Sizes; say: (line: string) => void }): Promise<Row[]> {
  const { ground, sizes, say } = o;
  const seconds = Math.round(sizes.singles / sizes.perSecond);
  const namespaces = await makeNamespaces(ground.api, 'single', 2);
  const [served = '', bare = ''] = namespaces;
  say(`latency: the operator serves ${sizes.perSecond} single tokens a second for ${seconds} s`);
  const operator = await ground.operator();
  const template = await templateOf(ground.api, bare);
  await operator.quiet();
  const times = await singles(ground, sizes, served, () => Promise.resolve());
  await operator.stop();
  say(`latency: the bare client does the same for ${seconds} s`);
  const client = await BareClient.open(ground.kubeconfig, template);
  const floor = await singles(ground, sizes, bare, applied => client.issue(applied));
  await client.close();
  await clear(ground.api, namespaces);
  return [
    rowOf('p50', quantile(times, 0.5), quantile(floor, 0.5), '120 to 155'),
    rowOf('p99', quantile(times, 0.99), quantile(floor, 0.99), '290'),
  ];
}

/** Applies them at their rate; milliseconds for each until its Secret was seen. */
async function singles(
  ground: Ground,
  { singles: count, perSecond }: Sizes,
  namespace: string,
  issue: (applied: Applied) => Promise<void>,
): Promise<number[]> {
  const sent = new Map<string, number>();
  const times = new Map<string, number>();
  const path = `${secretsPath(namespace)}?labelSelector=botmint.dev/managed`;
  await using _ = await Follow.open(ground.plane.kubeconfigPath, path, ({ object: { metadata, data } }) => {
    const at = sent.get(metadata.name);
    if (at !== undefined && data?.BUF_TOKEN !== undefined) times.set(metadata.name, performance.now() - at);
    sent.delete(metadata.name);
  });
  const applying: Promise<void>[] = [];
  for (let n = 0; n < warmUp + count; n++) {
    const name = `single-${String(n).padStart(5, '0')}`;
    sent.set(name, performance.now());
    applying.push(applyToken(ground.api, 'single', namespace, name).then(issue));
    await sleep(1000 / perSecond);
  }
  await Promise.all(applying);
  await eventually('the Secrets of all single tokens', () => times.size === warmUp + count, { seconds: 60 });
  return [...times.values()].slice(warmUp);
}

function quantile(times: readonly number[], q: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * q) - 1] ?? Number.NaN;
}

function rowOf(name: string, botmint: number, floor: number, peer: string): Row {
  return {
    figure: `ms from apply to Secret, ${name}`,
    botmint: botmint.toFixed(1),
    floor: floor.toFixed(1),
    ratio: ratio(botmint, floor),
    goal: 'ratio ≤ 1.5',
    peer,
  };
}
