import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { safeError } from '../../src/base/log.ts';
import { configMaps, secretMetadata, secrets } from '../../src/kube/core-kinds.ts';
import {
  isAlreadyExists,
  isConflict,
  isGone,
  isOutcomeUnknown,
  KubeError,
  Unreachable,
} from '../../src/kube/errors.ts';
import { eventually } from '../cluster/wait.ts';
import { clientOf, configOf, cut, json, localServer, silence } from './local-server.ts';

const ref = { namespace: 'ns', name: 'a' };
const object = { metadata: { ...ref, uid: 'u', resourceVersion: '7', creationTimestamp: '' } };
const canary = 'c4n4ry';

describe('what is sent', () => {
  test('a patch carries the version that was read, and its field manager', async () => {
    const { client, seen } = await serving(json(200, object));
    const body = { metadata: { finalizers: ['f'] }, status: { a: 1 } };
    await client.patch(configMaps, ref, body, { signal, resourceVersion: '6', subresource: 'status' });
    expect(seen[0]).toMatchObject({
      method: 'PATCH',
      url: '/api/v1/namespaces/ns/configmaps/a/status?fieldManager=botmint',
      headers: { 'content-type': 'application/merge-patch+json', 'user-agent': 'botmint/test' },
    });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      metadata: { finalizers: ['f'], resourceVersion: '6' },
      status: { a: 1 },
    });
  });

  test('a delete means one object only', async () => {
    const { client, seen } = await serving(json(200, { kind: 'Status' }));
    await client.delete(secrets, ref, { signal, uid: 'u', resourceVersion: '7' });
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ preconditions: { uid: 'u', resourceVersion: '7' } });
  });

  test('an apply is a server-side apply that forces only when told so', async () => {
    const { client, seen } = await serving(json(200, object));
    const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref, data: {} };
    await client.apply(configMaps, applied, { signal });
    await client.apply(configMaps, applied, { signal, force: true });
    expect(seen.map(each => each.url)).toEqual([
      '/api/v1/namespaces/ns/configmaps/a?fieldManager=botmint',
      '/api/v1/namespaces/ns/configmaps/a?fieldManager=botmint&force=true',
    ]);
    expect(seen[0]?.headers['content-type']).toBe('application/apply-patch+yaml');
  });

  test('metadata of Secrets is all that is asked for, whatever the verb', async () => {
    const { client, seen } = await serving(
      json(200, { metadata: { resourceVersion: '9' }, items: [] }),
      json(200, object),
    );
    await client.list(secretMetadata, { signal, labelSelector: 'a=b', limit: 5 });
    await client.get(secretMetadata, ref, { signal, metadataOnly: false });
    await client.create(secretMetadata, { metadata: ref }, { signal });
    await client.patch(secrets, ref, {}, { signal, resourceVersion: '7', metadataOnly: true });
    expect(seen.map(each => each.headers.accept)).toEqual([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      ...Array.from({ length: 3 }, () => 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'),
    ]);
    expect(seen[0]?.url).toBe('/api/v1/secrets?labelSelector=a%3Db&limit=5');
  });
});

describe('what is answered', () => {
  test('nothing there: undefined from a get, done for a delete, an error from a patch', async () => {
    const details = { name: 'a', kind: 'secrets' };
    const { client } = await serving(json(404, { kind: 'Status', reason: 'NotFound', message: 'not found', details }));
    expect(await client.get(secrets, ref, { signal })).toBeUndefined();
    await expect(client.delete(secrets, ref, { signal, uid: 'u' })).resolves.toBeUndefined();
    await expect(patched(client)).rejects.toMatchObject({ status: 404, reason: 'NotFound', message: 'not found' });
  });

  test.each<[string, object]>([
    ['the kind is not installed', { kind: 'Status', reason: 'NotFound', details: {} }],
    ['a namespace is missing', { kind: 'Status', reason: 'NotFound', details: { name: 'ns', kind: 'namespaces' } }],
    ['some proxy has no such page', {}],
  ])('404 because %s proves nothing about the object', async (_, body) => {
    const { client } = await serving(json(404, body));
    expect(await failure(client.get(secrets, ref, { signal }))).toMatchObject({ status: 404 });
    expect(await failure(client.delete(secrets, ref, { signal, uid: 'u' }))).toMatchObject({ status: 404 });
  });

  test.each([
    [409, 'Conflict', isConflict],
    [409, 'AlreadyExists', isAlreadyExists],
    [410, 'Expired', isGone],
  ])('%d %s is told apart', async (status, reason, is) => {
    const { client } = await serving(json(status, { kind: 'Status', reason }));
    const error = await failure(patched(client));
    expect([isConflict, isAlreadyExists, isGone].map(each => each(error))).toEqual(
      [isConflict, isAlreadyExists, isGone].map(each => each === is),
    );
    expect(isOutcomeUnknown(error)).toBe(false);
  });

  test('the reason of a Status, and its Retry-After', async () => {
    const { client } = await serving(json(503, { kind: 'Status', message: 'going' }, { 'retry-after': '7' }));
    const error = await failure(patched(client));
    expect(error).toMatchObject({
      message: 'going',
      retry: { kind: 'after', seconds: 7 },
      reason: 'ServiceUnavailable',
    });
    expect(isOutcomeUnknown(error)).toBe(true);
  });

  test('a page of a proxy is not taken for an answer, nor shown', async () => {
    const { client } = await serving(
      (_, response) => response.writeHead(502).end(`<html>${canary}`),
      (_, response) => response.writeHead(200).end(`<html>${canary}`),
    );
    const refused = await failure(patched(client));
    expect(refused).toMatchObject({ status: 502, reason: 'Unknown' });
    const unreadable = await failure(patched(client));
    expect(unreadable).toMatchObject({ lack: 'answer' });
    expect(textOf(refused) + textOf(unreadable)).not.toContain(canary);
  });
});

