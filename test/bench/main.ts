// `npm run bench`: what the operator costs, beside a bare client on the same control plane. It prints and asserts nothing.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SetupNeeded } from '../cluster/build.ts';
import { measureCopies } from './copies.ts';
import { measureCrowd } from './crowd.ts';
import { Ground } from './ground.ts';
import { measureIdle } from './idle.ts';
import { measureIssue } from './issue.ts';
import { measureLatency } from './latency.ts';
import { ArgumentInvalid, type Options, parseOptions } from './options.ts';
import { machine } from './processes.ts';
import { measureRegistryToken } from './registry-token.ts';
import { type Row, table, withFigures } from './report.ts';
import { measureRobots } from './robots.ts';
import { measureRotation } from './rotation.ts';
import { measureStatusList } from './status-list.ts';

const page = join(import.meta.dirname, '..', '..', 'docs', 'performance.md');
const began = performance.now();

function say(line: string): void {
  console.error(`bench ${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}`);
}

async function bench(options: Options): Promise<void> {
  if (process.platform !== 'linux')
    throw new ArgumentInvalid('the bench reads /proc: run it on Linux, for example in a VM');
  if (options.profile !== undefined) await mkdir(options.profile, { recursive: true });
  const place = needsGround(options)
    ? ` on a control plane of its own (${options.quick ? 'about 10' : 'about 40'} min)`
    : '';
  say(`${[...options.parts].join(', ')}${place}`);
  const rows = await measured(options);
  const figures = `${machine()}, ${new Date().toISOString().slice(0, 10)}\n\n${table(rows)}`;
  console.log(`\n${figures}\n`);
  if (options.write) await writeFile(page, withFigures(await readFile(page, 'utf8'), figures));
  say('done, nothing is left behind');
}

async function measured(options: Options): Promise<Row[]> {
  const { parts, quick, profile } = options;
  const alone = parts.has('registry-token') ? shown(await measureRegistryToken({ quick, say, profile })) : [];
  return needsGround(options) ? [...(await measuredOnGround(options)), ...alone] : alone;
}

function needsGround({ parts }: Options): boolean {
  return [...parts].some(part => part !== 'registry-token');
}

/** The parts that need a control plane. */
async function measuredOnGround(options: Options): Promise<Row[]> {
  const { parts, sizes, profile } = options;
  const ground = await Ground.open(say);
  // Ctrl-C: the operator ends with us, and the control plane's watchdog takes away the rest.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void ground.close().finally(() => process.exit(1)));
  }
  try {
    return [
      ...(parts.has('issue') ? shown(await measureIssue({ ground, sizes, say, profile })) : []),
      ...(parts.has('rotation') ? shown(await measureRotation({ ground, sizes, say, profile })) : []),
      ...(parts.has('crowd') ? shown(await measureCrowd({ ground, sizes, say, profile })) : []),
      ...(parts.has('latency') ? shown(await measureLatency({ ground, sizes, say })) : []),
      ...(parts.has('status-list') ? shown(await measureStatusList({ ground, quick: options.quick, say })) : []),
      ...(parts.has('robots') ? shown(await measureRobots({ ground, sizes, say, profile })) : []),
      ...(parts.has('copies') ? shown(await measureCopies({ ground, quick: options.quick, say })) : []),
      ...(parts.has('memory') || parts.has('start') ? await measureIdle({ ground, options, say }) : []),
    ];
  } finally {
    await ground.close();
  }
}

/** A part's rows as soon as they are there: a later part that fails does not take them away. */
function shown(rows: Row[]): Row[] {
  console.error(`\n${table(rows)}\n`);
  return rows;
}

try {
  await bench(parseOptions(process.argv.slice(2)));
  process.exit(0);
} catch (error) {
  const isPlain = error instanceof ArgumentInvalid || error instanceof SetupNeeded;
  console.error(isPlain ? `bench: ${error.message}` : error);
  process.exit(1);
}
