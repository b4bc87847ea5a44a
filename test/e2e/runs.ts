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

/** What scenarios of one kind of credential differ in. */
export interface Judge {
  /** Of the object, plural. */
  resource: string;
  /** The name of the object and of its Secret. */
  name: string;
  /** Every credential of the namespace that an operator has sent to the API server, whether the write was carried out or not. */
  minted: (site: Site, namespace: string, requests: readonly SeenRequest[]) => readonly string[];
  /** By the issuer's own account. */
  isLive: (site: Site, credential: string, scenario: Scenario, namespace: string) => Promise<boolean>;
  /** The credential in the values of the Secret. */
  held: (values: Record<string, string>) => string | undefined;
  /** So that the next run has only its own objects to count steps of. */
  leave: (site: Site, namespace: string) => Promise<void>;
}

/**
 * The end of the clean run: one Secret at most, so many live credentials by the issuer's own account, nothing orphaned. `requests`
 * are those of all operators since the run began.
 */
export async function assertEnd(
  site: Site,
  scenario: Scenario,
  namespace: string,
  requests: readonly SeenRequest[],
): Promise<void> {
  const judge = judgeOf(scenario);
  const minted = judge.minted(site, namespace, requests);
  const answers = await Promise.all(
    minted.map(async each => ({ each, isLive: await judge.isLive(site, each, scenario, namespace) })),
  );
  const live = answers.filter(({ isLive }) => isLive).map(({ each }) => each);
  expect(live, `live credentials out of ${minted.length}`).toHaveLength(scenario.live);
  const issued = requests.filter(request => request.namespace === namespace && isIssue(request));
  expect(issued, 'credentials written').toHaveLength(scenario.issues);
  const secrets = (await site.api.list(`/api/v1/namespaces/${namespace}/secrets`)).map(({ metadata }) => metadata.name);
  const kept = scenario.live > 0 || scenario.keepsSecret === true;
  expect(secrets.filter(name => name !== ownSecretName)).toEqual(kept ? [judge.name] : []);
  const values = kept ? await site.values(namespace, judge.name) : undefined;
  if (scenario.live > 0) expect(live).toContain(judge.held(values ?? {}));
}

/** The Secret with a secret of one's own, where a scenario has one. */
export const ownSecretName = 'mine';

/**
 * Waits until the operator has done everything. Fails with what it did and said in the namespace in the meantime, and with
 * what became of the object: a run among a hundred cannot be looked at afterwards.
 */
export async function settle(
  site: Site,
  scenario: Scenario,
  namespace: string,
  requests: () => readonly SeenRequest[],
): Promise<void> {
  try {
    await scenario.settled(site, namespace);
  } catch (cause) {
    const steps = requests().filter(request => request.namespace === namespace && isStep(request));
    const asked = steps.map(({ at, verb, resource, subresource, name, status }) =>
      [at.toISOString(), verb, resource, subresource, name, status ?? 'no answer'].join(' '),
    );
    const { resource, name } = judgeOf(scenario);
    const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/${resource}/${name}`;
    const left = JSON.stringify(await site.api.get(path), undefined, 2);
    const said = site.operator.output.split('\n').filter(line => line.includes(namespace));
    throw new Error([`${scenario.name} did not settle in ${namespace}`, ...asked, ...said, left].join('\n'), { cause });
  }
}

function judgeOf({ judge = tokenJudge }: Scenario): Judge {
  return judge;
}

/** So that the next run has only its own objects to count steps of. */
export function leave(site: Site, scenario: Scenario, namespace: string): Promise<void> {
  return judgeOf(scenario).leave(site, namespace);
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

const tokenJudge: Judge = {
  resource: 'bottokens',
  name: 'token',
  minted: (site, namespace, requests) =>
    site.mintedTokens(0, requests).filter(token => namespaceOf(token) === namespace),
  isLive: async (site, token, scenario, namespace) =>
    (await site.introspect(token, scenario.issuer?.(namespace))).active,
  held: ({ BUF_TOKEN }) => BUF_TOKEN,
  leave: leaveTokens,
};

async function leaveTokens(site: Site, namespace: string): Promise<void> {
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}`;
  const issuer = `/apis/botmint.dev/v1alpha1/clustertokenissuers/${namespace}`;
  await site.api.delete(`${path}/bottokens/token`);
  await site.api.delete(`${path}/botusers/bot`);
  await site.api.delete(issuer);
  const gone = async () =>
    (await site.api.get(issuer)) === undefined &&
    (await site.botUser(namespace, 'bot')) === undefined &&
    (await site.token(namespace, 'token')) === undefined;
  await eventually('nothing is left', gone);
}
