import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../cluster/wait.ts';
import { total, workSince, writes } from './calls.ts';
import type { Ground } from './ground.ts';
import { activeTokens, apply, applyAll, makeNamespaces, secretsPath, tokenCount } from './objects.ts';
import type { Options } from './options.ts';
import type { Row } from './report.ts';
import { Wave } from './wave.ts';

interface Setting {
  ground: Ground;
  options: Options;
  say: (line: string) => void;
}

/** Bytes. */
export interface Footprint {
  resident: number;
  heap: number;
}

type TokensFootprint = Footprint & { tokens: number };

const megabyte = 2 ** 20;
const peers = new Map([
  [0, '73'],
  [1000, '130'],
  [5000, '273'],
]);

/** Memory and start with more and more idle tokens, each time of an operator that was started anew. */
export async function measureIdle(of: Setting): Promise<Row[]> {
  const { sizes, parts } = of.options;
  const namespaces = await makeNamespaces(of.ground.api, 'idle', sizes.namespaces);
  const footprints: TokensFootprint[] = [];
  const rows: Row[] = [];
  let there = 0;
  for (const tokens of sizes.idle) {
    const isStart = parts.has('start') && tokens === sizes.startAt;
    if (!parts.has('memory') && !isStart) continue;
    await grow(of, namespaces, there, tokens);
    there = tokens;
    if (parts.has('memory')) {
      footprints.push({ tokens, ...(await footprint(of, `${tokens} idle tokens`)) });
    }
    if (isStart) rows.push(...(await measureStart(of, namespaces[0] ?? '', tokens)));
  }
  return [...memoryRows(footprints), ...rows];
}

async function grow({ ground, say }: Setting, namespaces: readonly string[], from: number, to: number): Promise<void> {
  if (to === from) return;
  say(`idle: the operator issues ${to - from} more tokens, ${to} in all`);
  const operator = await ground.operator();
  const name = `idle${to}`;
  await using wave = await Wave.open(ground.plane.kubeconfigPath, name);
  await applyAll(ground.api, name, namespaces, to - from);
  await wave.recorded(to - from);
  // The events that are not written yet may stay so; the counts in the BotUsers must not be left to the next start.
  const all = await tokenCount(ground.api); // one more where a start was measured
  const counted = async () => (await activeTokens(ground.api)) === all;
  await eventually('the BotUsers have counted their tokens', counted, { seconds: 300, everyMilliseconds: 500 });
  await operator.stop();
}

/** Of an operator that was started with what is there, and left alone. */
export async function footprint(
  { ground, options, say }: Pick<Setting, 'ground' | 'say'> & { options: Pick<Options, 'sizes'> },
  what: string,
): Promise<Footprint> {
  say(`memory: the operator starts with ${what} and is left alone for ${options.sizes.idleSeconds} s`);
  const operator = await ground.operator();
  await operator.quiet();
  await sleep(options.sizes.idleSeconds * 1000);
  const resident = operator.residentBytes;
  const inspector = await operator.inspect();
  const { heapUsed } = await inspector.memory();
  inspector.close();
  await operator.stop();
  return { resident, heap: heapUsed };
}

async function measureStart({ ground, say }: Setting, namespace: string, tokens: number): Promise<Row[]> {
  say(`start: the operator starts with ${tokens} idle tokens, until it is quiet`);
  const operator = await ground.operator();
  const cpu = await operator.quiet();
  const written = total(writes(workSince(new Map(), await operator.calls())));
  await operator.stop();
  say('start: the same with a token that is applied in that moment');
  const served = await secondsUntilServed(ground, namespace);
  const place = `start with ${tokens} idle tokens`;
  return [
    { figure: `s of CPU until quiet, ${place}`, botmint: cpu.toFixed(1), peer: '10' },
    { figure: `s until a new token is served, ${place}`, botmint: served.toFixed(1), peer: '6.7' },
    { figure: `writes other than Leases, ${place}`, botmint: `${written}`, goal: '0' },
  ];
}

/** From the start of the process to the Secret of a token that was applied in the same moment. */
async function secondsUntilServed(ground: Ground, namespace: string): Promise<number> {
  const operator = ground.spawnOperator();
  const { name } = await apply(ground.api, 'new', { namespace, name: `new-${Date.now()}` });
  const path = `${secretsPath(namespace)}/${name}`;
  await eventually('the Secret of the new token', () => ground.api.get(path));
  const seconds = (performance.now() - operator.begunAt) / 1000;
  await operator.stop();
  return seconds;
}

/** What an operator takes that has so many of something. */
export function memoryRow(what: string, { resident, heap }: Footprint): Row {
  return {
    figure: `MiB resident with ${what} (live heap ${(heap / megabyte).toFixed(0)})`,
    botmint: (resident / megabyte).toFixed(0),
  };
}

function memoryRows(footprints: readonly TokensFootprint[]): Row[] {
  const rows = footprints.map(({ tokens, ...footprint }) => ({
    ...memoryRow(`${tokens} idle tokens`, footprint),
    goal: tokens === 5000 ? '≤ 137' : undefined,
    peer: peers.get(tokens),
  }));
  const [before, last] = footprints.slice(-2);
  if (before === undefined || last === undefined) return rows;
  const each = (of: 'resident' | 'heap') => ((last[of] - before[of]) / (last.tokens - before.tokens) / 1024).toFixed(1);
  const figure = `KB for each further token, from ${before.tokens} to ${last.tokens} (of live heap ${each('heap')})`;
  return [...rows, { figure, botmint: each('resident'), goal: '< 2', peer: '36' }];
}
