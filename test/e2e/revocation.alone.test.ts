import { inflateSync } from 'node:zlib';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { after, forward, isWrite, type Rule, refuse } from '../faults/proxy.ts';
import { botToken, botUser } from './manifests.ts';
import { Site } from './site.ts';

// The embedded issuer cannot fail, but what it writes to can: a policy, a quota, or an API server in trouble refuses every
// write of a status list. Where time has to pass, the operator starts again with its clock put forward.
const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
});
afterAll(() => site?.close());

const own = '/apis/botmint.dev/v1alpha1/namespaces/botmint-system/revocations';
const minute = 60_000;

const refuseLists: Rule = request =>
  request.resource === 'configmaps' && isWrite(request) ? refuse(403, 'Forbidden') : forward;

/** As a webhook that is down, or an API server that has lost its etcd for one resource. */
const failLists: Rule = request =>
  request.resource === 'configmaps' && isWrite(request) ? refuse(500, 'InternalError') : forward;

const Listed = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), uid: z.string() }),
      spec: z.object({
        owner: z.object({ namespace: z.string(), name: z.string() }),
        credentials: z.array(z.object({ tokenID: z.string(), statusListIndex: z.number() })),
        notAfter: z.string(),
      }),
      status: z.object({
        revokedAt: z.string().optional(),
        conditions: z.array(z.object({ reason: z.string(), message: z.string() })).optional(),
      }),
    }),
  ),
});

async function revocationsOf(namespace: string) {
  const { items } = Listed.parse((await site.api.call(own)).body);
  return items.filter(({ spec }) => spec.owner.namespace === namespace);
}

async function reasonsOf(namespace: string): Promise<(string | undefined)[]> {
  return (await revocationsOf(namespace)).map(({ status }) => status.conditions?.[0]?.reason);
}

async function isGone(path: string): Promise<boolean> {
  return (await site.api.get(path)) === undefined;
}

async function issued(namespace: string, name: string): Promise<string> {
  await site.ready('bottokens', namespace, name, 'Issued');
  return (await site.values(namespace, name))?.BUF_TOKEN ?? '';
}

/** What a relying party that verifies offline learns of a token: 0 VALID, 1 INVALID. */
async function statusOf(token: string): Promise<number> {
  const claims = z.object({ status: z.object({ status_list: z.object({ idx: z.number(), uri: z.string() }) }) });
  const { idx, uri } = claims.parse(decodeJwt(token)).status.status_list;
  const answer = await site.fetch(new URL(uri).pathname);
  const list = z.object({ status_list: z.object({ bits: z.number(), lst: z.string() }) });
  const { bits, lst } = list.parse(decodeJwt(answer.text)).status_list;
  const bytes = inflateSync(Buffer.from(lst, 'base64url'));
  const perByte = 8 / bits;
  return ((bytes[Math.floor(idx / perByte)] ?? 0) >> ((idx % perByte) * bits)) & (2 ** bits - 1);
}

async function restart(clockOffsetMilliseconds: number): Promise<void> {
  await site.operator.kill();
  await site.start({ clockOffsetMilliseconds });
}

