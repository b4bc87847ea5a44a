import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { Copies } from '../../src/controllers/copies.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import type { CopyChange, CopySeen } from '../../src/decide/copies-seen.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { copied, source } from '../decide/copied.ts';
import { forward, refuse } from '../faults/proxy.ts';
import { clientBehindProxy } from '../kube/follower.ts';
import { silent } from '../kube/local-server.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);
const token = copied();
const stale = { uid: 'stale', resourceVersion: '1', creationTimestamp: '' };

type Change = CopyChange extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'place' | 'wanted' | 'namespace'>
    : never
  : never;

/** A Secret, a namespace that takes a copy of it, and an API server that refuses what a test says. */
async function distributing(clock: Clock = systemClock) {
  const [from, to] = [await cluster.namespace(), await cluster.namespace()];
  const { client, proxy } = await clientBehindProxy(cluster);
  const caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock });
  const object = { ...token, metadata: { ...token.metadata, namespace: from } };
  caches.tokens.put(object);
  const api = await cluster.api();
  const body = { metadata: { name: 'deploy' }, type: 'example.com/any', data: { token: 'dmFsdWU=' } };
  const { metadata } = await api.create(`/api/v1/namespaces/${from}/secrets`, body);
  const of = { ...source, uid: metadata.uid, resourceVersion: metadata.resourceVersion };
  const told: string[] = [];
  const copies = new Copies({
    world: {
      caches,
      client,
      clock,
      metrics: tokenMetrics(new Metrics()),
      report: (_, __, { message }) => void told.push(message),
    },
    kind: botTokens,
    store: caches.tokens,
    digestKey: new SecretValue('digest key'),
    isCurrent: async () => true,
  });
  const carryOut = (change: Change, by: typeof object = object) => {
    const changes = [{ place: to, wanted: 'this', namespace: to, ...change }];
    return copies.carryOut(by, { do: 'copy', source: of, changes }, signal);
  };
  const path = `/api/v1/namespaces/${to}/secrets/deploy`;
  const key = `${to}/deploy`;
  const account = async () => {
    const accounts = `/api/v1/namespaces/${to}/serviceaccounts`;
    await api.create(accounts, {
      metadata: { name: 'builder' },
      imagePullSecrets: [{ name: 'own' }, { name: 'deploy' }],
    });
    return async () => (await api.get(`${accounts}/builder`))?.imagePullSecrets;
  };
  /** Whatever the caches show, the end of a token takes its copies away. */
  const revoked = { ...object, spec: { ...object.spec, revoked: true } };
  const end = (over: CopySeen) => carryOut({ do: 'delete', over }, revoked);
  const write = async (serviceAccounts: readonly string[] = []) => {
    await carryOut({ do: 'write', over: undefined, serviceAccounts });
    return seenCopy();
  };
  const seenCopy = () => {
    const over = copies.seen(object)?.copies[0];
    if (over === undefined) throw new Error('the copy is not seen');
    return over;
  };
  const trouble = () => copies.seen(object)?.attempt(to)?.trouble;
  const live = () => api.get(path);
  return {
    api,
    caches,
    proxy,
    copies,
    object,
    to,
    path,
    key,
    told,
    account,
    carryOut,
    end,
    write,
    seenCopy,
    trouble,
    live,
  };
}

