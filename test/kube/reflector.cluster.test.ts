import { describe, expect, test } from 'vitest';
import { configMaps, secretMetadata, secrets } from '../../src/kube/core-kinds.ts';
import { Lines } from '../../src/kube/lines.ts';
import { type KubeObject, MalformedObject, parseKubeObject, type Resource } from '../../src/kube/objects.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { drop, forward, refuse } from '../faults/proxy.ts';
import { calls, clientBehindProxy, clientFor, follow } from './follower.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);

async function setUp() {
  const namespace = await cluster.namespace();
  const { client, metrics } = clientFor(cluster.kubeconfigPath);
  const make = (name: string, more: object = {}) =>
    client.create(configMaps, { metadata: { namespace, name, ...more } }, { signal });
  const remove = (name: string, { metadata: { uid } }: KubeObject) =>
    client.delete(configMaps, { namespace, name }, { signal, uid });
  return { namespace, client, metrics, make, remove };
}

/** The same behind a proxy that makes faults; what is made and removed goes past it. */
async function setUpFaults() {
  return { ...(await setUp()), ...(await clientBehindProxy(cluster)) };
}

describe('following', () => {
  test('what is there, what comes, what changes and what goes', async () => {
    const { namespace, client, make } = await setUp();
    await make('a');
    const { store } = await follow(client, configMaps, { namespace });
    expect(store.get(`${namespace}/a`)).toBeDefined();
    const { metadata } = await make('b');
    const ref = { namespace, name: 'b' };
    await client.patch(configMaps, ref, { data: { k: 'v' } }, { signal, ...metadata });
    await eventually('the change', () => store.get(`${namespace}/b`)?.data.k === 'v');
    await client.delete(configMaps, ref, { signal, uid: metadata.uid });
    await eventually('the end', () => store.get(`${namespace}/b`) === undefined);
  });

  test('metadata only, of what a label selects; losing the label is leaving', async () => {
    const { namespace, client } = await setUp();
    const selected = { namespace, name: 'a', labels: { 'x.dev/selected': 'yes' } };
    const stringData = { key: 'canary' };
    await client.create(secretMetadata, { metadata: selected, stringData }, { signal });
    await client.create(secretMetadata, { metadata: { namespace, name: 'b' }, stringData }, { signal });
    const { store } = await follow(client, secretMetadata, { labelSelector: 'x.dev/selected', namespace });
    expect([...store.values()].map(each => each.metadata.name)).toEqual(['a']);
    expect(JSON.stringify([...store.values()])).not.toMatch(/canary|Y2FuYXJ5|"data"/);
    const off = { metadata: { labels: null } };
    const resourceVersion = store.get(`${namespace}/a`)?.metadata.resourceVersion ?? '';
    const answer = await client.patch(secretMetadata, { namespace, name: 'a' }, off, { signal, resourceVersion });
    store.put(answer);
    await eventually('it left', () => store.size === 0);
  });

  test('Secrets with their values is refused', async () => {
    const { client } = await setUp();
    await expect(follow(client, secrets)).rejects.toThrow('metadata only');
  });

  test('page after page', async () => {
    const { namespace, client, metrics, make } = await setUp();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await make(name);
    const { store } = await follow(client, configMaps, { namespace, pageSize: 2 });
    expect([store.size, await calls(metrics, 'list', 'configmaps')]).toEqual([5, 3]);
  });

  test('an object that its parser refuses is reported, and is not absent', async () => {
    const { namespace, client, make } = await setUp();
    const refused: string[] = [];
    const picky: Resource = {
      ...configMaps,
      parse: value => {
        const object = parseKubeObject(value);
        if (object.metadata.labels?.['x.dev/form'] === '9') throw new MalformedObject('a form of tomorrow');
        return object;
      },
    };
    await make('old', { labels: { 'x.dev/form': '9' } });
    const options = {
      namespace,
      refused: (object: { metadata: { name: string } }) => refused.push(object.metadata.name),
    };
    const { store } = await follow(client, picky, options);
    await make('new', { labels: { 'x.dev/form': '9' } });
    await make('good');
    await eventually('the good one', () => store.get(`${namespace}/good`));
    expect(refused).toEqual(['old', 'new']);
    expect(['old', 'new'].map(name => store.unreadable(`${namespace}/${name}`)?.metadata.name)).toEqual(['old', 'new']);
  });
});

