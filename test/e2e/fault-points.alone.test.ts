import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { after, type Decision, FaultProxy, forward, refuse, type SeenRequest } from '../faults/proxy.ts';
import { OperatorProcess } from './operator-process.ts';
import { assertEnd, isStep, leave } from './runs.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { Site } from './site.ts';

// Faults that no process dies of: an API server that answers with an error or not at all, with and without having done what it
// was asked; caches that lag; a clock that jumps. Runs go side by side, each in a namespace of its own.

const hour = 3_600_000;
/** As many as the longest of these scenarios has in its namespace, without what a fault adds. */
const mostSteps = 8;

/** What happens at the k-th step of a run, whose clock is so far ahead. */
type Faults = { [fault in string]: (ahead: number) => Decision };

const errors: Faults = {
  'an error without effect': () => refuse(500, 'InternalError'),
  'too many requests': () => refuse(429, 'TooManyRequests', { retryAfterSeconds: 1 }),
  'an answer that is lost': () => after(() => undefined),
  'a conflict': () => refuse(409, 'Conflict'),
};
const jumps: Faults = {
  'a clock that jumps an hour ahead': ahead => jumped(ahead + hour),
  'a clock that jumps an hour back': ahead => jumped(ahead - hour),
};

const cluster = sharedCluster();
let site: Site;
let points = 0;

beforeAll(async () => {
  site = await Site.open(cluster);
});

afterAll(async () => {
  console.log(`fault points: ${points} faults at requests, caches and clocks`);
  await site?.close();
});

function jumped(offset: number): Decision {
  return { do: 'forward', before: () => site.operator.setClock(offset) };
}

interface Run {
  scenario: Scenario;
  namespace: string;
  fault: string;
  k: number;
  steps: number;
  hit: boolean;
}

/** Runs scenarios of one clock once for each fault at each step, all at the same time. */
async function runAll(group: readonly Scenario[], faults: Faults): Promise<void> {
  const ahead = group[0]?.clockOffsetMilliseconds ?? 0;
  const runs: Run[] = [];
  for (const scenario of group)
    for (const fault of Object.keys(faults))
      for (let k = 1; k <= mostSteps; k++)
        runs.push({ scenario, namespace: await site.namespace(), fault, k, steps: 0, hit: false });
  const byNamespace = new Map(runs.map(run => [run.namespace, run]));
  site.rule = () => forward;
  if (!site.hasOperator) await site.start();
  const firstRequest = site.proxy.requests.length;
  await Promise.all(runs.map(async ({ scenario, namespace }) => scenario.prepare?.(site, namespace)));
  if (ahead > 0) await site.operator.stop();
  site.rule = request => {
    const run = byNamespace.get(request.namespace);
    if (run === undefined || !isStep(request) || ++run.steps !== run.k) return forward;
    run.hit = true;
    points++;
    return faults[run.fault]?.(ahead) ?? forward;
  };
  if (ahead > 0) await site.start({ clockOffsetMilliseconds: ahead });
  await Promise.all(runs.map(({ scenario, namespace }) => scenario.act(site, namespace)));
  await Promise.all(runs.map(({ scenario, namespace }) => scenario.settled(site, namespace)));
  await atRest(firstRequest);
  site.rule = () => forward;
  await site.operator.setClock(ahead);
  await assertEnds(runs, site.proxy.requests.slice(firstRequest));
  for (const { scenario, fault, k, hit, steps } of runs) {
    const says = `${scenario.name}: ${fault} at step ${k}`;
    // Each fault has met the first step at least, and nothing went on for ever.
    if (k === 1) expect(hit, says).toBe(true);
    expect(steps, says).toBeLessThan(10 * mostSteps);
  }
  await Promise.all(runs.map(({ namespace }) => leave(site, namespace)));
  if (ahead > 0) await site.operator.stop();
}

async function assertEnds(
  runs: readonly Pick<Run, 'scenario' | 'namespace'>[],
  requests: readonly SeenRequest[],
): Promise<void> {
  await Promise.all(runs.map(({ scenario, namespace }) => assertEnd(site, scenario, namespace, requests)));
}

