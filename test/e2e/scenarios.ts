import { z } from 'zod';
import { eventually } from '../cluster/wait.ts';
import { botToken, botUser } from './manifests.ts';
import type { Site } from './site.ts';

/**
 * One thing that users do, for runs in which the operator is killed in the middle. `prepare` and `act` only talk to the
 * API server; `settled` waits until the operator has done everything, whatever happened to it on the way.
 */
export interface Scenario {
  name: string;
  prepare?: (site: Site, namespace: string) => Promise<void>;
  act: (site: Site, namespace: string) => Promise<void>;
  settled: (site: Site, namespace: string) => Promise<void>;
  /** How far the operator's clock is ahead from `act` on. */
  clockOffsetMilliseconds?: number;
  /** Left out: the builtin one. */
  issuer?: (namespace: string) => { name: string; url: string };
  /** How many live tokens there are at the end. */
  live: number;
  /** How often a credential was written into the Secret, in a clean run as in any other. */
  issues: number;
}

const both = (token: Record<string, unknown> = {}) => botUser('bot') + botToken('token', token);
const day = 24 * 3600 * 1000;

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

const Revision = z.object({ status: z.object({ revision: z.number().optional() }) });

async function isAtRevision(site: Site, namespace: string, least: number): Promise<void> {
  await eventually(
    `revision ${least} is recorded`,
    async () => {
      const revision = Revision.parse(await site.token(namespace, 'token')).status.revision ?? 0;
      if (revision < least) throw new Error(`it is ${revision}`);
      return true;
    },
    { seconds: 30 },
  );
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
    issues: 1,
  },
  {
    name: 'rotate',
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
    name: 'revoke',
    prepare: issued,
    act: async (site, namespace) => {
      await site.api.patch(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`, {
        spec: { revoked: true },
      });
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
    act: (site, namespace) => site.api.delete(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`),
    settled: isGone,
    live: 0,
    issues: 1,
  },
  {
    name: 'delete bot',
    prepare: issued,
    act: (site, namespace) => site.api.delete(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/botusers/bot`),
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
      await eventually('the namespace is gone', gone, { seconds: 60 });
    },
    live: 0,
    issues: 1,
  },
];
