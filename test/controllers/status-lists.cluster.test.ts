import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { BotToken } from '../../src/api/bot-token.ts';
import type { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { StatusLists } from '../../src/controllers/status-lists.ts';
import { carriedBy } from '../../src/decide/listing.ts';
import { listSize, placeOf, StatusList } from '../../src/issuers/jwt/status-list.ts';
import { Client } from '../../src/kube/client.ts';
import { loadConfig } from '../../src/kube/config.ts';
import { replicaName } from '../../src/kube/sharding.ts';
import { type Api, eventually, sharedCluster } from '../cluster/cluster.ts';
import { fresh } from '../decide/healthy.ts';
import { calls } from '../kube/follower.ts';

const cluster = sharedCluster();
const log = createLog('silent', 'json');
const signal = AbortSignal.timeout(600_000);
let api: Api;

beforeAll(async () => {
  api = await cluster.api();
});

const Data = z.object({ lst: z.string(), held: z.string(), closed: z.string() });
let issuers = 0;

/** An issuer and a namespace for the operator of their own, and replicas that share them. */
class Place {
  readonly namespace: string;
  readonly issuer: ClusterTokenIssuer;
  readonly stops: (() => Promise<void>)[] = [];

  constructor(namespace: string, issuer: ClusterTokenIssuer) {
    this.namespace = namespace;
    this.issuer = issuer;
  }

  static async make(): Promise<Place> {
    const namespace = await cluster.namespace();
    const name = `lists-${namespace}-${++issuers}`;
    const jwt = { issuerURL: `https://${name}.example.com`, audiences: ['https://a.example.com'] };
    const made = await api.create('/apis/botmint.dev/v1alpha1/clustertokenissuers', {
      apiVersion: 'botmint.dev/v1alpha1',
      kind: 'ClusterTokenIssuer',
      metadata: { name },
      spec: { jwt, allowedNamespaces: { from: 'All' } },
    });
    const place = new Place(namespace, made as unknown as ClusterTokenIssuer);
    onTestFinished(async () => {
      for (const stop of place.stops) await stop();
      await api.delete(`/apis/botmint.dev/v1alpha1/clustertokenissuers/${name}`);
    });
    return place;
  }

  /** A replica whose caches have caught up. `watches: false`: it hears nothing more. */
  async replica(
    identity: string,
    o: { owns?: boolean; timings?: { lookMilliseconds: number; goneMilliseconds: number } } = {},
  ) {
    const config = loadConfig({ kubeconfig: cluster.kubeconfigPath });
    const metrics = new Metrics();
    const client = new Client({ config, log, metrics, userAgent: 'test' });
    const { namespace } = this;
    const caches = new Caches({ client, namespace, log, clock: systemClock });
    const stopping = new AbortController();
    const owns = () => o.owns ?? true;
    const timings = o.timings === undefined ? {} : { timings: o.timings };
    const lists = new StatusLists({ client, caches, namespace, identity, owns, clock: systemClock, log, ...timings });
    const running = [caches.run(stopping.signal)];
    await caches.whenSynced(signal);
    const stop = async () => {
      stopping.abort();
      await Promise.all(running);
      await client.close();
    };
    this.stops.push(stop);
    const start = () => void running.push(lists.run(stopping.signal));
    /** How often it has written a list, or met another version than it knew. */
    const patches = async () => {
      const answered = (code: string) => calls(metrics, 'patch', 'configmaps', code);
      return (await answered('200')) + (await answered('409'));
    };
    return { lists, caches, start, patches };
  }

  get path(): string {
    return `/api/v1/namespaces/${this.namespace}/configmaps`;
  }

  async shards() {
    const found = await api.list(`${this.path}?labelSelector=botmint.dev/managed=status-list`);
    return found.map(object => ({ object, data: Data.parse(object.data) }));
  }

  async shard() {
    const [first, ...others] = await this.shards();
    if (first === undefined || others.length > 0) throw new Error(`${others.length} more lists than one`);
    const list = StatusList.decode(first.data.lst);
    return { path: `${this.path}/${first.object.metadata.name}`, object: first.object, data: first.data, list };
  }

  async at(index: number) {
    return (await this.shard()).list.at(placeOf(index).idx);
  }

  take({ lists }: { lists: StatusLists }, token: BotToken = fresh) {
    return lists.take(this.issuer, token, signal);
  }
}

const invalid = (...indexes: number[]) => indexes.map(index => ({ index, status: 'INVALID' as const }));

describe('indexes', () => {
  test('are given once, by two replicas that have never heard of each other', async () => {
    const place = await Place.make();
    const [a, b] = [await place.replica('a'), await place.replica('b')];
    const takes = Array.from({ length: 300 }, (_, n) => place.take(n % 2 === 0 ? a : b));
    const indexes = await Promise.all(takes);
    expect(new Set(indexes).size).toBe(300);
    const again = await place.replica('a-after-its-restart');
    const more = await Promise.all(Array.from({ length: 300 }, () => place.take(again)));
    expect(new Set([...indexes, ...more]).size).toBe(600);
    // Sparse: they are spread over their lists, so they do not say how many there are.
    expect(Math.max(...more.map(index => placeOf(index).idx))).toBeGreaterThan(600);
  });

  test('cost one write for a whole range, and none before the first', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    expect(await place.shards()).toEqual([]);
    await place.take(replica);
    const { object } = await place.shard();
    await Promise.all(Array.from({ length: 255 }, () => place.take(replica)));
    expect((await place.shard()).object.metadata.resourceVersion).toBe(object.metadata.resourceVersion);
    await place.take(replica);
    expect(Object.values(JSON.parse((await place.shard()).data.held))).toEqual(['a', 'a']);
  });

  test('go on in a new list where a list is used up', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    const first = await place.take(replica);
    const { path } = await place.shard();
    const closed = JSON.stringify(Array.from({ length: 512 }, (_, range) => range));
    await api.patch(path, { data: { held: '{}', closed } });
    await eventually('the replica sees it', () => replica.caches.statusLists.get(pathKey(path))?.hasRoom === false);
    expect(placeOf(await place.take(replica)).list).not.toBe(placeOf(first).list);
    expect(await place.shards()).toHaveLength(2);
  });
});

