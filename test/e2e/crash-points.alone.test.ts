import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { sharedCluster } from '../cluster/cluster.ts';
import { after, before, forward, isBackground, isWrite, type SeenRequest } from '../faults/proxy.ts';
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

/** What counts as a step: every write and every GET of a single object. */
function isStep(request: SeenRequest): boolean {
  if (isBackground(request) || request.namespace === 'botmint-system') return false;
  return isWrite(request) || (request.verb === 'get' && request.name !== '');
}

/** Kills the operator at its k-th step from now on, once. True in the answer when it got there. */
function killAt(k: number, moment: typeof before): () => boolean {
  let steps = 0;
  let killed = false;
  site.rule = request => {
    if (!isStep(request) || killed || ++steps !== k) return killed && !isBackground(request) ? gone : forward;
    killed = true;
    return moment(() => site.operator.kill());
  };
  return () => killed;
}
/** What else the killed process had under way is lost with it. */
const gone = before(() => undefined);

/** The scenario with a kill at step k; false when it ended before that step. */
async function run(scenario: Scenario, k: number, moment: typeof before): Promise<boolean> {
  const namespace = await site.namespace();
  const firstRequest = site.proxy.requests.length;
  site.rule = () => forward;
  if (!site.hasOperator) await site.start();
  await scenario.prepare?.(site, namespace);
  const { clockOffsetMilliseconds } = scenario;
  if (clockOffsetMilliseconds !== undefined) await site.operator.stop();
  const isKilled = killAt(k, moment);
  if (clockOffsetMilliseconds !== undefined) await restart(clockOffsetMilliseconds);
  await scenario.act(site, namespace);
  await Promise.race([
    scenario.settled(site, namespace).catch(ignoreWhen(isKilled)),
    killedThen(isKilled, async () => undefined),
  ]);
  const reached = isKilled();
  site.rule = () => forward;
  if (reached || !site.hasOperator) await restart(clockOffsetMilliseconds);
  await scenario.settled(site, namespace);
  await assertEnd(scenario, namespace, firstRequest);
  if (clockOffsetMilliseconds !== undefined) await site.operator.stop();
  if (reached) points++;
  return reached;
}

function ignoreWhen(isKilled: () => boolean): (error: unknown) => void {
  return error => {
    if (!isKilled()) throw error;
  };
}

async function killedThen(isKilled: () => boolean, then: () => Promise<void>): Promise<void> {
  while (!isKilled() || site.hasOperator) await new Promise(resolve => setTimeout(resolve, 10));
  await then();
}

async function restart(clockOffsetMilliseconds: number | undefined): Promise<void> {
  if (site.hasOperator) await site.operator.kill();
  await site.start(clockOffsetMilliseconds === undefined ? {} : { clockOffsetMilliseconds }).catch(error => {
    // Killed while it started: that is a crash point as well, and run() starts it again.
    if (site.hasOperator) throw error;
  });
}

/** The end of the clean run: one Secret at most, so many live tokens by the issuer's own account, nothing orphaned. */
async function assertEnd(scenario: Scenario, namespace: string, firstRequest: number): Promise<void> {
  const minted = site.mintedTokens(firstRequest).filter(token => namespaceOf(token) === namespace);
  const answers = await Promise.all(minted.map(async token => ({ token, ...(await site.introspect(token)) })));
  const live = answers.filter(({ active }) => active).map(({ token }) => token);
  expect(live, `live tokens out of ${minted.length}`).toHaveLength(scenario.live);
  const secrets = await site.api.list(`/api/v1/namespaces/${namespace}/secrets`);
  const values = await Promise.all(secrets.map(({ metadata }) => site.values(namespace, metadata.name)));
  if (scenario.live > 0) {
    expect(secrets.map(({ metadata }) => metadata.name)).toEqual(['token']);
    expect(live).toContain(values[0]?.BUF_TOKEN);
  } else if (scenario.name !== 'expire') expect(secrets).toEqual([]);
}

function namespaceOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  return z.object({ 'botmint.dev': z.object({ namespace: z.string() }) }).parse(claims)['botmint.dev'].namespace;
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
