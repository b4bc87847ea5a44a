import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sharedCluster } from '../cluster/cluster.ts';
import { after, before, drop, forward } from '../faults/proxy.ts';
import { keyScenarios } from './key-scenarios.ts';
import { assertEnd, isStep, leave } from './runs.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { Site } from './site.ts';

/** A scenario never takes so many requests; a run that gets there goes in circles. */
const mostPoints = 40;

const all = [...scenarios, ...keyScenarios];
const cluster = sharedCluster();
let site: Site;
let points = 0;

beforeAll(async () => {
  site = await Site.open(cluster);
});

afterAll(async () => {
  console.log(`crash points: killed the operator at ${points} requests in ${all.length} scenarios`);
  await site?.close();
});

/** Kills the operator at its k-th step from now on, once. Resolves when that has happened. */
function killAt(k: number, moment: typeof before): { reached: () => boolean; killed: Promise<void> } {
  let steps = 0;
  let reached = false;
  const killed = new Promise<void>(resolve => {
    site.rule = request => {
      // What else the killed process had under way is lost with it.
      if (reached) return drop;
      if (!isStep(request) || ++steps !== k) return forward;
      reached = true;
      return moment(async () => {
        await site.operator.kill();
        resolve();
      });
    };
  });
  return { reached: () => reached, killed };
}

interface Kill {
  k: number;
  moment: typeof before;
}

/** The scenario with a kill at a step, and, where there are more, at a step of what the next operator does. How many were reached. */
async function run(scenario: Scenario, kills: readonly Kill[]): Promise<number> {
  const { clockOffsetMilliseconds: ahead } = scenario;
  const namespace = await site.namespace();
  const firstRequest = site.proxy.requests.length;
  site.rule = () => forward;
  if (!site.hasOperator) await site.start();
  await scenario.prepare?.(site, namespace);
  if (ahead !== undefined) await site.operator.stop();
  let count = 0;
  for (const { k, moment } of kills) {
    const { reached, killed } = killAt(k, moment);
    if (!site.hasOperator) await Promise.race([startAgain(ahead), killed]);
    if (count === 0) await scenario.act(site, namespace);
    await Promise.race([scenario.settled(site, namespace), killed]);
    if (!reached()) break;
    await killed;
    count++;
  }
  site.rule = () => forward;
  if (!site.hasOperator) await startAgain(ahead);
  await scenario.settled(site, namespace);
  await assertEnd(site, scenario, namespace, site.proxy.requests.slice(firstRequest));
  await leave(site, namespace);
  if (ahead !== undefined) await site.operator.stop();
  points += count;
  return count;
}

async function startAgain(clockOffsetMilliseconds = 0): Promise<void> {
  try {
    await site.start({ clockOffsetMilliseconds });
  } catch (error) {
    if (site.hasOperator) throw error; // else it was killed while it started, and that is a crash point as well
  }
}

const moments = { before, after };
type Moment = keyof typeof moments;

describe('killed before and after each request, the operator ends where the clean run ends', () => {
  for (const scenario of all) {
    for (const [word, moment] of Object.entries(moments)) {
      test(`${scenario.name}: ${word} each step`, { timeout: 600_000 }, async () => {
        for (let k = 1; (await run(scenario, [{ k, moment }])) > 0; k++) expect(k).toBeLessThan(mostPoints);
      });
    }
  }
});

describe('killed twice, the operator ends there as well', () => {
  const pairs: [Moment, Moment][] = [
    ['before', 'before'],
    ['before', 'after'],
    ['after', 'before'],
    ['after', 'after'],
  ];
  for (const scenario of all.filter(({ name }) => name === 'replace' || name === 'revoke')) {
    test.each(pairs)(`${scenario.name}: %s and %s each two steps`, { timeout: 600_000 }, async (one, other) => {
      for (let k = 1; ; k++) {
        const first = { k, moment: moments[one] };
        for (let l = 1; (await run(scenario, [first, { k: l, moment: moments[other] }])) === 2; l++)
          expect(l).toBeLessThan(mostPoints);
        if ((await run(scenario, [first])) === 0) break;
      }
    });
  }
});