function pathKey(path: string): string {
  const [, , , , namespace, , name] = path.split('/');
  return `${namespace}/${name}`;
}

describe('revocations', () => {
  test('by two replicas at once are all in the list, in a few writes', async () => {
    const place = await Place.make();
    const [a, b] = [await place.replica('a'), await place.replica('b')];
    const indexes = await Promise.all(Array.from({ length: 200 }, () => place.take(a)));
    await eventually('b sees the list', () => b.caches.statusLists.size === 1);
    const issuer = { uid: place.issuer.metadata.uid };
    await Promise.all(indexes.map((index, n) => (n % 2 === 0 ? a : b).lists.write(issuer, invalid(index), signal)));
    const { list } = await place.shard();
    expect(indexes.filter(index => list.at(placeOf(index).idx) !== 'INVALID')).toEqual([]);
    expect((await a.patches()) + (await b.patches())).toBeLessThan(20);
  });

  test('are seen by every replica', async () => {
    const place = await Place.make();
    const [a, b] = [await place.replica('a'), await place.replica('b')];
    const index = await place.take(a);
    await eventually('b sees the list', () => b.lists.seen(index, place.issuer.metadata.uid) === 'VALID');
    await a.lists.write(place.issuer.metadata, invalid(index), signal);
    await eventually('b sees it', () => b.lists.seen(index, place.issuer.metadata.uid) === 'INVALID');
  });

  test('are final; a suspension is not', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    const [revoked, suspended] = [await place.take(replica), await place.take(replica)];
    const { metadata } = place.issuer;
    const write = (index: number, status: 'VALID' | 'INVALID' | 'SUSPENDED') =>
      replica.lists.write(metadata, [{ index, status }], signal);
    await write(revoked, 'INVALID');
    await write(revoked, 'VALID');
    await write(revoked, 'SUSPENDED');
    await write(suspended, 'SUSPENDED');
    expect([await place.at(revoked), await place.at(suspended)]).toEqual(['INVALID', 'SUSPENDED']);
    await write(suspended, 'VALID');
    expect(await place.at(suspended)).toBe('VALID');
    const { object } = await place.shard();
    await write(revoked, 'INVALID');
    expect((await place.shard()).object.metadata.resourceVersion).toBe(object.metadata.resourceVersion);
  });
});

