import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { after, before, delay, forward, refuse, type SeenRequest } from '../faults/proxy.ts';
import { CopiesSite } from './copies-site.ts';
import { botToken } from './manifests.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;
const on = new CopiesSite(() => site);

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterEach(() => {
  site.rule = () => forward;
});

afterAll(() => site?.close());

const accept = (source: string) => `accept.botmint.dev/${source}`;
const value = async (namespace: string) => (await site.values(namespace, 'token'))?.BUF_TOKEN ?? '';

const Status = z.looseObject({
  tokenID: z.string().optional(),
  conditions: z.array(z.looseObject({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() })),
});

async function readyOf(namespace: string) {
  const { conditions } = Status.parse((await site.token(namespace, 'token'))?.status);
  return conditions.find(({ type }) => type === 'Ready');
}

let asked = 0;
async function rotate(source: string): Promise<void> {
  const old = await value(source);
  await site.api.patch(on.tokenPath(source), { metadata: { annotations: { 'botmint.dev/rotate': String(++asked) } } });
  await eventually('the token is rotated', async () => {
    const now = await value(source);
    return now !== '' && now !== old;
  });
}

const isRecord = (source: string) => (request: SeenRequest) =>
  request.resource === 'bottokens' && request.namespace === source && request.body.includes('"tokenID"');

describe('a copy', () => {
  test('is in every namespace that is selected and agrees, and in no other', async () => {
    const source = await site.namespace();
    const takers = [await on.taker(source), await on.taker(source)];
    const shy = await on.taker(source, { [accept(source)]: null });
    const half = await on.taker(source, { [accept(source)]: 'yes' });
    const other = await on.taker(source, { from: 'elsewhere' });
    await on.label(source, { from: source, [accept(source)]: 'true' });
    await on.apply(source, { secret: { labels: { team: 'a' }, annotations: { note: 'b' } } });
    await on.areCopied(source, takers);
    await site.ready('bottokens', source, 'token', 'Issued');
    const copy = await site.secret(takers[0] ?? '', 'token');
    expect(copy).toMatchObject({
      type: 'Opaque',
      metadata: {
        labels: { team: 'a', 'botmint.dev/managed': 'copy' },
        annotations: { note: 'b', 'botmint.dev/owner': `BotToken/${source}/token` },
      },
    });
    expect(copy?.metadata).not.toHaveProperty('ownerReferences');
    expect(copy?.metadata.finalizers).toBeUndefined();
    for (const namespace of [shy, half, other]) expect(await site.secret(namespace, 'token')).toBeUndefined();
    expect((await site.secret(source, 'token'))?.metadata.labels).toMatchObject({
      'botmint.dev/managed': 'credential',
    });
  });

  test('comes with the consent of its namespace, and goes with it', async () => {
    const { source } = await on.distributed(0);
    const late = await on.taker(source, { [accept(source)]: null });
    await on.label(late, { [accept(source)]: 'true' });
    await on.areCopied(source, [late]);
    await on.label(late, { [accept(source)]: null });
    await on.isGone(late);
    await on.label(late, { [accept(source)]: 'true' });
    await on.areCopied(source, [late]);
    await on.label(late, { from: 'elsewhere' });
    await on.isGone(late);
    expect(await site.introspect(await value(source))).toMatchObject({ active: true });
  });

  test('follows the selector, and goes with the field', async () => {
    const { source, takers } = await on.distributed(2);
    const [first = '', second = ''] = takers;
    await on.label(second, { stage: 'two' });
    const select = (namespaceSelector: object) =>
      site.api.patch(on.tokenPath(source), { spec: { secret: { copies: { namespaceSelector } } } });
    await select({ matchLabels: { stage: 'two' } });
    await on.isGone(first);
    expect(await on.isCopied(source, second)).toBe(true);
    await site.api.patch(on.tokenPath(source), { spec: { secret: { copies: null } } });
    await on.isGone(second);
  });

  test('follows the entries and the template of the Secret', async () => {
    const { source, takers } = await on.distributed(1, { secret: { labels: { team: 'a', tier: 'b' } } });
    const [taker = ''] = takers;
    const data = [{ key: 'OTHER', template: 'x $(token)' }];
    await site.api.patch(on.tokenPath(source), { spec: { secret: { data, labels: { team: 'c', tier: null } } } });
    await eventually('the copy has the new key', async () => (await site.values(taker, 'token'))?.OTHER !== undefined);
    await on.areCopied(source, [taker]);
    await eventually('the label is gone', async () => {
      const labels = (await site.secret(taker, 'token'))?.metadata.labels;
      return labels?.tier === undefined && labels?.team === 'c';
    });
  });

  test('that was edited, deleted or stripped is put right, and nothing else is written', async () => {
    const { source, takers } = await on.distributed(1);
    const [taker = ''] = takers;
    const since = site.proxy.requests.length;
    await site.api.patch(on.secretPath(taker), { data: { BUF_TOKEN: 'ZWRpdGVk', MORE: 'bW9yZQ==' } });
    await on.areCopied(source, [taker]);
    await site.api.delete(on.secretPath(taker));
    await on.areCopied(source, [taker]);
    await site.api.patch(on.secretPath(taker), { metadata: { labels: { 'botmint.dev/managed': null } } });
    await eventually(
      'it has its label again',
      async () => (await site.secret(taker, 'token'))?.metadata.labels?.['botmint.dev/managed'] === 'copy',
    );
    expect(await on.isCopied(source, taker)).toBe(true);
    expect(on.writes(since, [source])).toEqual([]);
    expect(await site.introspect(await value(source))).toMatchObject({ active: true });
  });

  test('is not looked at while its token is paused, but taken away all the same', async () => {
    const { source, takers } = await on.distributed(2);
    const [edited = '', left = ''] = takers;
    await site.api.patch(on.tokenPath(source), { metadata: { annotations: { 'botmint.dev/paused': 'true' } } });
    await eventually('it is paused', async () => {
      const { conditions } = Status.parse((await site.token(source, 'token'))?.status);
      return conditions.some(({ type }) => type === 'Paused');
    });
    const late = await on.taker(source);
    await site.api.patch(on.secretPath(edited), { data: { BUF_TOKEN: 'ZWRpdGVk' } });
    await on.label(left, { [accept(source)]: null });
    await on.isGone(left);
    expect(await value(edited)).toBe('edited');
    expect(await site.secret(late, 'token')).toBeUndefined();
    await site.api.patch(on.tokenPath(source), { metadata: { annotations: { 'botmint.dev/paused': null } } });
    await on.areCopied(source, [edited, late]);
  });
});

