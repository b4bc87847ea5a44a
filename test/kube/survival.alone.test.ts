import { readFile, writeFile } from 'node:fs/promises';
import { importPKCS8, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { Client } from '../../src/kube/client.ts';
import { configMaps, secretMetadata } from '../../src/kube/core-kinds.ts';
import { isOutcomeUnknown } from '../../src/kube/errors.ts';
import type { ControlPlane } from '../cluster/cluster.ts';
import { describeOwnControlPlane, eventually, ownControlPlane } from '../cluster/cluster.ts';
import { forward } from '../faults/proxy.ts';
import { calls, clientBehindProxy, clientFor, follow } from './follower.ts';

const signal = AbortSignal.timeout(600_000);

describeOwnControlPlane('on a control plane that breaks', () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await ownControlPlane();
  });
  afterAll(() => plane.stop());

  test('an API server that is killed and comes back: calls fail and go on, the watch catches up without a list', async () => {
    const { client, metrics, make } = setUp(plane);
    const { store } = await follow(client, configMaps, { labelSelector: 'test=restart' });
    // A new API server remembers nothing from before its start: what the watch has seen has to be the last that anybody wrote.
    const { uid, resourceVersion } = await eventually('nobody has written since', async () => {
      const { metadata } = await make('restart');
      await eventually('its event', () => store.byUID(metadata.uid));
      return (await versionOf(plane)) === metadata.resourceVersion && metadata;
    });
    await plane.kill('kube-apiserver');
    expect(await failure(make('restart'))).toSatisfy(isOutcomeUnknown);
    await plane.restart('kube-apiserver');
    const { metadata: second } = await make('restart');
    await eventually('both', () => store.byUID(uid) && store.byUID(second.uid));
    expect(Number(store.seen)).toBeGreaterThan(Number(resourceVersion));
    expect(await calls(metrics, 'list', 'configmaps')).toBe(1);
  });

  test('a paused etcd: calls end by their deadline, then everything goes on', async () => {
    const { client, make } = setUp(plane);
    const { store, reflector } = await follow(client, configMaps, { labelSelector: 'test=pause', watchSeconds: 2 });
    plane.pause('etcd');
    onTestFinished(() => plane.resume('etcd'));
    const started = performance.now();
    const ref = { namespace: 'default', name: 'absent' };
    const results = await Promise.all([
      failure(make('pause', 1500)),
      failure(client.get(configMaps, ref, { signal, deadlineMilliseconds: 1500 })),
      failure(client.list(configMaps, { signal, deadlineMilliseconds: 1500 })),
    ]);
    expect(performance.now() - started).toBeLessThan(15_000); // half of the deadline of a call that names none
    for (const error of results) expect(error).toSatisfy(isOutcomeUnknown);
    plane.resume('etcd');
    const { metadata } = await eventually('a write goes through', () => make('pause'));
    await eventually('its event', () => store.byUID(metadata.uid));
    await eventually('the cache is fresh', () => reflector.age() < 1500);
  });

  test('a history that is gone: 410 leads to a list, and what was deleted and made again is two changes', async () => {
    const { client, metrics, make } = setUp(plane);
    const first = await make('compact');
    const { proxy, ...follower } = await clientBehindProxy(plane);
    const options = { labelSelector: 'test=compact', watchSeconds: 300 };
    const { store, changes } = await follow(follower.client, configMaps, options);
    const back = Promise.withResolvers<void>();
    proxy.rule = request => (request.verb === 'watch' ? { do: 'forward', before: () => back.promise } : forward);
    proxy.disconnect();
    const { namespace, name, uid } = first.metadata;
    await client.delete(configMaps, { namespace, name }, { signal, uid });
    const second = await make('compact', undefined, name);
    await plane.compact();
    await plane.restart('kube-apiserver'); // its cache still remembers
    back.resolve();
    await eventually('the new one', () => store.byUID(second.metadata.uid));
    expect(changes.slice(1).map(each => [each.before, each.after])).toEqual([
      [uid, undefined],
      [undefined, second.metadata.uid],
    ]);
    expect(await calls(follower.metrics, 'list', 'configmaps')).toBe(2);
    expect(await calls(metrics, 'list', 'configmaps')).toBe(0);
  });

  test('a paged list that expires between its pages is made anew', async () => {
    const { make } = setUp(plane);
    for (let i = 0; i < 5; i++) await make('pages');
    const { proxy, client, metrics } = await clientBehindProxy(plane);
    let compacted = 0;
    const expire = async () => {
      if (compacted++ > 0) return;
      await make('pages-other'); // or the compaction would leave the very version of the list
      await plane.compact();
      await plane.restart('kube-apiserver'); // its cache still remembers
    };
    proxy.rule = request => (request.query.has('continue') ? { do: 'forward', before: expire } : forward);
    const { store } = await follow(client, configMaps, { labelSelector: 'test=pages', pageSize: 2 });
    expect(store.size).toBe(5);
    expect(await calls(metrics, 'list', 'configmaps', '410')).toBe(1);
  });

  test('an expired token in a file: the call that meets the 401 reads the file anew and goes through', async () => {
    await plane.kubectl(['create', 'serviceaccount', 'me', '-n', 'default']);
    await plane.kubectl(['create', 'clusterrolebinding', 'me', '--clusterrole=edit', '--serviceaccount=default:me']);
    const good = await plane.tokenFor('default', 'me');
    const file = plane.files.path('token');
    await writeFile(file, await expiredToken(plane));
    const kubeconfig = JSON.parse(await plane.kubectl(['config', 'view', '--raw', '-o', 'json']));
    kubeconfig.users[0].user = { tokenFile: file };
    const path = plane.files.path('token.kubeconfig');
    await writeFile(path, JSON.stringify(kubeconfig));
    const { client, metrics } = clientFor(path);
    const list = () => client.list(secretMetadata, { signal, namespace: 'default' });
    expect(await failure(list())).toMatchObject({ status: 401 });
    await writeFile(file, good.token);
    await list();
    expect(await calls(metrics, 'list', 'secrets', '401')).toBe(2);
    expect(await calls(metrics, 'list', 'secrets')).toBe(1);
  });
});

