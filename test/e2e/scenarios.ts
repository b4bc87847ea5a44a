import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { eventually } from '../cluster/wait.ts';
import { botToken, botUser } from './manifests.ts';
import type { Judge } from './runs.ts';
import type { Site } from './site.ts';

/**
 * One thing that users do, for runs in which the operator is killed in the middle. `prepare` and `act` only talk to the
 * API server; `settled` waits until the operator has done everything, whatever happened to it on the way.
 */
export interface Scenario {
  name: string;
  prepare?: (site: Site, namespace: string) => Promise<void>;
  act: (site: Site, namespace: string) => Promise<unknown>;
  settled: (site: Site, namespace: string) => Promise<void>;
  /** How far the operator's clock is ahead from `act` on. */
  clockOffsetMilliseconds?: number;
  /** Left out: that of tokens. */
  judge?: Judge;
  /** Left out: the builtin one. */
  issuer?: (namespace: string) => { name: string; url: string };
  /** How many live tokens there are at the end. */
  live: number;
  /** Where nothing is live, and the Secret is there all the same. */
  keepsSecret?: boolean;
  /** How often a credential was written into the Secret, in a clean run as in any other. */
  issues: number;
}

const both = (token: Record<string, unknown> = {}) => botUser('bot') + botToken('token', token);
const hour = 3600 * 1000;
const day = 24 * hour;
const tokenPath = (namespace: string) => `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`;
const botPath = (namespace: string) => `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/botusers/bot`;
const secretPath = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets/token`;
const annotate = (annotation: string) => (site: Site, namespace: string) =>
  site.api.patch(tokenPath(namespace), { metadata: { annotations: { [`botmint.dev/${annotation}`]: 'now' } } });
/** With an overlap that is longer than what a clock may jump in a test. */
const rotated = { expiresIn: '30d', rotation: { overlap: '10d' } };

async function issuedWithOverlap(site: Site, namespace: string): Promise<void> {
  await site.apply(both(rotated), namespace);
  await site.ready('bottokens', namespace, 'token', 'Issued');
}

async function isAlone(site: Site, namespace: string): Promise<void> {
  const previous = async () => Previous.parse(await site.token(namespace, 'token')).status.previous;
  await eventually('nothing older is recorded as alive', async () => (await previous()) === undefined);
}

const deploymentPath = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments/web`;
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'none' }] } };
const deployment = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: { selector: { matchLabels: { app: 'web' } }, template },
});
const RolledOut = z.object({
  status: z.object({ tokenID: z.string(), rollout: z.object({ tokenID: z.string(), finishedAt: z.string() }) }),
});
const Rolled = z.object({
  metadata: z.object({ generation: z.number() }),
  spec: z.object({ template: z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()) }) }) }),
});

async function isRestartedOnce(site: Site, namespace: string): Promise<void> {
  const finished = async () => RolledOut.safeParse(await site.token(namespace, 'token')).data?.status;
  const { tokenID, rollout } = await eventually('the roll-out has finished', finished);
  const { metadata, spec } = Rolled.parse(await site.api.get(deploymentPath(namespace)));
  const { annotations } = spec.template.metadata;
  const seen = [rollout.tokenID, annotations['restart.botmint.dev/token'], metadata.generation];
  if (!isDeepStrictEqual(seen, [tokenID, tokenID, 2]))
    throw new Error(`${tokenID} was not rolled out once: ${seen.join()}`);
}

async function issued(site: Site, namespace: string): Promise<void> {
  await site.apply(both(), namespace);
  await site.ready('bottokens', namespace, 'token', 'Issued');
}

async function isGone(site: Site, namespace: string): Promise<void> {
  await eventually('the token is gone', async () => (await site.token(namespace, 'token')) === undefined);
  await secretIsGone(site, namespace);
}

async function secretIsGone(site: Site, namespace: string): Promise<void> {
  await eventually('the Secret is gone', async () => (await site.secret(namespace, 'token')) === undefined);
}