describe('a rotation without an overlap', () => {
  test('has reached every copy before it is recorded, and so before the old token dies', async () => {
    const { source, takers } = await on.distributed(12, { spec: { rotation: { overlap: '0s' } } });
    const old = await value(source);
    const held: boolean[] = [];
    let wasAlive: boolean | undefined;
    const isRecorded = isRecord(source);
    site.rule = request => {
      if (!isRecorded(request)) return forward;
      site.rule = () => forward; // what is written into the record later shows nothing
      const look = async () => {
        for (const taker of takers) held.push(await on.isCopied(source, taker));
        wasAlive = (await site.introspect(old)).active;
      };
      return { do: 'forward', before: look };
    };
    await rotate(source);
    await eventually('the old one is dead', async () => !(await site.introspect(old)).active);
    expect(held).toEqual(takers.map(() => true));
    expect(wasAlive).toBe(true);
    expect(await site.introspect(await value(takers[0] ?? ''))).toMatchObject({ active: true });
  });

  test.each([
    ['before', before],
    ['after', after],
  ] as const)('reaches them when the operator is killed %s one of them is written', async (_, moment) => {
    const { source, takers } = await on.distributed(3, { spec: { rotation: { overlap: '0s' } } });
    const { promise, resolve } = Promise.withResolvers<void>();
    site.rule = request => {
      const isCopy = request.resource === 'secrets' && request.verb === 'patch' && request.namespace === takers[1];
      if (!isCopy) return forward;
      site.rule = () => forward;
      return moment(() => site.operator.kill().then(resolve));
    };
    await rotate(source);
    await promise;
    const [old, recorded] = [await value(source), (await site.token(source, 'token'))?.status];
    await site.start();
    await on.areCopied(source, takers);
    await site.ready('bottokens', source, 'token', 'Issued');
    expect(await value(source)).toBe(old); // nothing was issued again
    await eventually('it is recorded', async () => {
      const { tokenID } = Status.parse((await site.token(source, 'token'))?.status);
      return tokenID !== Status.parse(recorded).tokenID;
    });
  });
});

