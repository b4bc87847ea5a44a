import { expect } from 'vitest';
import { z } from 'zod';
import { eventually } from '../cluster/wait.ts';
import { isBackground, isWrite, type SeenRequest } from '../faults/proxy.ts';
import type { Scenario } from './scenarios.ts';
import type { Site } from './site.ts';

// What runs of a scenario under faults have in common: what a step is, and how every run has to end.

/** What counts as a step: every write, and every GET of a single object of a test. */
export function isStep(request: SeenRequest): boolean {
  if (isBackground(request)) return false;
  return isWrite(request) || (request.verb === 'get' && request.name !== '' && request.namespace !== 'botmint-system');
}

/**
 * The end of the clean run: one Secret at most, so many live tokens by the issuer's own account, nothing orphaned. `requests`
 * are those of all operators since the run began.
 */
export async function assertEnd(
  site: Site,
  scenario: Scenario,
  namespace: string,
  requests: readonly SeenRequest[],
): Promise<void> {
  const minted = site.mintedTokens(0, requests).filter(token => namespaceOf(token) === namespace);
  const answers = await Promise.all(
    minted.map(async token => ({ token, ...(await site.introspect(token, scenario.issuer?.(namespace))) })),
  );
  const live = answers.filter(({ active }) => active).map(({ token }) => token);
  expect(live, `live tokens out of ${minted.length}`).toHaveLength(scenario.live);
  const issued = requests.filter(request => request.namespace === namespace && isIssue(request));
  expect(issued, 'credentials written').toHaveLength(scenario.issues);
  const secrets = await site.api.list(`/api/v1/namespaces/${namespace}/secrets`);
  const values = await Promise.all(secrets.map(({ metadata }) => site.values(namespace, metadata.name)));
  const kept = scenario.live > 0 || scenario.keepsSecret === true;
  expect(secrets.map(({ metadata }) => metadata.name)).toEqual(kept ? ['token'] : []);
  if (scenario.live > 0) expect(live).toContain(values[0]?.BUF_TOKEN);
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

/** So that the next run has only its own objects to count steps of. */
export async function leave(site: Site, namespace: string): Promise<void> {
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}`;
  const issuer = `/apis/botmint.dev/v1alpha1/clustertokenissuers/${namespace}`;
  await site.api.delete(`${path}/bottokens/token`);
  await site.api.delete(`${path}/botusers/bot`);
  await site.api.delete(issuer);
  const gone = async () =>
    (await site.api.get(issuer)) === undefined &&
    (await site.botUser(namespace, 'bot')) === undefined &&
    (await site.token(namespace, 'token')) === undefined;
  await eventually('nothing is left', gone, { seconds: 60 });
}
