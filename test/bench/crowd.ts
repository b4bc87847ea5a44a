import { join } from 'node:path';
import { operatorCost } from './cost.ts';
import type { Ground } from './ground.ts';
import { issuedWave } from './issued-wave.ts';
import type { MeasuredOperator } from './measured-operator.ts';
import { clear, makeBot, makeNamespaces } from './objects.ts';
import type { Sizes } from './options.ts';
import { type Row, ratio } from './report.ts';
import { wishedToken } from './wished.ts';

interface Setting {
  ground: Ground;
  sizes: Sizes;
  say: (line: string) => void;
  /** Where CPU profiles go. */
  profile: string | undefined;
}

/** Among whom a batch of tokens is issued. */
const places = ['alone', 'neighbors', 'siblings'] as const;
type Place = (typeof places)[number];

/**
 * Whether a token costs more the more there are: by a bot and in a namespace that have few, by a bot with few in a
 * namespace with many, and by a bot that has many itself. The three in turn, and then in the opposite order, so that the
 * operator is as warm for each, and has as many tokens in all.
 */
export async function measureCrowd(of: Setting): Promise<Row[]> {
  const { ground, sizes, say, profile } = of;
  const namespaces = await makeNamespaces(ground.api, 'crowd', 1 + sizes.rounds);
  const [crowded = ''] = namespaces;
  say(`crowd: the operator issues ${sizes.crowd} tokens of one bot`);
  const operator = await ground.operator();
  await issuedWave({ ground, name: 'crowd', namespaces: [crowded], count: sizes.crowd });
  const cpu = new Map(places.map(place => [place, 0]));
  for (let round = 1; round <= sizes.rounds; round++) {
    await makeBot(ground.api, crowded, `newcomer-${round}`);
    for (const place of round % 2 === 1 ? places : places.toReversed()) {
      say(`crowd: round ${round} of ${sizes.rounds}, ${sizes.batch} tokens, ${place}`);
      await operator.quiet();
      const into = place === 'alone' ? (namespaces[round] ?? '') : crowded;
      const bot = place === 'neighbors' ? `newcomer-${round}` : 'bot';
      const file = profile && join(profile, `crowd-${place}-${round}.cpuprofile`);
      const batch = { name: `${place}${round}`, namespaces: [into], count: sizes.batch, wished: wishedToken({ bot }) };
      cpu.set(place, (cpu.get(place) ?? 0) + (await cpuOf(ground, operator, batch, file)));
    }
  }
  await operator.stop();
  await clear(ground.api, namespaces);
  return rowsOf(sizes, place => (cpu.get(place) ?? 0) / sizes.rounds);
}

/** Milliseconds of its own processor time for each token of a batch, until it is quiet. */
async function cpuOf(
  ground: Ground,
  operator: MeasuredOperator,
  batch: Omit<Parameters<typeof issuedWave>[0], 'ground'>,
  file: string | undefined,
): Promise<number> {
  const cost = await operatorCost({ ground, operator, count: batch.count }, start =>
    operator.profiled(file, () => {
      operator.pause();
      return issuedWave({ ground, ...batch }, async () => {
        start();
        operator.resume();
      });
    }),
  );
  return cost.cpu;
}

function rowsOf({ crowd }: Sizes, cpu: (place: Place) => number): Row[] {
  const few = cpu('alone');
  const row = (place: Place, figure: string) => ({
    figure: `ms of own CPU per token, ${figure} (${few.toFixed(1)} where both have few)`,
    botmint: cpu(place).toFixed(1),
    ratio: `${ratio(cpu(place), few)} to few`,
    goal: 'ratio ≤ 1.2',
  });
  return [
    row('neighbors', `of a bot with few in a namespace with ${crowd}`),
    row('siblings', `of a bot with ${crowd} in that namespace`),
  ];
}