describe('a server that is too busy to begin', () => {
  test('is asked again after the time it named, a write too', async () => {
    const busy = json(429, { kind: 'Status' }, { 'retry-after': '1' });
    const { client, seen, metrics } = await serving(busy, json(201, object));
    const started = performance.now();
    await client.create(secrets, { metadata: ref }, { signal });
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
    expect(seen.map(each => each.method)).toEqual(['POST', 'POST']);
    expect(await metrics.text()).toMatch(/botmint_api_calls_total\{verb="create",resource="secrets",code="429"\} 1/);
  });

  test('is not waited for beyond the deadline', async () => {
    const { client, seen } = await serving(json(429, { kind: 'Status' }, { 'retry-after': '60' }));
    const error = await failure(client.get(secrets, ref, { signal, deadlineMilliseconds: 30_000 }));
    expect(error).toMatchObject({ status: 429, retry: { kind: 'after', seconds: 60 } });
    expect(seen.length).toBe(1);
  });

  test('is not waited for once the signal aborts', async () => {
    const { client } = await serving(json(429, { kind: 'Status' }, { 'retry-after': '20' }));
    const abort = new AbortController();
    const call = failure(client.get(secrets, ref, { signal: abort.signal }));
    setTimeout(() => abort.abort(new Error('enough')), 50);
    expect(await call).toMatchObject({ message: 'enough' });
  });
});

describe('no answer', () => {
  test('a read that met a broken connection is repeated once', async () => {
    const { client, seen } = await serving(cut, json(200, object));
    expect(await client.get(configMaps, ref, { signal })).toMatchObject({ metadata: { name: 'a' } });
    expect(seen.length).toBe(2);
  });

  test('and not twice', async () => {
    const { client, seen } = await serving(cut);
    expect(await failure(client.get(configMaps, ref, { signal }))).toMatchObject({ lack: 'connection' });
    expect(seen.length).toBe(2);
  });

  test('a write never is: its outcome is unknown', async () => {
    const { client, seen } = await serving(cut);
    const error = await failure(patched(client));
    expect(error).toBeInstanceOf(Unreachable);
    expect([isOutcomeUnknown(error), seen.length]).toEqual([true, 1]);
  });

  test('a silent server is left at the deadline, and the connection is cut', async () => {
    const { client, server } = await serving(silence);
    const error = await failure(client.get(secrets, ref, { signal, deadlineMilliseconds: 100 }));
    // What is left of the 0.1 s when the request is sent: on a busy machine that is nothing.
    const message = expect.stringMatching(/^get secrets: no answer within 0(\.1)? s$/);
    expect(error).toMatchObject({ lack: 'deadline', message });
    await eventually('the connection is cut', async () => (await connections(server)) === 0);
  });

  test('half an answer is none', async () => {
    const { client } = await serving((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"metadata"');
      setTimeout(() => response.socket?.destroy(), 20);
    });
    expect(await failure(patched(client))).toMatchObject({ lack: 'connection' });
  });

  test('an aborted signal ends a call at once, with its reason', async () => {
    const { client, server } = await serving(silence);
    const abort = new AbortController();
    const call = failure(client.get(secrets, ref, { signal: abort.signal }));
    setTimeout(() => abort.abort(new Error('enough')), 20);
    expect(await call).toMatchObject({ message: 'enough' });
    await eventually('the connection is cut', async () => (await connections(server)) === 0);
    expect(await failure(client.get(secrets, ref, { signal: abort.signal }))).toMatchObject({ message: 'enough' });
  });

  test('calls that wait for a connection end by their deadline, too, and the connections are free again', async () => {
    const { client, seen } = await serving(...Array.from({ length: 32 }, () => silence), json(200, object));
    const calls = (count: number, deadlineMilliseconds: number) =>
      Array.from({ length: count }, () => failure(client.get(secrets, ref, { signal, deadlineMilliseconds })));
    const holding = calls(32, 5_000); // time for every connection, also on a busy machine
    await eventually('no connection is free', () => seen.length === 32);
    for (const error of await Promise.all(calls(8, 300))) expect(error).toMatchObject({ lack: 'deadline' });
    for (const error of await Promise.all(holding)) expect(error).toMatchObject({ lack: 'deadline' });
    expect(await client.get(secrets, ref, { signal })).toBeDefined();
    expect(seen.length).toBe(33);
  });

  test('nobody is listening', async () => {
    const { client } = clientOf(configOf('http://127.0.0.1:1'));
    const error = await failure(patched(client));
    expect(error).toMatchObject({ lack: 'connection', message: expect.stringContaining('ECONNREFUSED') });
  });
});

