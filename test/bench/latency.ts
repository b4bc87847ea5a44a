import { BareClient, templateOf } from './floor.ts';
import type { Ground } from './ground.ts';
import { clear, makeNamespaces } from './objects.ts';
import type { Sizes } from './options.ts';
import { type Row, ratio } from './report.ts';
import { applySingles, quantile, type Single, type SinglesOptions } from './singles.ts';

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
  const times = await warmSingles(sizes, { ground, namespace: served, prefix: 'single' });
  await operator.stop();
  say(`latency: the bare client does the same for ${seconds} s`);
  const client = await BareClient.open(ground.kubeconfig, template);
  const issue = client.issue.bind(client);
  const floor = await warmSingles(sizes, { ground, namespace: bare, prefix: 'single', issue });
  await client.close();
  await clear(ground.api, namespaces);
  return [
    rowOf('p50', quantile(times, 0.5), quantile(floor, 0.5), '120 to 155'),
    rowOf('p99', quantile(times, 0.99), quantile(floor, 0.99), '290'),
  ];
}

/** As many single tokens as the sizes say, after some that do not count. */
export async function warmSingles(
  { singles, perSecond }: Sizes,
  o: Omit<SinglesOptions, 'perSecond' | 'isEnough'>,
): Promise<Single[]> {
  const all = await applySingles({ ...o, perSecond, isEnough: sent => sent === warmUp + singles });
  return all.slice(warmUp);
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