describe('freshness', () => {
  test.for([
    ['whole objects', configMaps],
    ['metadata only', { ...configMaps, metadataOnly: true }],
  ] as const)(
    'of %s: a watch of 10 s gets a bookmark just before its end, when anything of the resource has changed',
    async ([, resource]) => {
      const { namespace, client, make } = await setUp();
      const { resourceVersion } = await client.list(resource, { signal, limit: 1 });
      const elsewhere = await cluster.namespace();
      const lines = new Lines();
      const seen: { at: number; line: string }[] = [];
      const started = performance.now();
      const watching = client.watch(resource, {
        signal,
        namespace: elsewhere,
        resourceVersion,
        timeoutSeconds: 10,
        silenceMilliseconds: 20_000,
        onChunk: chunk => {
          for (const line of lines.push(chunk)) seen.push({ at: (performance.now() - started) / 1000, line });
        },
      });
      const { metadata } = await make(`made-in-${namespace}`);
      await watching; // ended by the server, after its 10 s
      const bookmark = seen.find(({ line }) => line.startsWith('{"type":"BOOKMARK"'));
      expect(bookmark?.at).toBeGreaterThan(7);
      const version = /"resourceVersion":"(\d+)"/.exec(bookmark?.line ?? '')?.[1];
      expect(Number(version)).toBeGreaterThanOrEqual(Number(metadata.resourceVersion));
    },
  );

  test('a quiet resource, which gets no bookmarks, stays fresh over several watches with one list', async () => {
    const { client, metrics } = await setUp();
    const quiet = {
      group: 'scheduling.k8s.io',
      version: 'v1',
      plural: 'priorityclasses',
      kind: 'PriorityClass',
      namespaced: false,
      parse: parseKubeObject,
    };
    const { reflector } = await follow(client, quiet, { watchSeconds: 2 });
    const listed = reflector.age() - performance.now();
    const watches = () => calls(metrics, 'watch', 'priorityclasses');
    for (const count of [1, 2, 3]) {
      await eventually(`the end of watch ${count}`, async () => (await watches()) >= count);
      // Each watch that has run its 2 s makes the cache as much younger than its one list, however slow the machine is.
      expect(performance.now() + listed - reflector.age()).toBeGreaterThan(count * 1900);
    }
    expect(await calls(metrics, 'list', 'priorityclasses')).toBe(1);
  });
});

describe('faults', () => {
  test('a watch that is cut in the middle of a line loses nothing and lists nothing', async () => {
    const { namespace, proxy, client, metrics, make } = await setUpFaults();
    const { store, changes } = await follow(client, configMaps, { namespace });
    await eventually('the watch', () => proxy.watches('configmaps').count === 1);
    proxy.watches('configmaps').cut();
    await make('a');
    await make('b');
    await eventually('both', () => store.size === 2);
    expect(changes.map(each => each.name)).toEqual(['a', 'b']);
    expect(await calls(metrics, 'list', 'configmaps')).toBe(1);
  });

  test('a watch that goes silent is given up 10 s after its end was due', async () => {
    const { namespace, proxy, client, make } = await setUpFaults();
    const { store, reflector } = await follow(client, configMaps, { namespace, watchSeconds: 2 });
    await eventually('the watch', () => proxy.watches('configmaps').count === 1);
    proxy.watches('configmaps').silence();
    await make('a');
    await eventually('it is old', () => reflector.age() > 8000);
    expect(store.size).toBe(0);
    await eventually('the object', () => store.size === 1);
  });

  test('410 for a watch leads to a list, and what went and came back meanwhile is two changes', async () => {
    const { namespace, proxy, client, metrics, make, remove } = await setUpFaults();
    const first = await make('a');
    const { store, changes } = await follow(client, configMaps, { namespace });
    await eventually('the watch', () => proxy.watches('configmaps').count === 1);
    proxy.rule = request => (request.verb === 'watch' ? drop : forward);
    proxy.disconnect();
    await remove('a', first);
    const second = await make('a');
    let gone = 0;
    proxy.rule = request => (request.verb === 'watch' && gone++ === 0 ? refuse(410, 'Expired') : forward);
    await eventually('the new one', () => store.get(`${namespace}/a`)?.metadata.uid === second.metadata.uid);
    expect(changes.slice(1)).toEqual([
      { name: 'a', before: first.metadata.uid, after: undefined },
      { name: 'a', before: undefined, after: second.metadata.uid },
    ]);
    expect(await calls(metrics, 'list', 'configmaps')).toBe(2);
  });

  test('a gap without 410 is caught up from where the watch was', async () => {
    const { namespace, proxy, client, metrics, make, remove } = await setUpFaults();
    const first = await make('a');
    const { store, changes } = await follow(client, configMaps, { namespace });
    await eventually('the watch', () => proxy.watches('configmaps').count === 1);
    proxy.rule = request => (request.verb === 'watch' ? drop : forward);
    proxy.disconnect();
    await remove('a', first);
    const second = await make('a');
    proxy.rule = () => forward;
    await eventually('the new one', () => store.get(`${namespace}/a`)?.metadata.uid === second.metadata.uid);
    expect(changes.map(each => [each.before, each.after])).toEqual([
      [undefined, first.metadata.uid],
      [first.metadata.uid, undefined],
      [undefined, second.metadata.uid],
    ]);
    expect(await calls(metrics, 'list', 'configmaps')).toBe(1);
  });
});