describe('the token', () => {
  test('that was replaced is read anew at a 401, once for all calls, and each is repeated', async () => {
    let token = 'old';
    let reads = 0;
    const given = () => {
      reads++;
      return token;
    };
    const config = await checking('new');
    const { client } = clientOf(configOf(config.origin, given));
    expect(await failure(client.get(secrets, ref, { signal }))).toMatchObject({ status: 401 });
    token = 'new';
    const before = reads;
    await Promise.all(Array.from({ length: 5 }, () => client.create(secrets, { metadata: ref }, { signal })));
    expect(reads - before).toBe(1);
  });

  test('that is refused and not replaced is not shown again and again', async () => {
    const { origin, seen } = await checking('new');
    const { client } = clientOf(configOf(origin, () => 'old'));
    expect(await failure(client.get(secrets, ref, { signal }))).toMatchObject({ status: 401 });
    expect(seen.length).toBe(1);
  });

  test('that cannot be read ends a call with words about that', async () => {
    const { origin } = await checking('new');
    const { client } = clientOf({
      ...configOf(origin),
      credentials: () => Promise.reject(new Error('ENOENT: no such file')),
    });
    expect(await failure(client.get(secrets, ref, { signal }))).toMatchObject({ lack: 'credentials' });
  });

  test.each([
    ['a refusal', json(403, { kind: 'Status', message: 'forbidden' })],
    ['a cut', cut],
    ['silence', silence],
    ['nonsense', (_: unknown, response: { end(text: string): void }) => response.end('nonsense')],
  ])('and the body are in no error after %s', async (_, answering) => {
    const { origin } = await localServer(answering);
    const { client } = clientOf(configOf(origin, () => canary));
    const body = { metadata: ref, stringData: { key: canary } };
    const error = await failure(client.create(secrets, body, { signal, deadlineMilliseconds: 200 }));
    expect(textOf(error)).not.toContain(canary);
  });
});

test('calls are counted and timed', async () => {
  const { client, metrics } = await serving(json(200, object), cut);
  await client.get(configMaps, ref, { signal });
  await failure(patched(client));
  const text = await metrics.text();
  expect(text).toMatch(/botmint_api_calls_total\{verb="get",resource="configmaps",code="200"\} 1/);
  expect(text).toMatch(/botmint_api_calls_total\{verb="patch",resource="configmaps",code="none"\} 1/);
  expect(text).toMatch(/botmint_api_call_duration_seconds_count\{verb="get"\} 1/);
});

const { signal } = new AbortController();

async function serving(...answers: Parameters<typeof localServer>) {
  const local = await localServer(...answers);
  return { ...local, ...clientOf(configOf(local.origin)) };
}

/** A server that knows one token. */
function checking(token: string) {
  return localServer((request, response) => {
    const known = request.headers.authorization === `Bearer ${token}`;
    json(known ? 200 : 401, known ? object : { kind: 'Status', reason: 'Unauthorized' })(request, response);
  });
}

function patched(client: ReturnType<typeof clientOf>['client']): Promise<unknown> {
  return client.patch(configMaps, ref, {}, { signal, resourceVersion: '7' });
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** Everything that anybody could print of an error. */
function textOf(error: unknown): string {
  const own = error instanceof KubeError || error instanceof Unreachable;
  expect(own).toBe(true);
  return inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + JSON.stringify(safeError(error));
}

function connections(server: Awaited<ReturnType<typeof localServer>>['server']): Promise<number> {
  return new Promise((resolve, reject) => server.getConnections((error, n) => (error ? reject(error) : resolve(n))));
}