function setUp(plane: ControlPlane) {
  const { client, metrics } = clientFor(plane.kubeconfigPath);
  let made = 0;
  const make = (label: string, deadlineMilliseconds?: number, name = `${label}-${performance.now()}-${made++}`) =>
    makeWith(client, label, name, deadlineMilliseconds);
  return { client, metrics, make };
}

function makeWith(client: Client, label: string, name: string, deadlineMilliseconds: number | undefined) {
  const metadata = { namespace: 'default', name, labels: { test: label } };
  const deadline = deadlineMilliseconds === undefined ? {} : { deadlineMilliseconds };
  return client.create(configMaps, { metadata }, { signal, ...deadline });
}

/** The version that the whole of the API server's data is at. */
async function versionOf({ api }: ControlPlane): Promise<string> {
  const { body } = await api.call('/api/v1/namespaces/default/configmaps?limit=1');
  return z.object({ metadata: z.object({ resourceVersion: z.string() }) }).parse(body).metadata.resourceVersion;
}

/** As the API server itself would have signed it an hour ago. */
async function expiredToken(plane: ControlPlane): Promise<string> {
  const pem = await readFile(plane.files.path('service-accounts.key'), 'utf8');
  const key = await importPKCS8(pem, 'ES256');
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ 'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'me', uid: 'x' } } })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(`${plane.server}/`)
    .setAudience(`${plane.server}/`)
    .setSubject('system:serviceaccount:default:me')
    .setIssuedAt(now - 7200)
    .setExpirationTime(now - 3600)
    .sign(key);
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