/** Nothing was written for a while: whatever a fault has put off has been done. */
async function atRest(firstRequest: number): Promise<void> {
  const steps = () => site.proxy.requests.slice(firstRequest).filter(isStep).length;
  let before = -1;
  await eventually(
    'the operator is at rest',
    () => {
      const now = steps();
      const same = now === before;
      before = now;
      return same;
    },
    { seconds: 120, everyMilliseconds: 2500 },
  );
}

const usual = scenarios.filter(({ issuer, name }) => issuer === undefined && name !== 'delete namespace');
const timed = usual.filter(({ clockOffsetMilliseconds }) => clockOffsetMilliseconds !== undefined);
const untimed = usual.filter(({ clockOffsetMilliseconds }) => clockOffsetMilliseconds === undefined);
const groups = (most: number) => [
  ...Array.from({ length: Math.ceil(untimed.length / most) }, (_, n) => untimed.slice(n * most, (n + 1) * most)),
  ...timed.map(scenario => [scenario]),
];
const named = (group: readonly Scenario[]) => ({ group, names: group.map(({ name }) => name).join(', ') });

describe('an error at each request changes nothing in the end', () => {
  test.each(groups(4).map(named))('$names', { timeout: 300_000 }, ({ group }) => runAll(group, errors));
});

describe('a clock that jumps at each request changes nothing in the end', () => {
  test.each(groups(8).map(named))('$names', { timeout: 300_000 }, ({ group }) => runAll(group, jumps));
});

describe('caches that lag change nothing in the end', () => {
  const kinds = ['bottokens', 'botusers', 'secrets'];

  test.each([1, 3])('by %i events', { timeout: 300_000 }, async events => {
    const runs = await Promise.all(untimed.map(async scenario => ({ scenario, namespace: await site.namespace() })));
    site.rule = () => forward;
    if (!site.hasOperator) await site.start();
    const firstRequest = site.proxy.requests.length;
    await Promise.all(runs.map(async ({ scenario, namespace }) => scenario.prepare?.(site, namespace)));
    for (const kind of kinds) site.proxy.watches(kind).hold(events);
    await Promise.all(runs.map(({ scenario, namespace }) => scenario.act(site, namespace)));
    await atRest(firstRequest);
    for (const kind of kinds) site.proxy.watches(kind).release();
    await Promise.all(runs.map(({ scenario, namespace }) => scenario.settled(site, namespace)));
    await atRest(firstRequest);
    await assertEnds(runs, site.proxy.requests.slice(firstRequest));
    await Promise.all(runs.map(({ namespace }) => leave(site, namespace)));
    points += runs.length;
  });
});

describe('a second operator that believes to be in charge', () => {
  test('changes nothing in the end', { timeout: 300_000 }, async () => {
    await using proxy = await FaultProxy.start({ kubeconfigPath: site.kubeconfigPath, leasePrefix: 'second-' });
    await using second = await OperatorProcess.start({
      kubeconfig: await proxy.kubeconfigFor(await site.operatorToken()),
    });
    const thrice = [...untimed, ...untimed, ...untimed];
    const runs = await Promise.all(thrice.map(async scenario => ({ scenario, namespace: await site.namespace() })));
    site.rule = () => forward;
    if (!site.hasOperator) await site.start();
    const since = [site.proxy.requests.length, proxy.requests.length];
    await Promise.all(runs.map(async ({ scenario, namespace }) => scenario.prepare?.(site, namespace)));
    await Promise.all(runs.map(({ scenario, namespace }) => scenario.act(site, namespace)));
    await Promise.all(runs.map(({ scenario, namespace }) => scenario.settled(site, namespace)));
    await atRest(since[0] ?? 0);
    expect(second.hasEnded).toBe(false);
    const theirs = proxy.requests.slice(since[1]);
    // Both worked: else this would show nothing.
    expect(theirs.some(isStep)).toBe(true);
    await assertEnds(runs, [...site.proxy.requests.slice(since[0]), ...theirs]);
    await Promise.all(runs.map(({ namespace }) => leave(site, namespace)));
  });
});
