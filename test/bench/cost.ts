import { type Calls, workSince } from './calls.ts';
import type { Ground } from './ground.ts';
import type { MeasuredOperator } from './measured-operator.ts';
import { type Span, secondsOf } from './wave.ts';

/** What one wave has cost. */
export interface Cost {
  perSecond: number;
  /** Milliseconds of processor time per token: of the client, and of the API server until the last record. */
  cpu: number;
  serverCPU: number;
}

export type OperatorCost = Cost & { calls: Calls };

export function costOf(count: number, span: Span, [cpu = 0, serverCPU = 0]: readonly number[]): Cost {
  return { perSecond: count / secondsOf(span), cpu: (cpu * 1000) / count, serverCPU: (serverCPU * 1000) / count };
}

/** What the operator spends from here on: `until` gives the end of the wave, and the rest is counted until it is quiet. */
export async function operatorCost(
  { ground, operator, count }: { ground: Ground; operator: MeasuredOperator; count: number },
  until: (start: () => void) => Promise<Span>,
): Promise<OperatorCost> {
  const calls = await operator.calls();
  let [used, served] = [0, 0];
  const span = await until(() => {
    [used, served] = [operator.cpuSeconds, ground.serverCPUSeconds];
  });
  const server = ground.serverCPUSeconds - served;
  const cpu = (await operator.quiet()) - used;
  return { ...costOf(count, span, [cpu, server]), calls: workSince(calls, await operator.calls()) };
}
