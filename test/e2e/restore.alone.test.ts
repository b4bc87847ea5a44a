import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { KubeObject } from '../cluster/api.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import type { SeenRequest } from '../faults/proxy.ts';
import { botToken, botUser } from './manifests.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
});

afterAll(() => site?.close());

afterEach(async () => {
  if (site.hasOperator) await site.operator.kill();
});

const root = (namespace: string) => `/apis/botmint.dev/v1alpha1/namespaces/${namespace}`;
const secretsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`;

/** What a backup tool has of an object: as it was, without what the API server gives. */
function backedUp(object: KubeObject | undefined, { status }: { status: boolean }): object {
  if (object === undefined) throw new Error('nothing to back up');
  const { uid: _, resourceVersion: __, creationTimestamp: ___, managedFields: ____, ...metadata } = object.metadata;
  return { ...object, metadata, ...(status ? {} : { status: undefined }) };
}

interface Backup {
  botUser: object;
  token: object;
  secret: object;
}

async function backup(namespace: string, o = { status: false }): Promise<Backup> {
  return {
    botUser: backedUp(await site.botUser(namespace, 'bot'), o),
    token: backedUp(await site.token(namespace, 'token'), o),
    secret: backedUp(await site.secret(namespace, 'token'), o),
  };
}

/** A token that is issued, in a namespace of its own. */
async function issued(spec: { scopes?: string[] } = {}): Promise<string> {
  const namespace = await site.namespace();
  await site.apply(botUser('bot') + botToken('token', spec), namespace);
  await site.ready('bottokens', namespace, 'token', 'Issued');
  return namespace;
}

async function held(namespace: string): Promise<string | undefined> {
  return (await site.values(namespace, 'token'))?.BUF_TOKEN;
}

/** Everything goes, as in a disaster; the operator has carried it out. */
async function lose(namespace: string): Promise<void> {
  await site.api.delete(`/api/v1/namespaces/${namespace}`);
  const gone = async () => (await site.api.get(`/api/v1/namespaces/${namespace}`)) === undefined;
  await eventually('the namespace is gone', gone);
  await site.api.create('/api/v1/namespaces', { metadata: { name: namespace } });
}

const withStatus = z.object({ status: z.record(z.string(), z.unknown()).optional() });

/** In the order of the common tools: Secrets early, kinds of others late. A status is a write of its own. */
async function restore(namespace: string, { secret, botUser: bot, token }: Backup): Promise<void> {
  await site.api.create(secretsOf(namespace), secret);
  for (const [plural, object] of [
    ['botusers', bot],
    ['bottokens', token],
  ] as const) {
    const { metadata } = await site.api.create(`${root(namespace)}/${plural}`, object);
    const { status } = withStatus.parse(object);
    if (status !== undefined) await site.api.patch(`${root(namespace)}/${plural}/${metadata.name}/status`, { status });
  }
}

const Owned = z.object({
  metadata: z.object({
    annotations: z.record(z.string(), z.string()),
    ownerReferences: z.array(z.object({ uid: z.string() })),
  }),
});

/** Settled: the token is Issued, and the Secret is its own by annotation and by owner reference. */
async function settled(namespace: string): Promise<void> {
  await eventually('the Secret belongs to the token of now', async () => {
    const token = await site.ready('bottokens', namespace, 'token', 'Issued');
    const { metadata } = Owned.parse(await site.secret(namespace, 'token'));
    const { uid } = token.metadata;
    const { tokenID } = z.object({ tokenID: z.string() }).parse(token.status);
    const marks = metadata.annotations;
    return (
      marks['botmint.dev/owner-uid'] === uid &&
      marks['botmint.dev/token-id'] === tokenID &&
      metadata.ownerReferences.some(owner => owner.uid === uid)
    );
  });
}

const Claims = z.object({ 'botmint.dev': z.object({ namespace: z.string() }) });

/** The tokens of a namespace that were ever sent, written or not. */
function minted(namespace: string, requests?: readonly SeenRequest[]): string[] {
  return site.mintedTokens(0, requests).filter(token => {
    return Claims.parse(decodeJwt(token))['botmint.dev'].namespace === namespace;
  });
}

/** Those of them that are alive. */
async function alive(namespace: string): Promise<string[]> {
  const asked = minted(namespace).map(async token => ((await site.introspect(token)).active ? [token] : []));
  return (await Promise.all(asked)).flat();
}

/** How many credentials of a namespace the API server has taken since that request. */
function issues(namespace: string, firstRequest: number): number {
  const { requests } = site.proxy;
  const before = new Set(minted(namespace, requests.slice(0, firstRequest)));
  const written = requests.slice(firstRequest).filter(({ status = 0 }) => status >= 200 && status < 300);
  return minted(namespace, written).filter(token => !before.has(token)).length;
}

/** The same end a day later, when every overlap is over. */
async function aDayLater(): Promise<void> {
  if (site.hasOperator) await site.operator.kill();
  await site.start({ clockOffsetMilliseconds: 24 * 3600 * 1000 });
}

/** What a restore leaves: the one live credential is the one in the Secret, also when the operator has looked again. */
async function oneIsAlive(namespace: string): Promise<void> {
  await settled(namespace);
  await eventually('one credential is alive, the one in the Secret', async () => {
    const [live, inSecret] = [await alive(namespace), await held(namespace)];
    return live.length === 1 && live[0] === inSecret;
  });
  expect(await site.operator.stop()).toBe(0);
  await site.start();
  await settled(namespace);
  expect(await alive(namespace)).toEqual([await held(namespace)]);
}

describe.each([
  ['runs', true],
  ['is started afterwards', false],
])('a restore while the operator %s', (_, isRunning) => {
  /** Runs this part of a test as the group says. */
  async function during(part: () => Promise<void>): Promise<void> {
    if (!isRunning) await site.operator.kill();
    await part();
    if (!isRunning) await site.start();
  }

  test.each([
    ['without their status', false],
    ['with the status of then', true],
  ])('gives objects new UIDs, %s, and their old Secret with them', async (_what, status) => {
    await site.start();
    const namespace = await issued();
    const [saved, old] = [await backup(namespace, { status }), await held(namespace)];
    await lose(namespace);
    const first = site.proxy.requests.length;
    await during(() => restore(namespace, saved));
    await oneIsAlive(namespace);
    expect(await held(namespace)).not.toBe(old);
    expect(issues(namespace, first)).toBeLessThanOrEqual(1);
  });

  test('wipes the status, and the UIDs are the same: nothing is issued', async () => {
    await site.start();
    const namespace = await issued();
    const old = await held(namespace);
    const first = site.proxy.requests.length;
    await during(async () => {
      for (const path of ['botusers/bot', 'bottokens/token'])
        await site.api.patch(`${root(namespace)}/${path}/status`, { status: null });
    });
    await oneIsAlive(namespace);
    expect(await held(namespace)).toBe(old);
    expect(issues(namespace, first)).toBe(0);
  });

  test('puts an older Secret of the same token over the newer one', async () => {
    await site.start();
    const namespace = await issued({ scopes: ['a'] });
    const older = await backup(namespace);
    const first = await held(namespace);
    await site.api.patch(`${root(namespace)}/bottokens/token`, { spec: { scopes: ['a', 'b'] } });
    await eventually('a second credential', async () => (await held(namespace)) !== first);
    await settled(namespace);
    const second = await held(namespace);
    const from = site.proxy.requests.length;
    await during(async () => void (await site.api.patch(`${secretsOf(namespace)}/token`, older.secret)));
    await eventually('a third credential', async () => ![first, second].includes(await held(namespace)));
    await settled(namespace);
    expect(issues(namespace, from)).toBe(1);
    // What pods may still hold works on for its overlap, and for no longer.
    expect((await alive(namespace)).length).toBeLessThanOrEqual(3);
    await aDayLater();
    await eventually('one is alive', async () => (await alive(namespace)).length === 1);
    expect(await alive(namespace)).toEqual([await held(namespace)]);
  });

  test('has lost owner reference, label and annotations of the Secret: nothing is issued', async () => {
    await site.start();
    const namespace = await issued();
    const old = await held(namespace);
    const first = site.proxy.requests.length;
    const metadata = { ownerReferences: null, annotations: null, labels: null };
    await during(async () => void (await site.api.patch(`${secretsOf(namespace)}/token`, { metadata })));
    await oneIsAlive(namespace);
    expect(await held(namespace)).toBe(old);
    expect(issues(namespace, first)).toBe(0);
  });

  test('makes the Secret anew, with another UID, as it was', async () => {
    await site.start();
    const namespace = await issued();
    const saved = await backup(namespace);
    const first = site.proxy.requests.length;
    await during(async () => {
      await site.api.delete(`${secretsOf(namespace)}/token`);
      // Whoever is faster: where the operator was, there is a newer Secret, and a restore leaves it.
      await site.api.call(secretsOf(namespace), { method: 'POST', body: saved.secret });
    });
    await settled(namespace);
    expect(issues(namespace, first)).toBeLessThanOrEqual(1);
    await aDayLater();
    await eventually('one is alive', async () => (await alive(namespace)).length === 1);
    expect(await alive(namespace)).toEqual([await held(namespace)]);
  });
});
