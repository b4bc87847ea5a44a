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
import { type Wished, wishedToken } from './wished.ts';

interface Setting {
  ground: Ground;
  sizes: Sizes;
  say: (line: string) => void;
  /** Where a CPU profile goes. */
  profile: string | undefined;
}

/** What is issued, and how that is judged. */
export interface Issuing {
  wished: Wished;
  goal: string;
  /** Of cert-manager: rate, calls and CPU, where there is something to compare. */
  peer?: { perSecond: Record<'one' | 'many', string>; calls: string; cpu: string };
}

export const issuingTokens: Issuing = {
  wished: wishedToken(),
  goal: 'ratio ≥ 0.7',
  peer: { perSecond: { one: '18, ratio 0.06', many: '29, ratio 0.09' }, calls: '27', cpu: '150' },
};

/** A wave of objects in one namespace and over many, by the bare client and by the operator, in turn. */
export async function measureIssue(of: Setting, issuing = issuingTokens): Promise<Row[]> {
  const { wished } = issuing;
  const things = `${wished.noun}s`;
  const template = await learnTemplate(of.ground, wished);
  const rows: Row[] = [];
  for (const [place, count] of [
    ['one namespace', 1],
    [`${of.sizes.namespaces} namespaces`, of.sizes.namespaces],
  ] as const) {
    of.say(`issue: the bare client writes for ${of.sizes.wave} ${things} in ${place}`);
    const floor = await floorWave(of, template, wished, count);
    of.say(`issue: the operator issues ${of.sizes.wave} ${things} in ${place}, and is measured until it is quiet`);
    const operator = await operatorWave(of, wished, count);
    rows.push(...rowsOf(issuing, { place, isOne: count === 1, count: of.sizes.wave }, { floor, operator }));
  }
  return rows;
}

async function learnTemplate(ground: Ground, wished: Wished): Promise<Template> {
  const namespaces = await makeNamespaces(ground.api, 'template', 1);
  const operator = await ground.operator();
  const template = await templateOf(ground.api, namespaces[0] ?? '', wished);
  await operator.stop();
  await clear(ground.api, namespaces);
  return template;
}

async function floorWave(of: Setting, template: Template, wished: Wished, namespaceCount: number): Promise<Cost> {
  const { ground, sizes } = of;
  const namespaces = await makeNamespaces(ground.api, `floor${namespaceCount}`, namespaceCount);
  await using client = new FloorClient(ground.kubeconfig, template);
  const warm = { ground, name: 'floor-warm', namespaces, count: sizes.warmUp, wished };
  await issuedWave(warm, applied => client.issue(applied));
  let used = [0, 0];
  const span = await issuedWave({ ...warm, name: 'floor', count: sizes.wave }, async applied => {
    used = [client.cpuSeconds, ground.serverCPUSeconds];
    await client.issue(applied);
    used = [client.cpuSeconds - (used[0] ?? 0), ground.serverCPUSeconds - (used[1] ?? 0)];
  });
  await clear(ground.api, namespaces);
  return costOf(sizes.wave, span, used);
}

async function operatorWave(of: Setting, wished: Wished, namespaceCount: number): Promise<OperatorCost> {
  const { ground, sizes, profile } = of;
  const namespaces = await makeNamespaces(ground.api, `wave${namespaceCount}`, namespaceCount);
  const operator = await ground.operator();
  await issuedWave({ ground, name: 'wave-warm', namespaces, count: sizes.warmUp, wished });
  await operator.quiet();
  const file = profile && join(profile, `issue-${wished.noun}-${namespaceCount}.cpuprofile`);
  const cost = await operatorCost({ ground, operator, count: sizes.wave }, start =>
    operator.profiled(file, () => {
      // It must not begin before all are applied: applying is no part of the comparison.
      operator.pause();
      return issuedWave({ ground, name: 'wave', namespaces, count: sizes.wave, wished }, async () => {
        start();
        operator.resume();
      });
    }),
  );
  await operator.stop();
  await clear(ground.api, namespaces);
  return cost;
}

function rowsOf(
  { wished: { noun }, goal, peer }: Issuing,
  { place, isOne, count }: { place: string; isOne: boolean; count: number },
  { floor, operator }: { floor: Cost; operator: OperatorCost },
): Row[] {
  const each = perObject(operator.calls, count);
  return [
    {
      figure: `${noun}s per second, ${place}`,
      botmint: operator.perSecond.toFixed(0),
      floor: floor.perSecond.toFixed(0),
      ratio: ratio(operator.perSecond, floor.perSecond),
      goal,
      peer: peer?.perSecond[isOne ? 'one' : 'many'],
    },
    {
      figure: `API calls per ${noun}, ${place} (${each})`,
      botmint: (total(operator.calls) / count).toFixed(2),
      floor: '3',
      goal: '≤ 5',
      peer: peer?.calls,
    },
    {
      figure: `ms of own CPU per ${noun} until quiet, ${place}`,
      botmint: operator.cpu.toFixed(1),
      floor: floor.cpu.toFixed(1),
      goal: '≤ 5',
      peer: peer?.cpu,
    },
    {
      figure: `ms of the API server's CPU per ${noun}, ${place}`,
      botmint: operator.serverCPU.toFixed(1),
      floor: floor.serverCPU.toFixed(1),
    },
  ];
}
