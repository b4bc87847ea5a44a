import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, eventually } from '../cluster/cluster.ts';
import { after, type Decision, FaultProxy, forward, refuse, type SeenRequest } from '../faults/proxy.ts';
import { OperatorProcess } from './operator-process.ts';
import { assertEnd, isStep, leave, settle } from './runs.ts';
import type { Scenario } from './scenarios.ts';
import { Site } from './site.ts';

// Faults that no process dies of: an API server that answers with an error or not at all, with and without having done what it
// was asked; caches that lag; a clock that jumps; a second operator. Runs go side by side, each in a namespace of its own.

const hour = 3_600_000;

/** What happens at the k-th step of a run, whose clock is so far ahead. */
type Faults = { [fault in string]: (ahead: number) => Decision };

const errors: Faults = {
  'an error without effect': () => refuse(500, 'InternalError'),
  'too many requests': () => refuse(429, 'TooManyRequests', { retryAfterSeconds: 1 }),
  'an answer that is lost': () => after(() => undefined),
  'a conflict': () => refuse(409, 'Conflict'),
};

interface Run {
  scenario: Scenario;
  namespace: string;
  fault: string;
  k: number;
  steps: number;
  hit: boolean;
}

export interface FaultRunsOptions {
  /** As many as the longest of the scenarios has in its namespace, without what a fault adds. */
  mostSteps: number;
  /** How many scenarios run side by side with each fault at each step. */
  sideBySide: number;
  /** The kinds whose watches lag. */
  kinds: readonly string[];
}

const named = (group: readonly Scenario[]) => ({ group, names: group.map(({ name }) => name).join(', ') });

/** Runs scenarios under faults, at the top of a test file: each file has a site of its own. */
export class FaultRuns {
  readonly #of: FaultRunsOptions;
  readonly #untimed: readonly Scenario[];
  readonly #timed: readonly Scenario[];
  #open: Site | undefined;
  #points = 0;

  constructor(cluster: Cluster, scenarios: readonly Scenario[], of: FaultRunsOptions) {
    this.#of = of;
    this.#timed = scenarios.filter(({ clockOffsetMilliseconds }) => clockOffsetMilliseconds !== undefined);
    this.#untimed = scenarios.filter(({ clockOffsetMilliseconds }) => clockOffsetMilliseconds === undefined);
    beforeAll(async () => {
      this.#open = await Site.open(cluster);
    });
    afterAll(async () => {
      console.log(`fault points: ${this.#points} faults at requests, caches and clocks`);
      await this.#open?.close();
    });
  }

  get #site(): Site {
    if (this.#open === undefined) throw new Error('the site is not open yet');
    return this.#open;
  }