describe('what cannot be written', () => {
  test('is said, holds up neither the token nor other copies, and is done when it can be', async () => {
    const source = await site.namespace();
    const [blocked, free] = [await on.taker(source), await on.taker(source)];
    await site.api.create(`/api/v1/namespaces/${blocked}/secrets`, {
      metadata: { name: 'token' },
      stringData: { own: 'kept' },
    });
    await on.apply(source);
    await on.areCopied(source, [free]);
    await site.ready('bottokens', source, 'token', 'CopyFailed');
    expect(await readyOf(source)).toMatchObject({ status: 'True', message: expect.stringContaining(blocked) });
    expect((await readyOf(source))?.message).toContain('is not from botmint');
    expect(await site.values(blocked, 'token')).toEqual({ own: 'kept' });
    await rotate(source);
    await on.areCopied(source, [free]);
    await site.api.delete(on.secretPath(blocked));
    await on.areCopied(source, [blocked]);
    await site.ready('bottokens', source, 'token', 'Issued');
  });

  test('is tried ever less often, and at once when its namespace changes', async () => {
    const source = await site.namespace();
    const [blocked, free] = [await on.taker(source), await on.taker(source)];
    const tries = () => on.writes(0, [blocked]).length;
    site.rule = request =>
      request.namespace === blocked && request.verb === 'create'
        ? refuse(403, 'Forbidden', { message: 'no' })
        : forward;
    await on.apply(source);
    await site.ready('bottokens', source, 'token', 'CopyFailed');
    expect((await readyOf(source))?.message).toBe(
      `namespace ${blocked}: Secret token could not be written: Forbidden: no`,
    );
    await on.areCopied(source, [free]);
    // After five seconds, and ten: the next one would come twenty later.
    await eventually('it is tried again', () => tries() > 2);
    expect(tries()).toBeLessThan(4);
    site.rule = () => forward;
    await on.label(blocked, { touched: 'yes' });
    await eventually('it is there', () => on.isCopied(source, blocked), { seconds: 15 });
    await site.ready('bottokens', source, 'token', 'Issued');
  });

  test('for want of an answer holds up the record for seconds only', async () => {
    const { source, takers } = await on.distributed(2);
    const [silent = '', free = ''] = takers;
    const never = Promise.withResolvers<void>();
    site.rule = request => (request.namespace === silent && request.verb === 'patch' ? delay(never.promise) : forward);
    const old = await value(source);
    const { tokenID } = Status.parse((await site.token(source, 'token'))?.status);
    await rotate(source);
    await eventually(
      'it is recorded',
      async () => Status.parse((await site.token(source, 'token'))?.status).tokenID !== tokenID,
      { seconds: 25 }, // ten for the copy; a call that names no deadline has thirty
    );
    expect(await on.isCopied(source, free)).toBe(true);
    expect(await value(silent)).toBe(old);
    await site.ready('bottokens', source, 'token', 'CopyFailed');
    site.rule = () => forward;
    never.resolve();
    await on.areCopied(source, [silent]);
    await site.ready('bottokens', source, 'token', 'Issued');
  });

  test('is said without the token, whatever a policy quotes', async () => {
    const source = await site.namespace();
    const taker = await on.taker(source);
    site.rule = request =>
      request.namespace === taker && request.verb === 'create'
        ? refuse(403, 'Forbidden', { message: `not ${request.body}` })
        : forward;
    await on.apply(source);
    await site.ready('bottokens', source, 'token', 'CopyFailed');
    const said = JSON.stringify([
      await site.token(source, 'token'),
      await site.api.list(`/apis/events.k8s.io/v1/namespaces/${source}/events`),
      site.operator.output,
    ]);
    const token = await value(source);
    expect(said).toContain('[redacted]');
    expect(said).not.toContain(token);
    expect(said).not.toContain(Buffer.from(token).toString('base64'));
  });

  test('is the Secret of another token, and the other way round', async () => {
    const source = await site.namespace();
    const taker = await on.taker(source);
    await site.apply(botToken('token', { botUserRef: { name: 'bot' } }), taker);
    await site.apply(
      JSON.stringify({ apiVersion: 'botmint.dev/v1alpha1', kind: 'BotUser', metadata: { name: 'bot' }, spec: {} }),
      taker,
    );
    await site.ready('bottokens', taker, 'token', 'Issued');
    const own = await value(taker);
    await on.apply(source);
    await site.ready('bottokens', source, 'token', 'CopyFailed');
    expect((await readyOf(source))?.message).toContain('belongs to BotToken/token');
    expect(await value(taker)).toBe(own);
    await site.api.delete(on.tokenPath(taker));
    await on.areCopied(source, [taker]);
    // A copy with the very name of a token is nobody's predecessor.
    await site.apply(botToken('token'), taker);
    await site.ready('bottokens', taker, 'token', 'SecretInUse');
    expect((await readyOf(taker))?.message).toContain(`BotToken/${source}/token`);
    expect(await on.isCopied(source, taker)).toBe(true);
    await on.label(taker, { [accept(source)]: null });
    await site.ready('bottokens', taker, 'token', 'Issued');
  });
});

