import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { StatusList } from '../../src/issuers/jwt/status-list.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { forward, refuse } from '../faults/decisions.ts';
import { botToken, botUser } from './manifests.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const Claims = z.looseObject({ status: z.object({ status_list: z.object({ idx: z.number(), uri: z.string() }) }) });
const List = z.looseObject({ status_list: z.object({ bits: z.literal(2), lst: z.string() }) });

/** What a service does that verifies offline: the token against the keys, then its status against the list. */
async function statusOf(token: string): Promise<string | undefined> {
  const keys = createLocalJWKSet(JSON.parse((await site.fetch('/jwks')).text) as JSONWebKeySet);
  const { payload } = await jwtVerify(token, keys, { typ: 'bot+jwt' });
  const { idx, uri } = Claims.parse(payload).status.status_list;
  const answer = await site.fetch(new URL(uri).pathname);
  if (answer.status !== 200) throw new Error(`the list answered ${answer.status}: ${answer.text}`);
  const list = await jwtVerify(answer.text, keys, { typ: 'statuslist+jwt', subject: uri });
  return StatusList.decode(List.parse(list.payload).status_list.lst).at(idx);
}

async function issued(namespace: string, name: string): Promise<string> {
  await site.ready('bottokens', namespace, name, 'Issued');
  return (await site.values(namespace, name))?.BUF_TOKEN ?? '';
}

async function configMaps() {
  const path = '/api/v1/namespaces/botmint-system/configmaps?labelSelector=botmint.dev/managed=status-list';
  return site.api.list(path);
}

async function becomes(token: string, status: string): Promise<void> {
  await eventually(`it is ${status}`, async () => (await statusOf(token)) === status);
}

test('a revocation is in the list, is final, and outlives a restart', async () => {
  const namespace = await site.namespace();
  await site.apply(botUser('bot'), namespace);
  await site.apply([botToken('one'), botToken('two')].join(''), namespace);
  const [one, two] = [await issued(namespace, 'one'), await issued(namespace, 'two')];
  expect([await statusOf(one), await statusOf(two)]).toEqual(['VALID', 'VALID']);
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens`;
  await site.api.patch(`${path}/one`, { spec: { revoked: true } });
  await becomes(one, 'INVALID');
  await site.api.delete(`${path}/two`);
  await becomes(two, 'INVALID');
  expect(await site.operator.stop()).toBe(0);
  await site.start();
  expect([await statusOf(one), await statusOf(two)]).toEqual(['INVALID', 'INVALID']);
});

test('the list says INVALID before the Secret and the finalizer go', async () => {
  const namespace = await site.namespace();
  await site.apply(botUser('bot'), namespace);
  await site.apply(botToken('web'), namespace);
  const token = await issued(namespace, 'web');
  site.rule = ({ verb, resource }) =>
    verb === 'patch' && resource === 'configmaps' ? refuse(403, 'Forbidden') : forward;
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/web`;
  await site.api.delete(path);
  await site.ready('bottokens', namespace, 'web', 'WriteRefused');
  expect(await site.values(namespace, 'web')).toBeDefined();
  expect(await statusOf(token)).toBe('VALID');
  site.rule = () => forward;
  await eventually('it is gone', async () => (await site.token(namespace, 'web')) === undefined);
  expect(await statusOf(token)).toBe('INVALID');
});

test('the tokens of a disabled bot are suspended, and valid again when it is enabled', async () => {
  const namespace = await site.namespace();
  await site.apply(botUser('bot'), namespace);
  await site.apply(botToken('web'), namespace);
  const token = await issued(namespace, 'web');
  const bot = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/botusers/bot`;
  await site.api.patch(bot, { spec: { disabled: true } });
  await becomes(token, 'SUSPENDED');
  await site.ready('bottokens', namespace, 'web', 'BotUserDisabled');
  await site.api.patch(bot, { spec: { disabled: false } });
  await becomes(token, 'VALID');
  expect((await site.values(namespace, 'web'))?.BUF_TOKEN).toBe(token);
});

test('what is superseded without overlap is INVALID, and what has an overlap is not', async () => {
  const namespace = await site.namespace();
  await site.apply(botUser('bot'), namespace);
  await site.apply(botToken('web'), namespace);
  const first = await issued(namespace, 'web');
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/web`;
  const next = async (before: string, annotation: string) => {
    await site.api.patch(path, { metadata: { annotations: { [annotation]: 'now' } } });
    return eventually('a new one', async () => {
      const { BUF_TOKEN: token } = (await site.values(namespace, 'web')) ?? {};
      return token !== undefined && token !== before ? token : undefined;
    });
  };
  const second = await next(first, 'botmint.dev/rotate');
  await site.ready('bottokens', namespace, 'web', 'Issued');
  expect([await statusOf(first), await statusOf(second)]).toEqual(['VALID', 'VALID']);
  const third = await next(second, 'botmint.dev/replace');
  await becomes(first, 'INVALID');
  await becomes(second, 'INVALID');
  expect(await statusOf(third)).toBe('VALID');
});

