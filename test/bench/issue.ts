import { join } from 'node:path';
import { perObject, total } from './calls.ts';
import { type Cost, costOf, type OperatorCost, operatorCost } from './cost.ts';
import { type Template, templateOf } from './floor.ts';
import { FloorClient } from './floor-client.ts';
import type { Ground } from './ground.ts';
import { issuedWave } from './issued-wave.ts';
import { clear, makeNamespaces } from './objects.ts';
import type { Sizes } from './options.ts';
import { type Row, ratio } from './report.ts';

interface Setting {
  ground: Ground;
  sizes: Sizes;
  say: (line: string) => void;
  /** Where a CPU profile goes. */
  profile: string | undefined;
}

/** A wave of tokens in one namespace and over many, by the bare client and by the operator, in turn. */
export async function measureIssue(of: Setting): Promise<Row[]> {
  const template = await learnTemplate(of.ground);
  const rows: Row[] = [];
  for (const [place, count] of [
    ['one namespace', 1],
    [`${of.sizes.namespaces} namespaces`, of.sizes.namespaces],
  ] as const) {
    of.say(`issue: the bare client writes for ${of.sizes.wave} tokens in ${place}`);
    const floor = await floorWave(of, template, count);
    of.say(`issue: the operator issues ${of.sizes.wave} tokens in ${place}, and is measured until it is quiet`);
    rows.push(...rowsOf(place, of.sizes.wave, floor, await operatorWave(of, count)));
  }
  return rows;
}

async function learnTemplate(ground: Ground): Promise<Template> {
  const namespaces = await makeNamespaces(ground.api, 'template', 1);
  const operator = await ground.operator();
  const template = await templateOf(ground.api, namespaces[0] ?? '');
  await operator.stop();
  await clear(ground.api, namespaces);
  return template;
}

async function floorWave(of: Setting, template: Template, namespaceCount: number): Promise<Cost> {
  const { ground, sizes } = of;
  const namespaces = await makeNamespaces(ground.api, `floor${namespaceCount}`, namespaceCount);
  await using client = new FloorClient(ground.kubeconfig, template);
  await issuedWave({ ground, name: 'floor-warm', namespaces, count: sizes.warmUp }, applied => client.issue(applied));
  let used = [0, 0];
  const span = await issuedWave({ ground, name: 'floor', namespaces, count: sizes.wave }, async applied => {
    used = [client.cpuSeconds, ground.serverCPUSeconds];
    await client.issue(applied);
    used = [client.cpuSeconds - (used[0] ?? 0), ground.serverCPUSeconds - (used[1] ?? 0)];
  });
  await clear(ground.api, namespaces);
  return costOf(sizes.wave, span, used);
}

async function operatorWave(of: Setting, namespaceCount: number): Promise<OperatorCost> {
  const { ground, sizes, profile } = of;
  const namespaces = await makeNamespaces(ground.api, `wave${namespaceCount}`, namespaceCount);
  const operator = await ground.operator();
  await issuedWave({ ground, name: 'wave-warm', namespaces, count: sizes.warmUp });
  await operator.quiet();
  const file = profile && join(profile, `issue-${namespaceCount}.cpuprofile`);
  const cost = await operatorCost({ ground, operator, count: sizes.wave }, start =>
    operator.profiled(file, () => {
      // It must not begin before all are applied: applying is no part of the comparison.
      operator.pause();
      return issuedWave({ ground, name: 'wave', namespaces, count: sizes.wave }, async () => {
        start();
        operator.resume();
      });
    }),
  );
  await operator.stop();
  await clear(ground.api, namespaces);
  return cost;
}

function rowsOf(place: string, count: number, floor: Cost, operator: OperatorCost): Row[] {
  const each = perObject(operator.calls, count);
  return [
    {
      figure: `tokens per second, ${place}`,
      botmint: operator.perSecond.toFixed(0),
      floor: floor.perSecond.toFixed(0),
      ratio: ratio(operator.perSecond, floor.perSecond),
      goal: 'ratio ≥ 0.7',
      peer: place === 'one namespace' ? '18, ratio 0.06' : '29, ratio 0.09',
    },
    {
      figure: `API calls per token, ${place} (${each})`,
      botmint: (total(operator.calls) / count).toFixed(2),
      floor: '3',
      goal: '≤ 5',
      peer: '27',
    },
    {
      figure: `ms of own CPU per token until quiet, ${place}`,
      botmint: operator.cpu.toFixed(1),
      floor: floor.cpu.toFixed(1),
      goal: '≤ 5',
      peer: '150',
    },
    {
      figure: `ms of the API server's CPU per token, ${place}`,
      botmint: operator.serverCPU.toFixed(1),
      floor: floor.serverCPU.toFixed(1),
    },
  ];
}
