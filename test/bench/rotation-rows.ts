import { perObject, total } from './calls.ts';
import type { Cost, OperatorCost } from './cost.ts';
import { type Row, ratio } from './report.ts';
import { quantile, type Single } from './singles.ts';

export function rotationRows(count: number, floor: Cost, operator: OperatorCost): Row[] {
  return [
    {
      figure: `rotations per second, ${count} tokens due at once`,
      botmint: operator.perSecond.toFixed(0),
      floor: floor.perSecond.toFixed(0),
      ratio: ratio(operator.perSecond, floor.perSecond),
      goal: 'ratio ≥ 0.7',
    },
    {
      figure: `API calls per rotation (${perObject(operator.calls, count)})`,
      botmint: (total(operator.calls) / count).toFixed(2),
      floor: '2',
      goal: '≤ 4',
    },
    {
      figure: 'ms of own CPU per rotation until quiet',
      botmint: operator.cpu.toFixed(1),
      floor: floor.cpu.toFixed(1),
      goal: '≤ 5',
    },
    serverRow('rotation', floor, operator),
  ];
}

export function endRows(count: number, floor: Cost, operator: OperatorCost): Row[] {
  return [
    {
      figure: `ends of an overlap per second, ${count} at once`,
      botmint: operator.perSecond.toFixed(0),
      floor: floor.perSecond.toFixed(0),
      ratio: ratio(operator.perSecond, floor.perSecond),
      goal: 'ratio ≥ 0.7',
    },
    {
      figure: `API calls per end of an overlap (${perObject(operator.calls, count)})`,
      botmint: (total(operator.calls) / count).toFixed(2),
      floor: '1',
      goal: '≤ 2',
    },
    {
      figure: 'ms of own CPU per end of an overlap until quiet',
      botmint: operator.cpu.toFixed(1),
      floor: floor.cpu.toFixed(1),
    },
    serverRow('end of an overlap', floor, operator),
  ];
}

/** The floor of first issues during a wave is what they take when there is none. */
export function busyRows(count: number, quiet: readonly Single[], busy: readonly Single[]): Row[] {
  return [0.5, 0.99].map(q => {
    const [calm, waved] = [quantile(quiet, q), quantile(busy, q)];
    const name = `p${q * 100}`;
    return {
      figure: `ms from apply to Secret while ${count} tokens rotate, ${name} of ${busy.length} (quiet ${calm.toFixed(1)})`,
      botmint: waved.toFixed(1),
      ratio: `${ratio(waved, calm)} to quiet`,
      goal: q === 0.99 ? 'ratio ≤ 3' : undefined,
    };
  });
}

function serverRow(what: string, floor: Cost, operator: OperatorCost): Row {
  return {
    figure: `ms of the API server's CPU per ${what}`,
    botmint: operator.serverCPU.toFixed(1),
    floor: floor.serverCPU.toFixed(1),
  };
}