describe('a copy', () => {
  test('is the Secret with all its values, and nothing of what somebody added stays in it', async () => {
    const { api, path, carryOut, write, seenCopy, live } = await distributing();
    await write();
    expect(await live()).toMatchObject({ type: 'example.com/any', data: { token: 'dmFsdWU=' } });
    await api.patch(path, { data: { token: 'b3RoZXI=', more: 'bW9yZQ==' } });
    await carryOut({ do: 'read', over: seenCopy() });
    await carryOut({ do: 'write', over: seenCopy(), serviceAccounts: [] });
    expect((await live())?.data).toEqual({ token: 'dmFsdWU=' });
  });

  test('that was labelled is known to have what it had: a key that somebody adds later is taken out', async () => {
    const { api, path, carryOut, write, seenCopy, live } = await distributing();
    await write();
    await api.patch(path, { data: { more: 'bW9yZQ==' } });
    await carryOut({ do: 'read', over: seenCopy() });
    await carryOut({ do: 'label', over: seenCopy(), serviceAccounts: [] });
    await carryOut({ do: 'write', over: seenCopy(), serviceAccounts: [] });
    expect((await live())?.data).toEqual({ token: 'dmFsdWU=' });
  });

  test('that has moved since it was seen is left to the next look', async () => {
    const { api, path, carryOut, end, write, seenCopy, trouble, live } = await distributing();
    const over = await write();
    const { metadata } = await api.patch(path, { metadata: { labels: { theirs: 'x' } } });
    for (const late of [
      () => carryOut({ do: 'label', over, serviceAccounts: ['builder'] }),
      () => carryOut({ do: 'write', over, serviceAccounts: ['builder'] }),
      () => end(over),
    ]) {
      await late();
      expect((await live())?.metadata.resourceVersion).toBe(metadata.resourceVersion);
      expect(seenCopy().resourceVersion).toBe(metadata.resourceVersion);
      expect(trouble()).toContain('is changed by somebody else');
    }
  });

  test('is not made from a Secret that has moved since it was decided about', async () => {
    const { api, object, carryOut, live } = await distributing();
    const secret = `/api/v1/namespaces/${object.metadata.namespace}/secrets/deploy`;
    await api.patch(secret, { data: { token: 'b3RoZXI=' } });
    await carryOut({ do: 'write', over: undefined, serviceAccounts: [] });
    expect(await live()).toBeUndefined();
  });

  test('does not take the place of a Secret that is not from botmint', async () => {
    const { api, path, carryOut, trouble, live } = await distributing();
    await api.create(path.replace('/deploy', ''), { metadata: { name: 'deploy' }, data: { theirs: 'eA==' } });
    await carryOut({ do: 'write', over: undefined, serviceAccounts: [] });
    expect((await live())?.data).toEqual({ theirs: 'eA==' });
    expect(trouble()).toContain('is not from botmint');
  });

  test('that lost its label is known by its marks', async () => {
    const { api, caches, path, key, carryOut, write, trouble, live } = await distributing();
    const { uid } = await write();
    await api.patch(path, { metadata: { labels: { 'botmint.dev/managed': null } }, data: { more: 'bW9yZQ==' } });
    caches.secrets.remove(key, uid);
    await carryOut({ do: 'write', over: undefined, serviceAccounts: [] });
    expect(trouble()).toBeUndefined();
    expect(await live()).toMatchObject({ metadata: { uid, labels: { 'botmint.dev/managed': 'copy' } } });
    expect((await live())?.data).toEqual({ token: 'dmFsdWU=' });
  });

  test('goes with its name in the lists that it was put into', async () => {
    const { account, end, write, live } = await distributing();
    const lists = await account();
    await end(await write(['builder']));
    expect([await live(), await lists()]).toEqual([undefined, [{ name: 'own' }]]);
  });

  test('goes although its name cannot be taken out of a list, and that is told', async () => {
    const { account, proxy, told, end, write, live } = await distributing();
    await account();
    const over = await write(['builder']);
    proxy.rule = ({ verb, resource }) =>
      verb === 'patch' && resource === 'serviceaccounts' ? refuse(403, 'Forbidden', { message: 'no' }) : forward;
    await end(over);
    expect(await live()).toBeUndefined();
    expect(told).toEqual([expect.stringContaining('ServiceAccount builder still lists the Secret deploy')]);
  });

  test('that a finalizer holds is not taken for gone', async () => {
    const { api, caches, path, key, carryOut, end, write, seenCopy } = await distributing();
    await write();
    await api.patch(path, { metadata: { finalizers: ['example.com/held'] } });
    await carryOut({ do: 'read', over: seenCopy() });
    await end(seenCopy());
    expect(caches.secrets.get(key)).toBeDefined();
    await api.patch(path, { metadata: { finalizers: null } });
  });

  test('is none under another name, whatever its marks say', async () => {
    const { caches, copies, object, key, write } = await distributing();
    const { uid } = await write();
    const { metadata } = caches.secrets.get(key) ?? { metadata: undefined };
    if (metadata === undefined) throw new Error('the copy is not in the cache');
    caches.secrets.put({ metadata: { ...metadata, name: 'backup', uid: 'made-by-hand' } });
    expect(copies.seen(object)?.copies.map(copy => copy.uid)).toEqual([uid]);
  });

  test('that somebody deletes leaves behind whom it was for, until it is taken away', async () => {
    const { api, caches, copies, object, to, path, key, end, write } = await distributing();
    const { uid } = await write(['builder']);
    const noted = () => copies.seen(object)?.lastNoted(to);
    expect(noted()).toEqual([]);
    await api.delete(path);
    caches.secrets.remove(key, uid);
    expect(noted()).toEqual(['builder']);
    await end(await write(['builder']));
    expect(noted()).toEqual([]);
  });
});

describe('a change that fails', () => {
  test('is said in the words of the API server, without a value, and tried again when its namespace changes', async () => {
    const { caches, copies, object, proxy, to, carryOut, write, trouble } = await distributing();
    const over = await write();
    proxy.rule = ({ verb, resource }) =>
      verb === 'patch' && resource === 'secrets'
        ? refuse(403, 'Forbidden', { message: 'not dmFsdWU= nor value' })
        : forward;
    await carryOut({ do: 'write', over, serviceAccounts: [] });
    expect(trouble()).toMatch(/Secret deploy could not be written: Forbidden: not .* nor /);
    expect(trouble()).not.toMatch(/value|dmFsdWU=/);
    expect(copies.seen(object)?.attempt(to)?.at.getTime()).toBeGreaterThan(Date.now());
    caches.namespaces.put({ metadata: { ...stale, name: to, uid: to } });
    expect(copies.seen(object)?.attempt(to)).toBeUndefined();
  });

  test('for want of time is not begun', async () => {
    let now = 0;
    const { carryOut, trouble, live } = await distributing({ ...systemClock, monotonic: () => (now += 30_000) });
    await carryOut({ do: 'write', over: undefined, serviceAccounts: [] });
    expect(await live()).toBeUndefined();
    expect(trouble()).toContain('has to wait');
  });
});