describe('the end', () => {
  test('of the token takes all copies with it', async () => {
    const { source, takers } = await on.distributed(3);
    await site.api.delete(on.tokenPath(source));
    await eventually('it is gone', async () => (await site.token(source, 'token')) === undefined);
    for (const taker of takers) expect(await site.secret(taker, 'token')).toBeUndefined();
  });

  test('by revocation, or with the bot, takes them as well', async () => {
    const [one, two] = [await on.distributed(1), await on.distributed(1)];
    await site.api.patch(on.tokenPath(one.source), { spec: { revoked: true } });
    await site.api.delete(`/apis/botmint.dev/v1alpha1/namespaces/${two.source}/botusers/bot`);
    for (const taker of [...one.takers, ...two.takers]) await on.isGone(taker);
    await site.ready('bottokens', one.source, 'token', 'Revoked');
    await site.ready('bottokens', two.source, 'token', 'BotUserNotFound');
  });

  test('of the source namespace, and of one that takes a copy', async () => {
    const { source, takers } = await on.distributed(2);
    const [gone = '', stays = ''] = takers;
    await site.api.delete(`/api/v1/namespaces/${gone}`);
    const isGone = (name: string) => async () => (await site.api.get(`/api/v1/namespaces/${name}`)) === undefined;
    await eventually('the namespace is gone', isGone(gone));
    await site.ready('bottokens', source, 'token', 'Issued');
    expect(await on.isCopied(source, stays)).toBe(true);
    await site.api.delete(`/api/v1/namespaces/${source}`);
    await on.isGone(stays);
    await eventually('the namespace is gone', isGone(source));
  });

  test('waits a minute for a copy that cannot be deleted, and what is left is removed when it can be', {
    timeout: 600_000,
  }, async () => {
    const { source, takers } = await on.distributed(2);
    const [held = '', free = ''] = takers;
    const token = await value(source);
    site.rule = request =>
      request.namespace === held && request.verb === 'delete' ? refuse(403, 'Forbidden', { message: 'no' }) : forward;
    const began = performance.now();
    await site.api.delete(on.tokenPath(source));
    await on.isGone(free);
    expect(await site.introspect(token)).toEqual({ active: false });
    expect(await site.token(source, 'token')).toBeDefined();
    await eventually('it goes', async () => (await site.token(source, 'token')) === undefined);
    expect(performance.now() - began).toBeGreaterThan(55_000);
    expect(await site.secret(held, 'token')).toBeDefined();
    site.rule = () => forward;
    await on.isGone(held);
  });

  test('of an owner that nobody saw go leaves no copy either', async () => {
    const { source, takers } = await on.distributed(1);
    const [taker = ''] = takers;
    await site.operator.stop();
    await site.api.patch(on.tokenPath(source), { metadata: { finalizers: null } });
    await site.api.delete(on.tokenPath(source));
    await site.start();
    await on.isGone(taker);
  });
});

test('a restart with copies writes nothing', async () => {
  const { source, takers } = await on.distributed(3);
  await site.operator.stop();
  const since = site.proxy.requests.length;
  await site.start();
  const readings = () =>
    site.proxy.requests
      .slice(since)
      .filter(
        ({ resource, verb, namespace }) => resource === 'secrets' && verb === 'get' && takers.includes(namespace),
      );
  await eventually('each copy is read', () => readings().length >= takers.length);
  const marker = await on.distributed(1); // whatever was to be done has been done by then
  expect(marker.takers).toHaveLength(1);
  expect(readings()).toHaveLength(takers.length);
  expect(on.writes(since, [source, ...takers])).toEqual([]);
});

test('a restart with one that cannot be written changes nothing', async () => {
  const source = await site.namespace();
  const [blocked, free] = [await on.taker(source), await on.taker(source)];
  await site.api.create(`/api/v1/namespaces/${blocked}/secrets`, { metadata: { name: 'token' } });
  await on.apply(source);
  await on.areCopied(source, [free]);
  await site.ready('bottokens', source, 'token', 'CopyFailed');
  await site.operator.stop();
  const since = site.proxy.requests.length;
  await site.start();
  await eventually('it is tried again', () => on.writes(since, [blocked]).length > 0);
  await on.distributed(1); // whatever was to be done has been done by then
  const carriedOut = on.writes(since, [source, blocked, free]).filter(({ status }) => Number(status) < 300);
  expect(carriedOut).toEqual([]);
  await site.ready('bottokens', source, 'token', 'CopyFailed');
});