const Previous = z.object({ status: z.object({ previous: z.array(z.unknown()).optional() }) });
const Revision = z.object({ status: z.object({ revision: z.number().optional() }) });

async function isAtRevision(site: Site, namespace: string, least: number): Promise<void> {
  await eventually(`revision ${least} is recorded`, async () => {
    const revision = Revision.parse(await site.token(namespace, 'token')).status.revision ?? 0;
    if (revision < least) throw new Error(`it is ${revision}`);
    return true;
  });
  await site.ready('bottokens', namespace, 'token', 'Issued');
}

const issuerOf = (namespace: string) => ({ name: namespace, url: `https://${namespace}.example.com` });

function issuerManifest(namespace: string): string {
  const { name, url } = issuerOf(namespace);
  const spec = { jwt: { issuerURL: url, audiences: [url] }, allowedNamespaces: { from: 'All' } };
  return `---\n${JSON.stringify({ apiVersion: 'botmint.dev/v1alpha1', kind: 'ClusterTokenIssuer', metadata: { name }, spec })}\n`;
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'create with an issuer',
    act: async (site, namespace) => {
      const issuerRef = { kind: 'ClusterTokenIssuer', name: namespace };
      await site.apply(issuerManifest(namespace) + botUser('bot', { issuerRef }) + botToken('token'), namespace);
    },
    settled: async (site, namespace) => {
      await site.ready('botusers', namespace, 'bot', 'Available');
      await site.ready('bottokens', namespace, 'token', 'Issued');
    },
    issuer: issuerOf,
    live: 1,
    issues: 1,
  },
  {
    name: 'create',
    act: async (site, namespace) => {
      await site.apply(both(), namespace);
    },
    settled: async (site, namespace) => {
      await site.ready('botusers', namespace, 'bot', 'Available');
      await site.ready('bottokens', namespace, 'token', 'Issued');
    },
    live: 1,
    issues: 1,
  },
  {
    name: 'expire',
    prepare: async (site, namespace) => {
      await site.apply(both({ expiresIn: '1d' }), namespace);
      await site.ready('bottokens', namespace, 'token', 'Issued');
    },
    clockOffsetMilliseconds: 2 * day,
    act: async () => undefined,
    settled: async (site, namespace) => {
      await site.ready('bottokens', namespace, 'token', 'Expired');
    },
    live: 0,
    keepsSecret: true,
    issues: 1,
  },
  {
    name: 'renew',
    prepare: async (site, namespace) => {
      await site.apply(both({ expiresIn: '30d', rotation: {} }), namespace);
      await site.ready('bottokens', namespace, 'token', 'Issued');
    },
    // Past the renewal, before the end: the old token lives on.
    clockOffsetMilliseconds: 25 * day,
    act: async () => undefined,
    settled: (site, namespace) => isAtRevision(site, namespace, 2),
    live: 2,
    issues: 2,
  },
  {
    name: 'end of the overlap',
    prepare: async (site, namespace) => {
      await issuedWithOverlap(site, namespace);
      await annotate('rotate')(site, namespace);
      await isAtRevision(site, namespace, 2);
    },
    clockOffsetMilliseconds: 11 * day,
    act: async () => undefined,
    settled: isAlone,
    live: 1,
    issues: 2,
  },
  {
    name: 'rotate',
    prepare: issuedWithOverlap,
    act: annotate('rotate'),
    settled: (site, namespace) => isAtRevision(site, namespace, 2),
    live: 2,
    issues: 2,
  },
  {
    name: 'restart the consumers',
    prepare: async (site, namespace) => {
      await site.apply(deployment, namespace);
      // Its controller is ahead of everybody: whatever the template becomes, its pods have it already.
      const status = {
        observedGeneration: 99,
        replicas: 1,
        updatedReplicas: 1,
        readyReplicas: 1,
        availableReplicas: 1,
      };
      await site.api.patch(`${deploymentPath(namespace)}/status`, { status });
      await site.apply(both({ ...rotated, restart: [{ kind: 'Deployment', name: 'web' }] }), namespace);
      await site.ready('bottokens', namespace, 'token', 'Issued');
    },
    act: annotate('rotate'),
    settled: async (site, namespace) => {
      await isAtRevision(site, namespace, 2);
      await isRestartedOnce(site, namespace);
    },
    live: 2,
    issues: 2,
  },
  {
    name: 'replace',
    prepare: issuedWithOverlap,
    act: annotate('replace'),
    settled: (site, namespace) => isAtRevision(site, namespace, 2),
    live: 1,
    issues: 2,
  },
  {
    name: 'narrow',
    prepare: issuedWithOverlap,
    act: (site, namespace) => site.api.patch(tokenPath(namespace), { spec: { expiresIn: '20d' } }),
    settled: (site, namespace) => isAtRevision(site, namespace, 2),
    live: 1,
    issues: 2,
  },
  {
    name: 'lose the Secret',
    prepare: issuedWithOverlap,
    act: (site, namespace) => site.api.delete(secretPath(namespace)),
    settled: (site, namespace) => isAtRevision(site, namespace, 2),
    live: 2,
    issues: 2,
  },
  {
    name: 'edit the Secret',
    prepare: issuedWithOverlap,
    act: (site, namespace) => site.api.patch(secretPath(namespace), { data: { BUF_TOKEN: 'ZWRpdGVk' } }),
    settled: (site, namespace) => isAtRevision(site, namespace, 2),
    live: 2,
    issues: 2,
  },
  {
    name: 'disable',
    prepare: issued,
    act: (site, namespace) => site.api.patch(botPath(namespace), { spec: { disabled: true } }),
    settled: async (site, namespace) => {
      await site.ready('botusers', namespace, 'bot', 'Disabled');
      await site.ready('bottokens', namespace, 'token', 'BotUserDisabled');
    },
    live: 0,
    keepsSecret: true,
    issues: 1,
  },
  {
    name: 'enable',
    prepare: async (site, namespace) => {
      await issued(site, namespace);
      await site.api.patch(botPath(namespace), { spec: { disabled: true } });
      await site.ready('bottokens', namespace, 'token', 'BotUserDisabled');
    },
    act: (site, namespace) => site.api.patch(botPath(namespace), { spec: { disabled: false } }),
    settled: async (site, namespace) => {
      await site.ready('botusers', namespace, 'bot', 'Available');
      await site.ready('bottokens', namespace, 'token', 'Issued');
    },
    live: 1,
    issues: 1,
  },
  {
    name: 'revoke',
    prepare: issued,
    act: async (site, namespace) => {
      await site.api.patch(tokenPath(namespace), { spec: { revoked: true } });
    },
    settled: async (site, namespace) => {
      await site.ready('bottokens', namespace, 'token', 'Revoked');
      await secretIsGone(site, namespace);
    },
    live: 0,
    issues: 1,
  },
  {
    name: 'delete token',
    prepare: issued,
    act: (site, namespace) => site.api.delete(tokenPath(namespace)),
    settled: isGone,
    live: 0,
    issues: 1,
  },
  {
    name: 'delete bot',
    prepare: issued,
    act: (site, namespace) => site.api.delete(botPath(namespace)),
    settled: async (site, namespace) => {
      await eventually('the bot is gone', async () => (await site.botUser(namespace, 'bot')) === undefined);
      await site.ready('bottokens', namespace, 'token', 'BotUserNotFound');
      await secretIsGone(site, namespace);
    },
    live: 0,
    issues: 1,
  },
  {
    name: 'delete namespace',
    prepare: issued,
    act: (site, namespace) => site.api.delete(`/api/v1/namespaces/${namespace}`),
    settled: async (site, namespace) => {
      const gone = async () => (await site.api.get(`/api/v1/namespaces/${namespace}`)) === undefined;
      await eventually('the namespace is gone', gone);
    },
    live: 0,
    issues: 1,
  },
];