test('after a graceful stop a restart with idle tokens writes nothing', async () => {
  expect(await site.operator.stop()).toBe(0);
  const before = await configMaps();
  const held = before.map(({ data }) => z.object({ held: z.string() }).parse(data).held);
  expect(held.every(text => text === '{}')).toBe(true);
  await site.start();
  const versions = (objects: Awaited<ReturnType<typeof configMaps>>) =>
    objects.map(({ metadata }) => metadata.resourceVersion);
  const namespace = await site.namespace();
  await site.apply(botUser('bot'), namespace);
  await site.ready('botusers', namespace, 'bot', 'Available');
  expect(versions(await configMaps())).toEqual(versions(before));
});

test('a list that somebody edits into something else is said, and made anew when it is deleted', async () => {
  const namespace = await site.namespace();
  await site.apply(botUser('bot'), namespace);
  await site.apply(botToken('web') + botToken('other'), namespace);
  const [token, other] = [await issued(namespace, 'web'), await issued(namespace, 'other')];
  const { uri } = Claims.parse(decodeJwt(token)).status.status_list;
  const path = `/api/v1/namespaces/botmint-system/configmaps/botmint-status-${uri.split('/').at(-1)}`;
  await site.api.patch(path, { data: { lst: 'none' } });
  await eventually('the issuer says so', async () => {
    const issuer = await site.api.get('/apis/botmint.dev/v1alpha1/clustertokenissuers/builtin');
    return JSON.stringify(issuer?.status).includes('StatusListInvalid');
  });
  expect((await site.fetch(new URL(uri).pathname)).status).toBe(503);
  const tokens = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens`;
  await site.api.patch(`${tokens}/web`, { spec: { revoked: true } });
  await site.ready('bottokens', namespace, 'web', 'StatusListInvalid');
  await site.api.delete(path);
  await site.ready('bottokens', namespace, 'web', 'Revoked');
  expect([await statusOf(token), await statusOf(other)]).toEqual(['INVALID', 'VALID']);
});

test('a token has its place in the list, and nobody else can take it by an edit of the Secret', async () => {
  const namespace = await site.namespace();
  await site.apply(botUser('bot'), namespace);
  await site.apply([botToken('mine'), botToken('other')].join(''), namespace);
  const [mine, other] = [await issued(namespace, 'mine'), await issued(namespace, 'other')];
  const secret = await site.secret(namespace, 'mine');
  const theirs = await site.secret(namespace, 'other');
  const Inputs = z.looseObject({ statusListIndex: z.number(), statusListTag: z.string() });
  const inputsOf = (object: typeof secret) =>
    Inputs.parse(JSON.parse(object?.metadata.annotations?.['botmint.dev/inputs'] ?? ''));
  const { statusListIndex, statusListTag } = inputsOf(theirs);
  const { jti } = decodeJwt(mine);
  const annotations = {
    'botmint.dev/inputs': JSON.stringify({ ...inputsOf(secret), statusListIndex, statusListTag }),
    'botmint.dev/revision': '2',
    'botmint.dev/token-id': String(jti).replace('.1.', '.2.'),
  };
  await site.api.patch(`/api/v1/namespaces/${namespace}/secrets/mine`, { metadata: { annotations } });
  await eventually('it is believed, but for the index', async () => {
    const token = await site.token(namespace, 'mine');
    const Seen = z.object({ revision: z.number(), issued: z.object({ inputs: z.looseObject({}) }) });
    const seen = Seen.parse(token?.status);
    return seen.revision > 1 && seen.issued.inputs.statusListIndex !== statusListIndex;
  });
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/mine`;
  await site.api.patch(path, { spec: { revoked: true } });
  await site.ready('bottokens', namespace, 'mine', 'Revoked');
  expect(await statusOf(other)).toBe('VALID');
});