  #groups(most: number): { group: readonly Scenario[]; names: string }[] {
    const all = Array.from({ length: Math.ceil(this.#untimed.length / most) }, (_, n) =>
      this.#untimed.slice(n * most, (n + 1) * most),
    );
    return [...all, ...this.#timed.map(scenario => [scenario])].map(named);
  }

  /** An error at each request, with and without effect. */
  errors(): void {
    describe('an error at each request changes nothing in the end', () => {
      const groups = this.#groups(this.#of.sideBySide);
      test.each(groups)('$names', { timeout: 900_000 }, ({ group }) => this.#runAll(group, errors));
    });
  }

  /** A clock that jumps at each request. */
  jumps(): void {
    const jumped = (offset: number): Decision => ({
      do: 'forward',
      before: () => this.#site.operator.setClock(offset),
    });
    const faults: Faults = {
      'a clock that jumps an hour ahead': ahead => jumped(ahead + hour),
      'a clock that jumps an hour back': ahead => jumped(ahead - hour),
    };
    describe('a clock that jumps at each request changes nothing in the end', () => {
      const groups = this.#groups(2 * this.#of.sideBySide);
      test.each(groups)('$names', { timeout: 900_000 }, ({ group }) => this.#runAll(group, faults));
    });
  }

  lags(): void {
    describe('caches that lag change nothing in the end', () => {
      test.each([1, 3])('by %i events', { timeout: 900_000 }, events => this.#lag(events));
    });
  }

  secondOperator(): void {
    describe('a second operator that believes to be in charge', () => {
      test('changes nothing in the end', { timeout: 900_000 }, () => this.#withSecond());
    });
  }

  /** Runs scenarios of one clock once for each fault at each step, all at the same time. */
  async #runAll(group: readonly Scenario[], faults: Faults): Promise<void> {
    const site = this.#site;
    const ahead = group[0]?.clockOffsetMilliseconds ?? 0;
    const runs = await this.#runsOf(group, faults);
    const byNamespace = new Map(runs.map(run => [run.namespace, run]));
    const firstRequest = await this.#prepare(runs);
    if (ahead > 0) await site.operator.stop();
    site.rule = request => {
      const run = byNamespace.get(request.namespace);
      if (run === undefined || !isStep(request) || ++run.steps !== run.k) return forward;
      run.hit = true;
      this.#points++;
      return faults[run.fault]?.(ahead) ?? forward;
    };
    if (ahead > 0) await site.start({ clockOffsetMilliseconds: ahead });
    await Promise.all(runs.map(({ scenario, namespace }) => scenario.act(site, namespace)));
    await this.#settle(runs, () => site.proxy.requests.slice(firstRequest));
    await this.#atRest(firstRequest);
    site.rule = () => forward;
    await site.operator.setClock(ahead);
    await this.#assertEnds(runs, site.proxy.requests.slice(firstRequest));
    for (const { scenario, fault, k, hit, steps } of runs) {
      const says = `${scenario.name}: ${fault} at step ${k}`;
      // Each fault has met the first step at least, and nothing went on for ever.
      if (k === 1) expect(hit, says).toBe(true);
      expect(steps, says).toBeLessThan(10 * this.#of.mostSteps);
    }
    await Promise.all(runs.map(({ scenario, namespace }) => leave(site, scenario, namespace)));
    if (ahead > 0) await site.operator.stop();
  }

  async #runsOf(group: readonly Scenario[], faults: Faults): Promise<Run[]> {
    const runs: Run[] = [];
    for (const scenario of group)
      for (const fault of Object.keys(faults))
        for (let k = 1; k <= this.#of.mostSteps; k++)
          runs.push({ scenario, namespace: await this.#site.namespace(), fault, k, steps: 0, hit: false });
    return runs;
  }

  /** Brings all to where their scenarios begin. The number of the first request that counts. */
  async #prepare(runs: readonly Pick<Run, 'scenario' | 'namespace'>[]): Promise<number> {
    const site = this.#site;
    site.rule = () => forward;
    if (!site.hasOperator) await site.start();
    const firstRequest = site.proxy.requests.length;
    await Promise.all(runs.map(async ({ scenario, namespace }) => scenario.prepare?.(site, namespace)));
    return firstRequest;
  }

  async #assertEnds(
    runs: readonly Pick<Run, 'scenario' | 'namespace'>[],
    requests: readonly SeenRequest[],
  ): Promise<void> {
    await Promise.all(runs.map(({ scenario, namespace }) => assertEnd(this.#site, scenario, namespace, requests)));
  }

  async #settle(
    runs: readonly Pick<Run, 'scenario' | 'namespace'>[],
    requests: () => readonly SeenRequest[],
  ): Promise<void> {
    await Promise.all(runs.map(({ scenario, namespace }) => settle(this.#site, scenario, namespace, requests)));
  }

  /** Nothing was written for a while: whatever a fault has put off has been done. */
  async #atRest(firstRequest: number): Promise<void> {
    const steps = () => this.#site.proxy.requests.slice(firstRequest).filter(isStep).length;
    let before = -1;
    await eventually(
      'the operator is at rest',
      () => {
        const now = steps();
        const same = now === before;
        before = now;
        return same;
      },
      { everyMilliseconds: 2500 },
    );
  }

  async #lag(events: number): Promise<void> {
    const site = this.#site;
    const { kinds } = this.#of;
    const runs = await Promise.all(
      this.#untimed.map(async scenario => ({ scenario, namespace: await site.namespace() })),
    );
    const firstRequest = await this.#prepare(runs);
    for (const kind of kinds) site.proxy.watches(kind).hold(events);
    await Promise.all(runs.map(({ scenario, namespace }) => scenario.act(site, namespace)));
    await this.#atRest(firstRequest);
    for (const kind of kinds) site.proxy.watches(kind).release();
    await this.#settle(runs, () => site.proxy.requests.slice(firstRequest));
    await this.#atRest(firstRequest);
    await this.#assertEnds(runs, site.proxy.requests.slice(firstRequest));
    await Promise.all(runs.map(({ scenario, namespace }) => leave(site, scenario, namespace)));
    this.#points += runs.length;
  }

  async #withSecond(): Promise<void> {
    const site = this.#site;
    await using proxy = await FaultProxy.start({ kubeconfigPath: site.kubeconfigPath, leasePrefix: 'second-' });
    await using second = await OperatorProcess.start({
      kubeconfig: await proxy.kubeconfigFor(await site.operatorToken()),
    });
    const thrice = [...this.#untimed, ...this.#untimed, ...this.#untimed];
    const runs = await Promise.all(thrice.map(async scenario => ({ scenario, namespace: await site.namespace() })));
    const since = proxy.requests.length;
    const firstRequest = await this.#prepare(runs);
    await Promise.all(runs.map(({ scenario, namespace }) => scenario.act(site, namespace)));
    await this.#settle(runs, () => site.proxy.requests.slice(firstRequest));
    await this.#atRest(firstRequest);
    expect(second.hasEnded).toBe(false);
    const theirs = proxy.requests.slice(since);
    // Both worked: else this would show nothing.
    expect(theirs.some(isStep)).toBe(true);
    await this.#assertEnds(runs, [...site.proxy.requests.slice(firstRequest), ...theirs]);
    await Promise.all(runs.map(({ scenario, namespace }) => leave(site, scenario, namespace)));
  }
}
