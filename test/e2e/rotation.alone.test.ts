import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { KubeObject } from '../cluster/api.ts';
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

const tokens = (namespace: string, name = 'token') =>
  `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/${name}`;
const bots = (namespace: string) => `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/botusers/bot`;
const secrets = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets/token`;

const Status = z.object({
  tokenID: z.string(),
  revision: z.number(),
  previous: z.array(z.object({ tokenID: z.string(), revokeAt: z.string() })).optional(),
  conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string() })),
});

async function statusOf(namespace: string): Promise<z.infer<typeof Status>> {
  return Status.parse((await site.token(namespace, 'token'))?.status);
}

async function held(namespace: string): Promise<string> {
  return eventually('the Secret', async () => (await site.values(namespace, 'token'))?.BUF_TOKEN);
}

/** A bot and its token, issued; the token. */
async function issued(token: Record<string, unknown> = {}, bot: object = {}) {
  const namespace = await site.namespace();
  await site.apply(botUser('bot', bot) + botToken('token', token), namespace);
  await site.ready('bottokens', namespace, 'token', 'Issued');
  return { namespace, first: await held(namespace) };
}

function annotate(namespace: string, name: string, value: string | null): Promise<KubeObject> {
  return site.api.patch(tokens(namespace), { metadata: { annotations: { [`botmint.dev/${name}`]: value } } });
}

/** The token after the next issue. */
async function next(namespace: string, before: string): Promise<string> {
  const token = await eventually('a new token', async () => {
    const now = await held(namespace);
    return now === before ? undefined : now;
  });
  await eventually('its record', async () => (await statusOf(namespace)).tokenID === decodeJwt(token).jti);
  return token;
}

async function isActive(token: string): Promise<boolean> {
  return (await site.introspect(token)).active;
}

describe('a new token that is asked for', () => {
  test('by rotate leaves the old one its overlap, and a restart repeats nothing', async () => {
    const { namespace, first } = await issued({ expiresIn: '30d', rotation: { overlap: '2d' } });
    await annotate(namespace, 'rotate', 'monday');
    const second = await next(namespace, first);
    const { previous = [], conditions } = await statusOf(namespace);
    expect(previous.map(({ tokenID }) => tokenID)).toEqual([decodeJwt(first).jti]);
    const days = (Date.parse(previous[0]?.revokeAt ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(1.9);
    expect(days).toBeLessThanOrEqual(2);
    expect(conditions.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'True', reason: 'Issued' });
    expect([await isActive(first), await isActive(second)]).toEqual([true, true]);
    const { resourceVersion } = (await site.secret(namespace, 'token'))?.metadata ?? {};
    await site.operator.stop();
    await site.start();
    await site.apply(botToken('later'), namespace);
    await site.ready('bottokens', namespace, 'later', 'Issued');
    expect((await site.secret(namespace, 'token'))?.metadata.resourceVersion).toBe(resourceVersion);
  });

  test('by replace ends everything older at once', async () => {
    const { namespace, first } = await issued({ expiresIn: '30d', rotation: { overlap: '2d' } });
    await annotate(namespace, 'rotate', '1');
    const second = await next(namespace, first);
    await annotate(namespace, 'replace', 'leaked');
    const third = await next(namespace, second);
    expect([await isActive(first), await isActive(second), await isActive(third)]).toEqual([false, false, true]);
    expect((await statusOf(namespace)).previous).toBeUndefined();
  });
});

test('a paused token is left alone until it is deleted or goes on', async () => {
  const { namespace, first } = await issued();
  await annotate(namespace, 'paused', 'true');
  await eventually('Paused', async () =>
    (await statusOf(namespace)).conditions.some(({ type, status }) => type === 'Paused' && status === 'True'),
  );
  await annotate(namespace, 'replace', 'leaked');
  await site.apply(botToken('other'), namespace);
  await site.ready('bottokens', namespace, 'other', 'Issued');
  expect(await held(namespace)).toBe(first);
  await annotate(namespace, 'paused', null);
  const second = await next(namespace, first);
  expect((await statusOf(namespace)).conditions.map(({ type }) => type)).toEqual(['Ready', 'Reconciling', 'Stalled']);
  await annotate(namespace, 'paused', 'true');
  await site.api.delete(tokens(namespace));
  await eventually('it is gone', async () => (await site.token(namespace, 'token')) === undefined);
  expect(await isActive(second)).toBe(false);
});

describe('a lost Secret with onLost: Stall', () => {
  test('is not made again, and counts as it was when somebody restores it', async () => {
    const { namespace, first } = await issued({ secret: { onLost: 'Stall' } });
    const backup = await site.secret(namespace, 'token');
    await site.api.delete(secrets(namespace));
    await site.ready('bottokens', namespace, 'token', 'SecretLost');
    expect(await isActive(first)).toBe(true);
    const { uid: _, resourceVersion: __, ...metadata } = backup?.metadata ?? { uid: '', resourceVersion: '' };
    await site.api.create(`/api/v1/namespaces/${namespace}/secrets`, { metadata, data: backup?.data });
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await held(namespace)).toBe(first);
    expect((await statusOf(namespace)).revision).toBe(1);
  });

  test('that was edited is made again for who asks', async () => {
    const { namespace, first } = await issued({ secret: { onLost: 'Stall' } });
    await site.api.patch(secrets(namespace), { data: { BUF_TOKEN: 'ZWRpdGVk' } });
    await site.ready('bottokens', namespace, 'token', 'SecretEdited');
    await annotate(namespace, 'replace', '1');
    const second = await next(namespace, 'edited');
    expect([await isActive(first), await isActive(second)]).toEqual([false, true]);
  });
});

describe('a bot', () => {
  test('that is disabled makes each of its tokens inactive, and enabling brings the same ones back', async () => {
    const { namespace, first } = await issued();
    await site.api.patch(bots(namespace), { spec: { disabled: true } });
    await eventually('inactive', async () => !(await isActive(first)));
    await site.ready('botusers', namespace, 'bot', 'Disabled');
    await site.ready('bottokens', namespace, 'token', 'BotUserDisabled');
    await site.api.patch(bots(namespace), { spec: { disabled: false } });
    await eventually('active', async () => isActive(first));
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await held(namespace)).toBe(first);
  });

  test('with an end gives no token a longer life, and moving the end serves that', async () => {
    const notAfter = new Date(Date.now() + 86_400_000).toISOString();
    const { namespace, first } = await issued({ expiresIn: 'never' }, { notAfter });
    expect(decodeJwt(first).exp).toBe(Math.floor(Date.parse(notAfter) / 1000));
    await site.api.patch(bots(namespace), { spec: { notAfter: null } });
    const second = await next(namespace, first);
    expect(decodeJwt(second).exp).toBeUndefined();
    await site.api.patch(bots(namespace), { spec: { notAfter: new Date(Date.now() - 1000).toISOString() } });
    await site.ready('botusers', namespace, 'bot', 'Expired');
    await site.ready('bottokens', namespace, 'token', 'Expired');
    expect(await isActive(second)).toBe(false);
  });

  test('of one team serves another one that it lets in, and takes nothing away from one that it does not any more', async () => {
    const [home, theirs, others] = [await site.namespace(), await site.namespace(), await site.namespace()];
    const allowedNamespaces = { from: 'Selector', selector: { matchLabels: { bots: 'release' } } };
    await site.apply(botUser('bot', { allowedNamespaces }), home);
    const reference = { botUserRef: { name: 'bot', namespace: home } };
    await site.apply(botToken('token', reference), theirs);
    await site.apply(botToken('token', reference), others);
    await site.ready('bottokens', theirs, 'token', 'NamespaceNotAllowed');
    await site.api.patch(`/api/v1/namespaces/${theirs}`, { metadata: { labels: { bots: 'release' } } });
    await site.ready('bottokens', theirs, 'token', 'Issued');
    const token = await held(theirs);
    expect(decodeJwt(token).sub).toBe(`bot:${home}:bot`);
    expect(await isActive(token)).toBe(true);
    await site.ready('bottokens', others, 'token', 'NamespaceNotAllowed');
    await site.api.patch(`/api/v1/namespaces/${theirs}`, { metadata: { labels: { bots: null } } });
    await site.ready('bottokens', theirs, 'token', 'NamespaceNotAllowed');
    expect(await isActive(token)).toBe(true);
    await site.api.delete(bots(home));
    await site.ready('bottokens', theirs, 'token', 'BotUserNotFound');
    expect(await isActive(token)).toBe(false);
    await eventually('the bot is gone', async () => (await site.botUser(home, 'bot')) === undefined);
  });
});