describe('a list that somebody edits', () => {
  test('so that a revoked token is valid again is put right', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    const index = await place.take(replica);
    const { path, data } = await place.shard();
    await replica.lists.write(place.issuer.metadata, invalid(index), signal);
    await api.patch(path, { data: { lst: data.lst } });
    await eventually('the token is revoked again', async () => (await place.at(index)) === 'INVALID');
  });

  test('into something else is never written over; indexes come from another one', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    const index = await place.take(replica);
    const { path } = await place.shard();
    await api.patch(path, { data: { lst: 'broken' } });
    await eventually('it is seen', () => replica.lists.seen(index, place.issuer.metadata.uid) === 'unreadable');
    const written = replica.lists.write(place.issuer.metadata, invalid(index), signal);
    await expect(written).rejects.toMatchObject({ reason: 'StatusListInvalid' });
    expect(placeOf(await place.take(replica)).list).not.toBe(placeOf(index).list);
    expect((await api.get(path))?.data).toMatchObject({ lst: 'broken' });
  });

  test('and deletes is made anew: what no token carries is INVALID, and nothing of it is given again', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    const [revoked, other] = [await place.take(replica), await place.take(replica)];
    await replica.lists.write(place.issuer.metadata, invalid(revoked), signal);
    const { path } = await place.shard();
    await api.delete(path);
    await eventually('it is seen', () => replica.lists.seen(other, place.issuer.metadata.uid) === 'missing');
    await replica.lists.write(place.issuer.metadata, [], signal);
    expect(await place.shards()).toEqual([]);
    await replica.lists.write(place.issuer.metadata, invalid(other), signal);
    const { list, data } = await place.shard();
    expect([list.at(placeOf(revoked).idx), list.at(0), list.at(listSize - 1)]).toEqual([
      'INVALID',
      'INVALID',
      'INVALID',
    ]);
    expect(JSON.parse(data.closed)).toHaveLength(512);
    expect(placeOf(await place.take(replica)).list).not.toBe(placeOf(revoked).list);
  });

  test('or unlabels is found again', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    const index = await place.take(replica);
    const { path } = await place.shard();
    await api.patch(path, { metadata: { labels: { 'botmint.dev/managed': null } } });
    await eventually('it is seen', () => replica.lists.seen(index, place.issuer.metadata.uid) === 'missing');
    await replica.lists.write(place.issuer.metadata, invalid(index), signal);
    expect(await place.at(index)).toBe('INVALID');
  });
});

/** What the cache of a replica shows of the tokens of a namespace. */
function indexesOf({ caches }: Awaited<ReturnType<Place['replica']>>, namespace: string) {
  const own = [...caches.tokens.values()].filter(({ metadata }) => metadata.namespace === namespace);
  return own.flatMap(token => carriedBy({ object: token, secret: { state: 'absent', confirmed: false } }));
}

