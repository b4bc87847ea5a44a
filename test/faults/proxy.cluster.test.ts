import { Agent, type Dispatcher, request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Api, eventually, sharedCluster } from '../cluster/cluster.ts';
import { connectionOf } from '../cluster/connect.ts';
import { after, before, delay, drop, FaultProxy, forward, isWrite, refuse } from './proxy.ts';

const cluster = sharedCluster();

/** A proxy, a client behind it that may do everything in a namespace of its own, and a client that sees the truth. */
async function setUp(leasePrefix = '') {
  const proxy = await FaultProxy.start({ kubeconfigPath: cluster.kubeconfigPath, leasePrefix });
  const namespace = await cluster.namespace();
  await cluster.kubectl(['create', 'serviceaccount', 'operator', '-n', namespace]);
  const subject = `--serviceaccount=${namespace}:operator`;
  await cluster.kubectl(['create', 'rolebinding', 'all', '--clusterrole=cluster-admin', subject, '-n', namespace]);
  const { token } = await cluster.tokenFor(namespace, 'operator');
  const kubeconfigPath = await proxy.kubeconfigFor(token);
  const client = await Api.open(kubeconfigPath);
  const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
  await eventually('the rights are there', async () => (await client.call(configMaps)).status === 200);
  onTestFinished(async () => {
    await client.close();
    await proxy.stop();
  });
  return { proxy, client, truth: await cluster.api(), namespace, configMaps, kubeconfigPath };
}

type World = Awaited<ReturnType<typeof setUp>>;

/** A watch through the proxy, and the text of it so far. */
async function watch(world: World, path: string) {
  const { server, connect, headers } = await connectionOf(world.kubeconfigPath);
  const agent = new Agent({ connect });
  const answer: Dispatcher.ResponseData = await request(`${server}${path}?watch=true`, { headers, dispatcher: agent });
  const seen = { text: '', end: '' };
  const read = async () => {
    for await (const chunk of answer.body) seen.text += chunk;
  };
  void read().then(
    () => (seen.end = 'ended'),
    () => (seen.end = 'broken'),
  );
  onTestFinished(() => agent.destroy());
  return seen;
}

function configMap(name: string) {
  return { metadata: { name } };
}

describe('passing on', () => {
  test('forwards with the rights of the client and records what was asked', async () => {
    const { proxy, client, configMaps, namespace } = await setUp();
    await client.create(configMaps, configMap('a'));
    await client.delete(`${configMaps}/a`);
    expect((await client.call('/api/v1/nodes')).status).toBe(403);
    const writes = proxy.requests.filter(isWrite);
    expect(writes).toMatchObject([
      { verb: 'create', resource: 'configmaps', namespace, name: '', status: 201, body: '{"metadata":{"name":"a"}}' },
      { verb: 'delete', resource: 'configmaps', namespace, name: 'a', status: 200 },
    ]);
    expect(writes[1]?.n).toBe((writes[0]?.n ?? 0) + 1);
  });

  test('keeps up with a hundred at a time', async () => {
    const { client, truth, configMaps } = await setUp();
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.create(configMaps, configMap(`many-${i}`))));
    expect(await truth.list(configMaps)).toHaveLength(100);
  });

  test('passes the events of a watch on as they come', async () => {
    const world = await setUp();
    const seen = await watch(world, world.configMaps);
    await world.truth.create(world.configMaps, configMap('a'));
    await eventually('the event', () => seen.text.includes('"ADDED"'));
    expect(world.proxy.watches('configmaps').count).toBe(1);
  });
});

describe('faults of requests', () => {
  test('refuses in the place of the API server', async () => {
    const { proxy, client, truth, configMaps } = await setUp();
    proxy.rule = ({ verb }) => (verb === 'create' ? refuse(429, 'TooManyRequests', { retryAfterSeconds: 3 }) : forward);
    const answer = await client.call(configMaps, { method: 'POST', body: configMap('a') });
    expect(answer).toMatchObject({
      status: 429,
      headers: { 'retry-after': '3' },
      body: { reason: 'TooManyRequests', code: 429 },
    });
    expect(await truth.get(`${configMaps}/a`)).toBeUndefined();
  });

  test.each([
    ['drops', drop],
    ['runs an act and then drops', before(() => undefined)],
  ])('%s a request that the API server then never sees', async (_, decision) => {
    const { proxy, client, truth, configMaps } = await setUp();
    proxy.rule = () => decision;
    await expect(client.create(configMaps, configMap('a'))).rejects.toThrow('other side closed');
    expect(await truth.get(`${configMaps}/a`)).toBeUndefined();
  });

  test('lets the effect happen, then acts, and never answers', async () => {
    const { proxy, client, truth, configMaps } = await setUp();
    let seenByAct: unknown;
    proxy.rule = () =>
      after(async () => {
        seenByAct = await truth.get(`${configMaps}/a`);
      });
    await expect(client.create(configMaps, configMap('a'))).rejects.toThrow('other side closed');
    expect(seenByAct).toBeDefined();
  });

  test('a write that is held back lands after its sender is gone', async () => {
    const { proxy, client, truth, configMaps } = await setUp();
    const release = Promise.withResolvers<void>();
    proxy.rule = ({ verb }) => (verb === 'create' ? delay(release.promise) : forward);
    const sent = client.create(configMaps, configMap('late')).catch(() => 'gone');
    await eventually('the proxy has it', () => proxy.requests.some(({ verb }) => verb === 'create'));
    proxy.disconnect();
    expect(await sent).toBe('gone');
    expect(await truth.get(`${configMaps}/late`)).toBeUndefined();
    release.resolve();
    await eventually('it landed', () => truth.get(`${configMaps}/late`));
  });

  test('runs one act before the API server sees the request, and one before the client has its answer', async () => {
    const { proxy, client, truth, configMaps } = await setUp();
    const seen: unknown[] = [];
    const look = async () => seen.push((await truth.get(`${configMaps}/a`)) !== undefined);
    proxy.rule = () => ({ do: 'forward', before: look, after: look });
    await client.create(configMaps, configMap('a'));
    expect(seen).toEqual([false, true]);
  });
});

