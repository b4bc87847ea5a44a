import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../cluster/cluster.ts';
import { after, before, drop, forward } from '../faults/proxy.ts';
import { keyScenarios } from './key-scenarios.ts';
import { assertEnd, isStep, leave, settle } from './runs.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { Site } from './site.ts';

// The operator is killed in the middle of scenarios. The files with crash points share this: each has a site of its own.

export const allScenarios: readonly Scenario[] = [...scenarios, ...keyScenarios];

/** A scenario never takes so many requests; a run that gets there goes in circles. */
export const mostPoints = 40;

/** When a process is killed: before the API server sees its request, or after it has carried it out. */
export const moments = { before, after };
export type Moment = keyof typeof moments;

export interface Kill {
  /** The k-th step from the time on at which the scenario, or the next process, begins. */
  k: number;
  moment: Moment;
}

/** Runs scenarios with kills, one after the other. To be made at the top of a test file. */
export class CrashRuns {
  #site: Site | undefined;
  #points = 0;

  constructor(cluster: Cluster, { length }: readonly Scenario[]) {
    beforeAll(async () => {
      this.#site = await Site.open(cluster);
    });
    afterAll(async () => {
      console.log(`crash points: killed the operator at ${this.#points} requests in ${length} scenarios`);
      await this.#site?.close();
    });
  }

  get #open(): Site {
    if (this.#site === undefined) throw new Error('the site is not open yet');
    return this.#site;
  }

  /** Every scenario with a kill before, and after, each of its steps. */
  eachStep(title: string, of: readonly Scenario[]): void {
    describe(title, () => {
      for (const scenario of of) {
        test.each<Moment>(['before', 'after'])(
          `${scenario.name}: %s each step`,
          { timeout: 1_800_000 },
          async moment => {
            for (let k = 1; (await this.run(scenario, [{ k, moment }])) > 0; k++) expect(k).toBeLessThan(mostPoints);
          },
        );
      }
    });
  }

  /**
   * The scenario with a kill at a step, and, where there are more, at a step of what the next operator does. Fails where the
   * end is not that of the clean run. Gives how many were reached.
   */
  async run(scenario: Scenario, kills: readonly Kill[]): Promise<number> {
    const site = this.#open;
    const { clockOffsetMilliseconds: ahead } = scenario;
    const namespace = await site.namespace();
    const firstRequest = site.proxy.requests.length;
    const requests = () => site.proxy.requests.slice(firstRequest);
    site.rule = () => forward;
    if (!site.hasOperator) await site.start();
    await scenario.prepare?.(site, namespace);
    if (ahead !== undefined) await site.operator.stop();
    let count = 0;
    for (const kill of kills) {
      const { reached, killed } = killAt(site, kill);
      if (!site.hasOperator) await Promise.race([startAgain(site, ahead), killed]);
      if (count === 0) await scenario.act(site, namespace);
      await Promise.race([settle(site, scenario, namespace, requests), killed]);
      if (!reached()) break;
      await killed;
      count++;
    }
    site.rule = () => forward;
    if (!site.hasOperator) await startAgain(site, ahead);
    await settle(site, scenario, namespace, requests);
    await assertEnd(site, scenario, namespace, requests());
    await leave(site, scenario, namespace);
    if (ahead !== undefined) await site.operator.stop();
    this.#points += count;
    return count;
  }
}

/** Kills the operator at its k-th step from now on, once. Resolves when that has happened. */
function killAt(site: Site, { k, moment }: Kill): { reached: () => boolean; killed: Promise<void> } {
  let steps = 0;
  let reached = false;
  const killed = new Promise<void>(resolve => {
    site.rule = request => {
      // What else the killed process had under way is lost with it.
      if (reached) return drop;
      if (!isStep(request) || ++steps !== k) return forward;
      reached = true;
      return moments[moment](async () => {
        await site.operator.kill();
        resolve();
      });
    };
  });
  return { reached: () => reached, killed };
}

async function startAgain(site: Site, clockOffsetMilliseconds = 0): Promise<void> {
  try {
    await site.start({ clockOffsetMilliseconds });
  } catch (error) {
    if (site.hasOperator) throw error; // else it was killed while it started, and that is a crash point as well
  }
}