describe('what was left behind', () => {
  const timings = { lookMilliseconds: 50, goneMilliseconds: 300 };

  /** A BotToken whose record names an index. */
  async function carrier(namespace: string, name: string, index: number): Promise<void> {
    const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens`;
    const spec = { botUserRef: { name: 'nobody' }, expiresIn: '90d', secret: {} };
    await api.create(path, { apiVersion: 'botmint.dev/v1alpha1', kind: 'BotToken', metadata: { name }, spec });
    const issued = { inputs: { format: 1, statusListIndex: index }, secret: { name, uid: 'u' } };
    await api.patch(`${path}/${name}/status`, { status: { issued } });
  }

  test('by a replica that is gone is closed: what no token carries is INVALID', async () => {
    const place = await Place.make();
    const dead = await place.replica('dead');
    const [lost, carried] = [await place.take(dead), await place.take(dead)];
    await carrier(place.namespace, 'carrier', carried);
    const other = await place.replica('other', { timings });
    other.start();
    const closed = async () => JSON.parse((await place.shard()).data.closed).length === 1;
    await eventually('the range is closed', closed);
    const { list, data } = await place.shard();
    expect([list.at(placeOf(lost).idx), list.at(placeOf(carried).idx), data.held]).toEqual(['INVALID', 'VALID', '{}']);
    // Should it live after all: it gives nothing more of that range.
    await eventually('the dead one hears of it', () => dead.lists.seen(lost, place.issuer.metadata.uid) === 'INVALID');
    const next = Math.floor(placeOf(await place.take(dead)).idx / 256);
    expect(next).not.toBe(Math.floor(placeOf(lost).idx / 256));
  });

  test('is left alone while the replica holds its Lease, and by replicas that do not work on the issuer', async () => {
    const place = await Place.make();
    const alive = await place.replica('alive');
    const path = `/apis/coordination.k8s.io/v1/namespaces/${place.namespace}/leases`;
    const labels = { 'botmint.dev/lease': 'replica' };
    await api.create(path, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: replicaName('alive'), labels },
      spec: { holderIdentity: 'alive' },
    });
    await place.take(alive);
    const gone = await place.replica('gone');
    await place.take(gone);
    const holders = async () => Object.values<string>(JSON.parse((await place.shard()).data.held));
    const stranger = await place.replica('stranger', { timings, owns: false });
    stranger.start();
    const other = await place.replica('other', { timings });
    expect(new Set(await holders())).toEqual(new Set(['alive', 'gone']));
    other.start();
    await eventually('the other range is closed', async () => (await holders()).length === 1);
    expect(await holders()).toEqual(['alive']);
    await api.delete(`${path}/${replicaName('alive')}`);
    await eventually('this range is closed too', async () => (await holders()).length === 0);
  });

  test('by a BotToken that goes without its finalizer is revoked', async () => {
    const place = await Place.make();
    const replica = await place.replica('a', { timings });
    // A token with no record of its index is taken for lost after a minute.
    const named = (name: string) => ({ ...fresh, metadata: { ...fresh.metadata, namespace: place.namespace, name } });
    const [forced, other] = [await place.take(replica, named('forced')), await place.take(replica, named('other'))];
    await carrier(place.namespace, 'forced', forced);
    await carrier(place.namespace, 'other', other);
    await eventually('both are seen', () => indexesOf(replica, place.namespace).length === 2);
    replica.start();
    await api.delete(`/apis/botmint.dev/v1alpha1/namespaces/${place.namespace}/bottokens/forced`);
    await eventually('it is revoked', async () => (await place.at(forced)) === 'INVALID');
    expect(await place.at(other)).toBe('VALID');
  });

  test('by a replica that stops is closed by itself', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    const token = { ...fresh, metadata: { ...fresh.metadata, namespace: place.namespace } };
    const [lost, carried] = [await place.take(replica, token), await place.take(replica, token)];
    await carrier(place.namespace, fresh.metadata.name, carried);
    await replica.lists.leave(signal);
    const { list, data } = await place.shard();
    expect(data.held).toBe('{}');
    expect([list.at(placeOf(lost).idx), list.at(placeOf(carried).idx)]).toEqual(['INVALID', 'VALID']);
    const range = Math.floor(placeOf(carried).idx / 256) * 256;
    const statuses = Array.from({ length: 256 }, (_, n) => list.at(range + n));
    expect(statuses.filter(status => status === 'INVALID')).toHaveLength(255);
  });

  test('by a replica that never gave one costs nothing', async () => {
    const place = await Place.make();
    const replica = await place.replica('a');
    await replica.lists.leave(signal);
    expect(await place.shards()).toEqual([]);
  });
});
