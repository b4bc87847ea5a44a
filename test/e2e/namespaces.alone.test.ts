import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { botToken, botUser } from './manifests.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const root = (namespace: string) => `/apis/botmint.dev/v1alpha1/namespaces/${namespace}`;
const collections = {
  botusers: (namespace: string) => `${root(namespace)}/botusers`,
  bottokens: (namespace: string) => `${root(namespace)}/bottokens`,
  secrets: (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`,
};
type Collection = keyof typeof collections;

const count = 10;
const names = Array.from({ length: count }, (_, i) => `token-${i}`);

/** A namespace with two bots and their tokens, all issued. */
async function inhabited(): Promise<string> {
  const namespace = await site.namespace();
  const tokens = names.map((name, i) => botToken(name, { botUserRef: { name: i % 2 === 0 ? 'bot' : 'other' } }));
  await site.apply(botUser('bot') + botUser('other') + tokens.join(''), namespace);
  for (const name of names) await site.ready('bottokens', namespace, name, 'Issued');
  return namespace;
}

/** A namespace with as many objects that nobody looks after. */
async function plain(): Promise<string> {
  const namespace = await site.namespace();
  for (const plural of ['secrets', 'configmaps'])
    for (const name of names)
      await site.api.create(`/api/v1/namespaces/${namespace}/${plural}`, { metadata: { name } });
  return namespace;
}

/** Deletes a namespace; the seconds until it was gone. */
async function deleted(namespace: string): Promise<number> {
  const began = performance.now();
  await site.api.delete(`/api/v1/namespaces/${namespace}`);
  await isGone(namespace);
  return (performance.now() - began) / 1000;
}

/** Far more than it takes: the control plane looks at a namespace with finalizers in it again only after 8 s. */
async function isGone(namespace: string): Promise<void> {
  const gone = async () => (await site.api.get(`/api/v1/namespaces/${namespace}`)) === undefined;
  await eventually(`namespace ${namespace} is gone`, gone);
}

/** Tokens of objects that were seen to be gone: nothing brings them back, so they are not asked for again. */
const dead = new Set<string>();

async function noneIsAlive(): Promise<void> {
  const asked = site.mintedTokens().filter(token => !dead.has(token));
  expect(asked.length).toBeGreaterThanOrEqual(count);
  // One after the other, and again after a 503: each of them is several reads of a busy API server.
  for (const token of asked) {
    const { active } = await eventually('an answer', () => site.introspect(token));
    expect(active).toBe(false);
    dead.add(token);
  }
}

/** A Revocation would mean that something was not revoked while it was asked for. */
async function noRevocationIsLeft(): Promise<void> {
  expect(await site.api.list('/apis/botmint.dev/v1alpha1/revocations')).toEqual([]);
}

describe('a namespace with bots and tokens', () => {
  test('goes when a plain one goes, and one look of the namespace controller later at the latest', async () => {
    const [ours, other] = [await inhabited(), await plain()];
    const [withTokens, without] = await Promise.all([deleted(ours), deleted(other)]);
    console.log(`a namespace with ${count} tokens: ${withTokens.toFixed(1)} s, a plain one: ${without.toFixed(1)} s`);
    await noneIsAlive();
    await noRevocationIsLeft();
  });

  const orders: Collection[][] = [
    ['secrets'],
    ['bottokens'],
    ['botusers'],
    ['secrets', 'botusers', 'bottokens'],
    ['botusers', 'secrets', 'bottokens'],
    ['bottokens', 'botusers', 'secrets'],
  ];

  // At once: the namespace controller takes its time for each of them.
  test('goes in whatever order its objects go', async () => {
    const namespaces = await Promise.all(orders.map(inhabited));
    const ends = orders.map(async (order, i) => {
      const namespace = namespaces[i] ?? '';
      for (const collection of order) await site.api.delete(collections[collection](namespace));
      await deleted(namespace);
    });
    await Promise.all(ends);
    await noneIsAlive();
    await noRevocationIsLeft();
  });

  test('makes no new Secret while it goes', async () => {
    const namespace = await inhabited();
    const first = site.proxy.requests.length;
    const minted = site.mintedTokens().length;
    await deleted(namespace);
    const written = site.proxy.requests
      .slice(first)
      .filter(({ resource, verb, status }) => resource === 'secrets' && verb === 'create' && status === 201);
    expect(written).toEqual([]);
    expect(site.mintedTokens().length - minted).toBeLessThanOrEqual(count);
  });

  test('goes when it was deleted while no operator ran', async () => {
    const namespace = await inhabited();
    await site.operator.kill();
    await site.api.delete(`/api/v1/namespaces/${namespace}`);
    await eventually('all but what has a finalizer is gone', async () => {
      const secrets = await site.api.list(collections.secrets(namespace));
      const tokens = await site.api.list(collections.bottokens(namespace));
      return secrets.length === 0 && tokens.every(({ metadata }) => metadata.deletionTimestamp !== undefined);
    });
    expect(await site.api.list(collections.bottokens(namespace))).toHaveLength(count);
    await site.start();
    await isGone(namespace);
    await noneIsAlive();
  });
});

test('kubectl delete ends for bots and for tokens, whatever --cascade says', async () => {
  const ways = ['foreground', 'background', 'orphan'].flatMap(cascade =>
    (['bottokens', 'botusers'] as const).map(kind => ({ cascade, kind })),
  );
  const ends = ways.map(async ({ cascade, kind }) => {
    const namespace = await inhabited();
    await site.kubectl(['delete', kind, '--all', '-n', namespace, `--cascade=${cascade}`, '--timeout=240s']);
    expect(await site.api.list(collections[kind](namespace))).toEqual([]);
    const haveGone = async () => (await site.api.list(collections.secrets(namespace))).length === 0;
    await eventually('the Secrets are gone', haveGone);
  });
  await Promise.all(ends);
  await noneIsAlive();
});

describe('a bot that tokens of another namespace use', () => {
  /** The namespace of the bot, and that of its tokens. */
  async function shared(): Promise<{ bots: string; tokens: string }> {
    const [bots, tokens] = [await site.namespace(), await site.namespace()];
    await site.apply(botUser('bot', { allowedNamespaces: { from: 'All' } }) + botToken('own'), bots);
    await site.apply(
      names.map(name => botToken(name, { botUserRef: { name: 'bot', namespace: bots } })).join(''),
      tokens,
    );
    await site.ready('bottokens', bots, 'own', 'Issued');
    for (const name of names) await site.ready('bottokens', tokens, name, 'Issued');
    return { bots, tokens };
  }

  test('takes them along when its namespace goes: they stay and say so, without Secrets', async () => {
    const { bots, tokens } = await shared();
    await deleted(bots);
    await noneIsAlive();
    for (const name of names) await site.ready('bottokens', tokens, name, 'BotUserNotFound');
    expect(await site.api.list(collections.secrets(tokens))).toEqual([]);
    await deleted(tokens);
  });

  test('outlives the namespace of its tokens, and counts what is left', async () => {
    const { bots, tokens } = await shared();
    await deleted(tokens);
    await eventually('its own token is what is left', async () => {
      const counted = z.object({ activeTokens: z.number() }).parse((await site.botUser(bots, 'bot'))?.status);
      return counted.activeTokens === 1;
    });
    await deleted(bots);
    await noneIsAlive();
  });

  test('goes together with its tokens when both namespaces are deleted at once, also without an operator for a while', async () => {
    const { bots, tokens } = await shared();
    await site.operator.kill();
    for (const namespace of [bots, tokens]) await site.api.delete(`/api/v1/namespaces/${namespace}`);
    await site.start();
    await Promise.all([isGone(bots), isGone(tokens)]);
    await noneIsAlive();
  });
});
