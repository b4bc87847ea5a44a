import { describe, expect, test } from 'vitest';
import { configMaps, namespaces, secretMetadata, secrets, secretText } from '../../src/kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isGone, isInvalid, isNotFound } from '../../src/kube/errors.ts';
import { withFinalizer, withoutFinalizer } from '../../src/kube/finalizer.ts';
import { Store } from '../../src/kube/store.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { forward, isWrite, refuse } from '../faults/proxy.ts';
import { clientBehindProxy, clientFor, follow } from './follower.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);

async function setUp() {
  const namespace = await cluster.namespace();
  const { client, metrics } = clientFor(cluster.kubeconfigPath);
  return { namespace, client, metrics, ref: { namespace, name: 'a' } };
}

describe('on a real API server', () => {
  test('a Secret is made once, read with its values, and changed only as it was read', async () => {
    const { client, ref } = await setUp();
    const stringData = { key: 'värde' };
    const made = await client.create(secretMetadata, { metadata: ref, stringData }, { signal });
    expect(made).not.toHaveProperty('data');
    expect(isAlreadyExists(await failure(client.create(secrets, { metadata: ref }, { signal })))).toBe(true);
    const read = await client.get(secrets, ref, { signal });
    expect(read && secretText(read, 'key')?.reveal()).toBe('värde');
    const { resourceVersion } = made.metadata;
    const body = { metadata: { annotations: { a: 'b' } } };
    const changed = await client.patch(secretMetadata, ref, body, { signal, resourceVersion });
    expect(changed.metadata).toMatchObject({ uid: made.metadata.uid, annotations: { a: 'b' } });
    expect(isConflict(await failure(client.patch(secretMetadata, ref, body, { signal, resourceVersion })))).toBe(true);
  });

  test('every write names botmint as its manager', async () => {
    const { client, ref } = await setUp();
    const { metadata } = await client.create(configMaps, { metadata: ref, data: { a: 'b' } }, { signal });
    await client.patch(configMaps, ref, { data: { b: 'c' } }, { signal, ...metadata });
    const answer = await (await cluster.api()).call(`/api/v1/namespaces/${ref.namespace}/configmaps/a`);
    expect(answer.body).toMatchObject({ metadata: { managedFields: [{ manager: 'botmint' }] } });
  });

  test('a delete means this very object, and nothing there is done', async () => {
    const { client, ref } = await setUp();
    const { uid } = (await client.create(configMaps, { metadata: ref }, { signal })).metadata;
    expect(isConflict(await failure(client.delete(configMaps, ref, { signal, uid: 'another' })))).toBe(true);
    const stale = client.delete(configMaps, ref, { signal, uid, resourceVersion: '1' });
    expect(isConflict(await failure(stale))).toBe(true);
    await client.delete(configMaps, ref, { signal, uid });
    await client.delete(configMaps, ref, { signal, uid });
    expect(await client.get(configMaps, ref, { signal })).toBeUndefined();
  });

  test('refusals are told apart', async () => {
    const { client, ref } = await setUp();
    const bad = { ...ref, name: 'No_Name' };
    expect(isInvalid(await failure(client.create(configMaps, { metadata: bad }, { signal })))).toBe(true);
    const unknown = { ...configMaps, group: 'x.dev', plural: 'unknowns' };
    expect(await failure(client.get(unknown, ref, { signal }))).toMatchObject({ status: 404 });
    const absent = client.patch(configMaps, ref, {}, { signal, resourceVersion: '1' });
    expect(isNotFound(await failure(absent))).toBe(true);
    const nobody = clientFor(await cluster.kubeconfigFor({ user: 'nobody' }));
    expect(await failure(nobody.client.list(secrets, { signal }))).toMatchObject({ status: 403, reason: 'Forbidden' });
    const old = client.list(configMaps, { signal, limit: 1, resourceVersion: '1', continue: 'nonsense' });
    expect(isGone(await failure(old))).toBe(false);
  });

  test('an apply makes and changes what it names, and gives way to the field of another manager unless forced', async () => {
    const { client, ref } = await setUp();
    const object = (value: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: ref, data: { a: value } });
    expect((await client.apply(configMaps, object('1'), { signal })).data).toEqual({ a: '1' });
    await cluster.kubectl(['patch', 'cm', 'a', '-n', ref.namespace, '-p', '{"data":{"a":"2"}}']);
    expect(await failure(client.apply(configMaps, object('3'), { signal }))).toMatchObject({ status: 409 });
    expect((await client.apply(configMaps, object('3'), { signal, force: true })).data).toEqual({ a: '3' });
  });

  test('pages of a list belong together', async () => {
    const { client, namespace } = await setUp();
    for (const name of ['a', 'b', 'c']) {
      await client.create(configMaps, { metadata: { namespace, name } }, { signal });
    }
    const first = await client.list(configMaps, { signal, namespace, limit: 2 });
    const rest = await client.list(configMaps, { signal, namespace, limit: 2, continue: first.continue ?? '' });
    expect([first, rest].map(page => page.items.map(each => each.metadata.name))).toEqual([['a', 'b'], ['c']]);
    expect([rest.continue, rest.resourceVersion]).toEqual([undefined, first.resourceVersion]);
  });

  test('a review is posted', async () => {
    const { client } = await setUp();
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    const spec = { resourceAttributes: { verb: 'create', resource: 'secrets' } };
    const answer = await client.post(path, { spec }, value => value, { signal });
    expect(answer).toMatchObject({ status: { allowed: true } });
  });
});

describe('finalizers', () => {
  test('are added and taken off beside those of others, and the last one off is the end in the store, too', async () => {
    const { client, ref } = await setUp();
    const store = new Store();
    const resource = { ...configMaps, metadataOnly: true };
    const made = await client.create(resource, { metadata: { ...ref, finalizers: ['x.dev/other'] } }, { signal });
    const added = await client.patch(resource, ref, withFinalizer(made, 'x.dev/ours') ?? {}, {
      signal,
      ...made.metadata,
    });
    expect(added.metadata.finalizers).toEqual(['x.dev/other', 'x.dev/ours']);
    await client.delete(resource, ref, { signal, uid: made.metadata.uid });
    const going = await client.get(resource, ref, { signal });
    if (going === undefined) throw new Error('the finalizers do not hold it');
    store.put(going);
    const left = await client.patch(resource, ref, withoutFinalizer(going, 'x.dev/ours') ?? {}, {
      signal,
      ...going.metadata,
    });
    store.put(left);
    expect([left.metadata.finalizers, store.size]).toEqual([['x.dev/other'], 1]);
    const none = withoutFinalizer(left, 'x.dev/other') ?? {};
    store.put(await client.patch(resource, ref, none, { signal, ...left.metadata }));
    expect([store.size, await client.get(resource, ref, { signal })]).toEqual([0, undefined]);
  });
});

test('a busy API server is waited for; a write that got 429 is made once', async () => {
  const { proxy, client } = await clientBehindProxy(cluster);
  const namespace = await cluster.namespace();
  let refused = 0;
  proxy.rule = request =>
    isWrite(request) && refused++ < 2 ? refuse(429, 'TooManyRequests', { retryAfterSeconds: 1 }) : forward;
  await client.create(configMaps, { metadata: { namespace, name: 'a' } }, { signal });
  expect(proxy.requests.filter(isWrite).map(each => each.status)).toEqual([429, 429, 201]);
});

test('namespaces are followed', async () => {
  const { client } = clientFor(cluster.kubeconfigPath);
  const { store } = await follow(client, namespaces);
  expect(store.get('kube-system')?.metadata.name).toBe('kube-system');
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