test('a namespace goes though its tokens cannot be revoked, and they are revoked when that is possible', async () => {
  await site.start();
  const namespace = await site.namespace();
  await site.apply(botUser('bot') + botToken('one') + botToken('two'), namespace);
  const both = [await issued(namespace, 'one'), await issued(namespace, 'two')];
  expect(await Promise.all(both.map(statusOf))).toEqual([0, 0]);

  site.rule = refuseLists;
  await site.kubectl(['delete', 'namespace', namespace, '--wait=false']);
  for (const name of ['one', 'two']) {
    const token = await eventually(`${name} says why it is still there`, async () => {
      const seen = await site.token(namespace, name);
      return JSON.stringify(seen?.status).includes('refused by the fault proxy') ? seen : undefined;
    });
    expect(token.status).toMatchObject({ retry: { operation: 'Revoke' } });
  }
  expect(await revocationsOf(namespace)).toEqual([]); // not before a minute has passed

  await restart(minute);
  await eventually('the namespace is gone', () => isGone(`/api/v1/namespaces/${namespace}`));
  await eventually('both have failed', async () => {
    const reasons = await reasonsOf(namespace);
    return reasons.length === 2 && reasons.every(reason => reason === 'RevocationFailed');
  });
  const open = await revocationsOf(namespace);
  const ids = both.map(token => decodeJwt(token).jti ?? '');
  expect(open.flatMap(({ spec }) => spec.credentials.map(({ tokenID }) => tokenID)).toSorted()).toEqual(ids.toSorted());
  expect(await Promise.all(both.map(statusOf))).toEqual([0, 0]);
  // Whoever asks has known since the deletion.
  for (const token of both) expect(await site.introspect(token)).toEqual({ active: false });
  const counted = 'botmint_revocations_open{issuer="builtin",reason="RevocationFailed"} 2';
  await eventually('both are counted', async () => (await site.operator.page('/metrics')).text.includes(counted));

  site.rule = () => forward;
  await restart(2 * minute);
  await eventually('both are revoked', async () => (await reasonsOf(namespace)).every(reason => reason === 'Revoked'));
  expect(await Promise.all(both.map(statusOf))).toEqual([1, 1]);
  expect((await revocationsOf(namespace)).map(({ metadata }) => metadata.uid)).toEqual(
    open.map(({ metadata }) => metadata.uid),
  );

  // So early that a slow machine does not come to the five minutes.
  await restart(2 * minute + 2 * minute);
  await eventually('it holds its shards', async () => {
    return /botmint_shards_owned [1-9]/.test((await site.operator.page('/metrics')).text);
  });
  expect(await reasonsOf(namespace)).toEqual(['Revoked', 'Revoked']); // not before five minutes have passed

  await restart(2 * minute + 6 * minute);
  await eventually('a second look has been taken, and they are gone', async () => {
    return (await revocationsOf(namespace)).length === 0;
  });
  expect(await Promise.all(both.map(statusOf))).toEqual([1, 1]);
});

test('a BotUser goes though its tokens cannot be revoked; a token that stays keeps trying by itself', async () => {
  site.rule = () => forward;
  await restart(0);
  const namespace = await site.namespace();
  await site.apply(botUser('bot') + botToken('token') + botUser('other') + stays, namespace);
  const token = await issued(namespace, 'token');
  const revoked = await issued(namespace, 'revoked');
  site.rule = failLists;
  await site.kubectl(['delete', 'botuser', 'bot', '-n', namespace, '--wait=false']);
  await site.ready('bottokens', namespace, 'token', 'RevocationFailed');
  site.rule = refuseLists;
  await site.api.patch(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/revoked`, {
    spec: { revoked: true },
  });
  await site.ready('bottokens', namespace, 'revoked', 'WriteRefused');

  const died = Promise.withResolvers<void>();
  site.rule = request => {
    if (request.resource !== 'revocations' || request.verb !== 'create') return failLists(request);
    return after(async () => {
      await site.operator.kill();
      died.resolve();
    });
  };
  await restart(minute);
  await died.promise; // the Revocation is there, and the operator does not know
  expect(await site.botUser(namespace, 'bot')).toBeDefined();
  site.rule = failLists;
  await restart(minute);
  await eventually('the BotUser is gone', async () => (await site.botUser(namespace, 'bot')) === undefined);
  await site.ready('bottokens', namespace, 'token', 'BotUserNotFound');
  expect(await site.secret(namespace, 'token')).toBeUndefined();
  expect((await revocationsOf(namespace)).map(({ spec }) => spec.owner.name)).toEqual(['token']);
  await site.ready('bottokens', namespace, 'revoked', 'WriteRefused');

  site.rule = () => forward;
  await restart(2 * minute);
  await site.ready('bottokens', namespace, 'revoked', 'Revoked');
  await eventually('both are revoked', async () => (await reasonsOf(namespace)).every(reason => reason === 'Revoked'));
  expect(await Promise.all([token, revoked].map(statusOf))).toEqual([1, 1]);
});

const stays = botToken('revoked', { botUserRef: { name: 'other' } });
