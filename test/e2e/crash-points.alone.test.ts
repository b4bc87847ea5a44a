import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { after, before, drop, forward, isBackground, isWrite, type SeenRequest } from '../faults/proxy.ts';
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

/** What counts as a step: every write, and every GET of a single object of a test. */
function isStep(request: SeenRequest): boolean {
  if (isBackground(request)) return false;
  return isWrite(request) || (request.verb === 'get' && request.name !== '' && request.namespace !== 'botmint-system');
}

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
  await assertEnd(scenario, namespace, firstRequest);
  await leave(namespace);
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

/** So that the next run has only its own objects to count steps of. */
async function leave(namespace: string): Promise<void> {
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}`;
  await site.api.delete(`${path}/bottokens/token`);
  await site.api.delete(`${path}/botusers/bot`);
  await site.api.delete(`/apis/botmint.dev/v1alpha1/clustertokenissuers/${namespace}`);
  await eventually('nothing is left', async () => {
    const issuer = await site.api.get(`/apis/botmint.dev/v1alpha1/clustertokenissuers/${namespace}`);
    return issuer === undefined && !(await site.botUser(namespace, 'bot')) && !(await site.token(namespace, 'token'));
  });
}

/** The end of the clean run: one Secret at most, so many live tokens by the issuer's own account, nothing orphaned. */
async function assertEnd(scenario: Scenario, namespace: string, firstRequest: number): Promise<void> {
  const minted = site.mintedTokens(firstRequest).filter(token => namespaceOf(token) === namespace);
  const answers = await Promise.all(
    minted.map(async token => ({ token, ...(await site.introspect(token, scenario.issuer?.(namespace))) })),
  );
  const live = answers.filter(({ active }) => active).map(({ token }) => token);
  expect(live, `live tokens out of ${minted.length}`).toHaveLength(scenario.live);
  const issued = site.proxy.requests
    .slice(firstRequest)
    .filter(request => request.namespace === namespace && isIssue(request));
  expect(issued, 'credentials written').toHaveLength(scenario.issues);
  const secrets = await site.api.list(`/api/v1/namespaces/${namespace}/secrets`);
  const values = await Promise.all(secrets.map(({ metadata }) => site.values(namespace, metadata.name)));
  if (scenario.live > 0) {
    expect(secrets.map(({ metadata }) => metadata.name)).toEqual(['token']);
    expect(live).toContain(values[0]?.BUF_TOKEN);
  } else if (scenario.name !== 'expire') expect(secrets).toEqual([]);
}

/** A write of a credential that the API server carried out, whether its answer arrived or not. */
function isIssue({ resource, verb, status, body }: SeenRequest): boolean {
  return (
    resource === 'secrets' && (verb === 'create' || verb === 'patch') && Number(status) < 300 && body.includes('"data"')
  );
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