describe('faults of watches', () => {
  test('cuts a line in the middle', async () => {
    const world = await setUp();
    const seen = await watch(world, world.configMaps);
    await world.truth.create(world.configMaps, configMap('a'));
    await eventually('the first event', () => seen.text.endsWith('\n'));
    world.proxy.watches('configmaps').cut();
    await world.truth.create(world.configMaps, configMap('b'));
    await eventually('the cut', () => seen.end === 'broken');
    expect(seen.text.split('\n').at(-1)).toMatch(/^\{"type":"ADDED"/);
  });

  test('goes silent and stays open', async () => {
    const world = await setUp();
    const [seen, other] = [
      await watch(world, world.configMaps),
      await watch(world, `/api/v1/namespaces/${world.namespace}/secrets`),
    ];
    world.proxy.watches('configmaps').silence();
    await world.truth.create(world.configMaps, configMap('a'));
    await world.truth.create(`/api/v1/namespaces/${world.namespace}/secrets`, configMap('s'));
    await eventually('the watch that is not silent goes on', () => other.text !== '');
    expect(seen).toEqual({ text: '', end: '' });
  });

  test('holds events back by a number, also on watches that come later', async () => {
    const world = await setUp();
    world.proxy.watches('configmaps').hold(2);
    const seen = await watch(world, world.configMaps);
    for (const name of ['a', 'b', 'c']) await world.truth.create(world.configMaps, configMap(name));
    await eventually('the first', () => seen.text.includes('"name":"a"'));
    expect(seen.text.trim().split('\n')).toHaveLength(1);
    world.proxy.watches('configmaps').release();
    await eventually('the others, in order', () => /"name":"b"[\s\S]*"name":"c"/.test(seen.text));
  });

  test('leaves no watch behind at the API server when its client goes', async () => {
    const world = await setUp();
    // A resource that nobody else watches in a namespace.
    const isOpen = async () => {
      const metrics = String((await world.truth.call('/metrics')).body);
      const open = /^apiserver_longrunning_requests\{.*resource="podtemplates",scope="namespace".*\} (\d+)$/m.exec(
        metrics,
      );
      return open !== null && open[1] !== '0';
    };
    await watch(world, `/api/v1/namespaces/${world.namespace}/podtemplates`);
    await eventually('it is open', isOpen);
    world.proxy.disconnect();
    await eventually('it is closed', async () => !(await isOpen()));
    expect(world.proxy.watches('podtemplates').count).toBe(0);
  });
});

describe('Leases of its own', () => {
  const lease = (name: string, holderIdentity: string) => ({ metadata: { name }, spec: { holderIdentity } });

  test('are kept by another name that the client never sees', async () => {
    const world = await setUp('second-');
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${world.namespace}/leases`;
    await world.truth.create(leases, lease('botmint-shard-0', 'somebody-else'));
    expect(await world.client.get(`${leases}/botmint-shard-0`)).toBeUndefined();
    const seen = await watch(world, leases);

    expect((await world.client.create(leases, lease('botmint-shard-0', 'me'))).metadata.name).toBe('botmint-shard-0');
    await world.client.patch(`${leases}/botmint-shard-0`, { spec: { holderIdentity: 'me-again' } });

    expect((await world.truth.list(leases)).map(({ metadata }) => metadata.name)).toEqual([
      'botmint-shard-0',
      'second-botmint-shard-0',
    ]);
    expect((await world.client.list(leases)).map(({ metadata }) => metadata.name)).toEqual(['botmint-shard-0']);
    await eventually('the watch', () => seen.text.includes('"MODIFIED"'));
    expect(seen.text).not.toContain('second-');
    expect(seen.text).not.toContain('somebody-else');
    await world.client.delete(`${leases}/botmint-shard-0`);
    expect(await world.truth.list(leases)).toHaveLength(1);
  });
});
