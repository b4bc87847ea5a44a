import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sharedCluster } from '../cluster/cluster.ts';
import { after, before, drop, forward } from '../faults/proxy.ts';
import { assertEnd, isStep, leave } from './runs.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { Site } from './site.ts';

/** A scenario never takes so many requests; a run that gets there goes in circles. */
const mostPoints = 40;

const cluster = sharedCluster();
let site: Site;
let points = 0;

beforeAll(async () => {
  site = await Site.open(cluster);
});

afterAll(async () => {
  console.log(`crash points: killed the operator at ${points} requests in ${scenarios.length} scenarios`);
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

/** The scenario with a kill at step k; false when it ended before that step. */
async function run(scenario: Scenario, k: number, moment: typeof before): Promise<boolean> {
  const { clockOffsetMilliseconds: ahead } = scenario;
  const namespace = await site.namespace();
  const firstRequest = site.proxy.requests.length;
  site.rule = () => forward;
  if (!site.hasOperator) await site.start();
  await scenario.prepare?.(site, namespace);
  if (ahead !== undefined) await site.operator.stop();
  const { reached, killed } = killAt(k, moment);
  if (ahead !== undefined) await Promise.race([startAhead(ahead), killed]);
  await scenario.act(site, namespace);
  await Promise.race([scenario.settled(site, namespace), killed]);
  if (reached()) await killed;
  site.rule = () => forward;
  if (reached()) await (ahead === undefined ? site.start() : startAhead(ahead));
  await scenario.settled(site, namespace);
  await assertEnd(site, scenario, namespace, firstRequest);
  await leave(site, namespace);
  if (ahead !== undefined) await site.operator.stop();
  if (reached()) points++;
  return reached();
}

async function startAhead(clockOffsetMilliseconds: number): Promise<void> {
  try {
    await site.start({ clockOffsetMilliseconds });
  } catch (error) {
    if (site.hasOperator) throw error; // else it was killed while it started, and that is a crash point as well
  }
}

describe('killed before and after each request, the operator ends where the clean run ends', () => {
  for (const scenario of scenarios) {
    for (const [word, moment] of [
      ['before', before],
      ['after', after],
    ] as const) {
      test(`${scenario.name}: ${word} each step`, { timeout: 600_000 }, async () => {
        for (let k = 1; await run(scenario, k, moment); k++) expect(k).toBeLessThan(mostPoints);
      });
    }
  }
});
