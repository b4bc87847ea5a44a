import { expect, test } from 'vitest';
import { botTokenKind } from '../../src/api/bot-token.ts';
import { botUserKind } from '../../src/api/bot-user.ts';
import { clusterTokenIssuerKind } from '../../src/api/cluster-token-issuer.ts';
import { revokeFinalizer } from '../../src/api/names.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Kept } from '../../src/controllers/kept.ts';
import { reconcileUnreadable } from '../../src/controllers/unreadable.ts';
import { countLive } from '../../src/controllers/world.ts';
import { type KubeObject, keyOf, type Resource } from '../../src/kube/objects.ts';
import { Store } from '../../src/kube/store.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { botUser, deleting, served } from '../decide/healthy.ts';
import { clientOf, configOf, json, localServer, silent } from '../kube/local-server.ts';

const { signal } = new AbortController();

const newer = { ...served, spec: { ...served.spec, secret: { ...served.spec.secret, type: 'Newer' } } };
const finalizers = [revokeFinalizer, 'theirs'];

/** An API server with this one object, and a cache that has seen it. */
async function world<T extends KubeObject>(resource: Resource<T>, object: KubeObject, answerPatch = 200) {
  let current: KubeObject = object;
  const patches: { url: string | undefined; body: unknown }[] = [];
  const { origin } = await localServer((request, response) => {
    if (request.method === 'PATCH') {
      patches.push({ url: request.url, body: JSON.parse(request.body) });
      if (answerPatch !== 200)
        return json(answerPatch, { kind: 'Status', code: answerPatch, reason: 'Conflict' })(request, response);
      current = applyMergePatch(current, JSON.parse(request.body)) as KubeObject;
    }
    const list = { metadata: { resourceVersion: '50' }, items: [current, served] };
    json(200, request.url?.includes('limit=') === true ? list : current)(request, response);
  });
  const store = new Store<T>();
  store.putUnreadable(object);
  const { client } = clientOf(configOf(origin));
  const news: string[] = [];
  const of = { client, clock: systemClock, log: silent, report: (kind: string) => void news.push(kind) };
  const reconcile = (finalizer?: string, end?: () => Promise<void>) =>
    reconcileUnreadable(of, { resource, store, finalizer, ...(end && { end }) }, keyOf(object), signal);
  return { reconcile, patches, store, client, news };
}

test('an unreadable object says so, once', async () => {
  const { reconcile, patches, news } = await world(botTokenKind, newer);
  await reconcile(revokeFinalizer);
  await reconcile(revokeFinalizer);
  expect(patches.map(({ url }) => url?.split('?')[0]?.split('/').at(-1))).toEqual(['status']);
  expect(JSON.stringify(patches[0]?.body)).toContain('UnknownFormat');
  expect(news).toEqual(['BotToken']);
});

test('and names what is wrong with it', async () => {
  const ending = (notAfter: string) => ({ ...botUser, spec: { ...botUser.spec, notAfter } });
  const readable = ending('2027-06-30T00:00:00Z');
  expect(botUserKind.parse(readable)).toMatchObject(readable);
  // As the API server would store it by its format alone, or a time in the year 10000 of UTC, which cannot be written.
  for (const notAfter of ['2026-01-01T00:00:00+24:00', '9999-12-31T23:59:59-01:00']) {
    const { reconcile, patches } = await world<KubeObject>(botUserKind, ending(notAfter));
    await reconcile(revokeFinalizer);
    expect(JSON.stringify(patches[0]?.body)).toContain('spec.notAfter must be a time with its zone, such as');
  }
});

test.each([botTokenKind, botUserKind])(
  'an unreadable $kind that is deleted lets go of our finalizer and no other',
  async kind => {
    const going = deleting({ ...newer, metadata: { ...newer.metadata, finalizers }, spec: 'newer' });
    const { reconcile, patches } = await world<KubeObject>(kind, going);
    await reconcile(revokeFinalizer);
    expect(patches.map(({ body }) => body)).toEqual([{ metadata: { finalizers: ['theirs'], resourceVersion: '7' } }]);
  },
);

test('what it has outside of itself ends before it lets go, for a minute', async () => {
  const failing = () => Promise.reject(new Error('the list cannot be written'));
  const fresh = { ...deleting(newer), metadata: { ...newer.metadata, deletionTimestamp: new Date().toISOString() } };
  const going = await world(botTokenKind, fresh);
  await expect(going.reconcile(revokeFinalizer, failing)).rejects.toThrow('the list cannot be written');
  expect(going.patches).toEqual([]);
  const since = new Date(Date.now() - 61_000).toISOString();
  const late = await world(botTokenKind, { ...fresh, metadata: { ...fresh.metadata, deletionTimestamp: since } });
  await late.reconcile(revokeFinalizer, failing);
  expect(late.patches).toHaveLength(1);
});

test('it is forgotten when ours was the last', async () => {
  const { reconcile, store } = await world(botTokenKind, deleting(newer));
  await reconcile(revokeFinalizer);
  expect([...store.unreadables()]).toEqual([]);
});

test('an unreadable issuer that is deleted keeps its finalizer', async () => {
  const { namespace: _, ...metadata } = newer.metadata;
  const going = deleting({ ...newer, metadata, spec: 'newer' });
  const { reconcile, patches } = await world(clusterTokenIssuerKind, going);
  await reconcile(undefined);
  expect(JSON.stringify(patches.map(({ body }) => body))).not.toContain('finalizers');
});

test('one that moved under our hands is left to the next look, and one that can be read is left to its own controller', async () => {
  const moved = await world(botTokenKind, deleting(newer), 409);
  await moved.reconcile(revokeFinalizer);
  expect([moved.patches.length, [...moved.store.unreadables()].length]).toEqual([1, 1]);
  const readable = await world(botTokenKind, deleting(served));
  await readable.reconcile(revokeFinalizer);
  expect(readable.patches).toEqual([]);
});

test('a live read that nobody understands makes an object unreadable, not absent', async () => {
  const { client } = await world(botTokenKind, newer);
  const empty = new Store<typeof served>();
  await new Kept(client, botTokenKind, empty).refresh(newer.metadata, signal);
  expect(empty.unreadable(keyOf(newer))?.metadata.uid).toBe(newer.metadata.uid);
});

test('a live count counts apart what nobody can read', async () => {
  const { client } = await world(botTokenKind, newer);
  expect(await countLive(client, botTokenKind, {}, () => true, signal)).toEqual({ matching: 1, unreadable: 1 });
  expect(await countLive(client, botTokenKind, {}, () => false, signal)).toEqual({ matching: 0, unreadable: 1 });
});
