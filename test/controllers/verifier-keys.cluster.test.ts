import { randomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { pausedAnnotation } from '../../src/api/names.ts';
import { Metrics } from '../../src/base/metrics.ts';
import type { SecretValue } from '../../src/base/secret-value.ts';
import { SecretValue as Value } from '../../src/base/secret-value.ts';
import { HandOver } from '../../src/controllers/hand-over.ts';
import { ensureInstallation } from '../../src/controllers/installation.ts';
import { RobotAccounts } from '../../src/controllers/robot-accounts.ts';
import { RobotIDs } from '../../src/controllers/robot-ids.ts';
import { VerifierKeys } from '../../src/controllers/verifier-keys.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import { accountOf } from '../../src/issuers/registry/live.ts';
import { LogIns } from '../../src/issuers/registry/log-ins.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { clientFor } from '../kube/follower.ts';
import { silent } from '../kube/local-server.ts';
import { RegistryPlace } from './registry-place.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(120_000);
const newKey = () => randomBytes(32).toString('base64');
const revealed = (keys: ReadonlyMap<number, SecretValue>) =>
  Object.fromEntries([...keys].map(([number, key]) => [number, key.reveal()]));

describe('the first start of an installation', () => {
  async function place(data?: object) {
    const api = await cluster.api();
    const namespace = await cluster.namespace();
    const { client } = clientFor(cluster.kubeconfigPath);
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    const metadata = { name: 'botmint-operator', labels: { 'botmint.dev/managed': 'operator' } };
    if (data !== undefined) await api.create(path, { apiVersion: 'v1', kind: 'Secret', metadata, data });
    const start = () => ensureInstallation(client, namespace, 4, signal);
    const secret = async () => Data.parse(await api.get(`${path}/botmint-operator`)).data;
    return { start, secret };
  }
  const Data = z.object({ data: z.record(z.string(), z.string()) });

  test('makes one key for verifiers, whoever starts at the same time', async () => {
    const { start, secret } = await place();
    const all = await Promise.all([start(), start(), start()]);
    const key = (await secret())['verifier-1.key'];
    for (const { verifierKeys } of all) expect(revealed(verifierKeys)).toEqual({ 1: key });
  });

  test('after an upgrade makes it beside the key that is there, and leaves that alone', async () => {
    const digest = newKey();
    const { start, secret } = await place({ 'digest.key': digest });
    const all = await Promise.all([start(), start(), start()]);
    const data = await secret();
    expect(Object.keys(data).toSorted()).toEqual(['digest.key', 'verifier-1.key']);
    expect(data['digest.key']).toBe(digest);
    for (const { verifierKeys } of all) expect(revealed(verifierKeys)).toEqual({ 1: data['verifier-1.key'] });
  });

  test('takes all keys that are there by their numbers', async () => {
    const keys = { 'verifier-2.key': newKey(), 'verifier-10.key': newKey() };
    const others = { 'verifier-x.key': newKey(), 'verifier-03.key': newKey(), 'verifier-4.key': 'c2hvcnQ=' };
    const { start } = await place({ 'digest.key': newKey(), ...keys, ...others });
    const { verifierKeys } = await start();
    expect(revealed(verifierKeys)).toEqual({ 2: keys['verifier-2.key'], 10: keys['verifier-10.key'] });
  });

  test('does not go on with a key that is none', async () => {
    const { start } = await place({ 'digest.key': newKey(), 'verifier-1.key': 'c2hvcnQ=' });
    await expect(start()).rejects.toThrow('holds no verifier key: restore verifier-1.key');
  });
});

/** An issuer, and replicas that know its robots and the operator's keys. */
async function installed() {
  const place = await RegistryPlace.make();
  const { api, namespace } = place;
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const { client } = clientFor(cluster.kubeconfigPath);
  const installation = await ensureInstallation(client, namespace, 4, signal);
  const edit = (data: object) => api.patch(`${path}/botmint-operator`, { data });
  const replica = async (o: { follows?: boolean; ahead?: number } = {}) => {
    const { caches } = await place.replica();
    const clock = place.calendar;
    const { verifierKeys: keys, digestKey } = await ensureInstallation(client, namespace, 4, signal);
    const around = { client, namespace, secrets: caches.secrets, clock, log: silent };
    const verifierKeys = new VerifierKeys({ ...around, keys, knownAheadMilliseconds: o.ahead ?? 0 });
    let changes = 0;
    verifierKeys.onChange(() => changes++);
    const world = { caches, client, clock, metrics: tokenMetrics(new Metrics()), report: () => {} };
    const ids = new RobotIDs({ client, namespace });
    const { verifiers } = verifierKeys;
    const robots = new RobotAccounts(world, {
      statusLists: { seen: () => 'retired', write: async () => {} } as never, // robots are in none
      handOver: new HandOver(world, { namespace, clusterID: installation.clusterID }),
      digestKey,
      verifiers,
      refreshKeys: stopping => verifierKeys.refresh(stopping),
      takeID: issuer => ids.take(issuer, () => [], signal),
    });
    const follow = async () => {
      const stopping = new AbortController();
      const running = verifierKeys.run(stopping.signal);
      onTestFinished(async () => {
        stopping.abort();
        await running;
      });
    };
    if (o.follows !== false) await follow();
    const robot = (name: string) => caches.robots.get(`${namespace}/${name}`);
    const reconcile = async (name: string) => {
      await eventually(`the cache has ${name}`, () => robot(name));
      await robots.reconcile(`${namespace}/${name}`, signal);
    };
    const enter = async (name: string, shown: SecretValue) => {
      const seen = await eventually(`the cache has ${name}`, () => robot(name));
      const account = accountOf(seen, place, caches.secrets.get(`${namespace}/${name}`));
      const limit = { take: () => undefined, giveBack: () => {} };
      const attempt = { name: 'hub robot', account, secret: shown };
      return (await new LogIns(verifiers).logIn(attempt, { limit, now: clock.now() })).result;
    };
    return { caches, verifierKeys, verifiers, follow, reconcile, robot, enter, changes: () => changes };
  };
  return { place, edit, replica, path };
}

const Robot = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  status: z.looseObject({
    tokenID: z.string(),
    revision: z.number(),
    issued: z.looseObject({ inputs: z.looseObject({ robot: z.looseObject({ verifier: z.string() }) }) }),
  }),
});

/** A robot as it is made, and as the API server has it. */
async function robotOf({ place }: Awaited<ReturnType<typeof installed>>, name: string, own?: string) {
  const { api, namespace } = place;
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/robotaccounts`;
  const secretPath = `/api/v1/namespaces/${namespace}/secrets`;
  const source = { metadata: { name: `${name}-source` }, stringData: { password: own } };
  if (own !== undefined) await api.create(secretPath, { apiVersion: 'v1', kind: 'Secret', ...source });
  const valueFrom = { secretKeyRef: { name: `${name}-source`, key: 'password' } };
  const spec = {
    issuerRef: { kind: 'ClusterTokenIssuer', name: place.name },
    project: 'shop',
    permissions: ['PullArtifacts'],
    expiresIn: 'never',
    secret: { type: 'Opaque', data: [{ key: 'token', template: '$(token)' }], ...(own && { valueFrom }) },
  };
  await api.create(path, { apiVersion: 'botmint.dev/v1alpha1', kind: 'RobotAccount', metadata: { name }, spec });
  onTestFinished(() =>
    api.patch(`${path}/${name}`, { metadata: { finalizers: null } }).then(
      () => {},
      () => {},
    ),
  );
  const object = async () => Robot.parse(await api.get(`${path}/${name}`));
  const secret = async () => {
    const { data } = z
      .looseObject({ data: z.object({ token: z.string() }) })
      .parse(await api.get(`${secretPath}/${name}`));
    return new Value(Buffer.from(data.token, 'base64').toString());
  };
  const verifier = async () => (await object()).status.issued.inputs.robot.verifier;
  return { object, secret, verifier };
}

describe('a key that is added to the Secret of the operator', () => {
  test('is known at once by every replica and makes verifiers a while later', async () => {
    const { edit, replica } = await installed();
    const [a, b] = [await replica({ ahead: 300 }), await replica({ ahead: 60_000 })];
    const before = a.verifiers.current;
    expect(before).toMatchObject({ number: 1 });
    await edit({ 'verifier-2.key': newKey() });
    await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
    const made = a.verifiers.ofGenerated({ uid: 'uid', revision: 1 }, new Value('secret'));
    await eventually('the other one knows it', () => b.verifiers.numberOf(made) === 2);
    expect(b.verifiers.current).toEqual(before);
    expect([a.changes(), b.changes()]).toEqual([2, 1]);
  });

  test('changes the verifiers of all robots and not a single secret', async () => {
    const at = await installed();
    const [a, server] = [await at.replica(), await at.replica()];
    const [generated, own] = [await robotOf(at, 'generated'), await robotOf(at, 'own', 'Passw0rd-of-ours')];
    for (const name of ['generated', 'own']) await a.reconcile(name);
    const before = [await generated.object(), await own.object()];
    const secrets = [await generated.secret(), await own.secret()];
    await at.edit({ 'verifier-2.key': newKey() });
    for (const each of [a, server]) await eventually('it makes verifiers', () => each.verifiers.current.number === 2);
    for (const name of ['generated', 'own']) await a.reconcile(name);
    for (const [index, robot] of [generated, own].entries()) {
      const { status } = await robot.object();
      const old = before[index]?.status;
      expect(a.verifiers.numberOf(status.issued.inputs.robot.verifier)).toBe(2);
      expect([status.tokenID, status.revision, status.previous]).toEqual([old?.tokenID, old?.revision, undefined]);
      expect((await robot.secret()).reveal()).toBe(secrets[index]?.reveal());
    }
    // The slow way stays the one for what people choose.
    const methods = [await generated.verifier(), await own.verifier()].map(verifier => verifier.split('.')[2]);
    expect(methods).toEqual(['hmac', 'scrypt-14-8-1']);
    await at.edit({ 'verifier-1.key': null });
    for (const each of [a, server]) {
      await eventually(
        'the old key is gone',
        () => each.verifiers.numberOf(before[0]?.status.issued.inputs.robot.verifier ?? '') === undefined,
      );
      await eventually(
        'the robot logs in',
        async () => (await each.enter('generated', secrets[0] ?? new Value(''))) === 'ok',
      );
      await eventually(
        'the other one logs in',
        async () => (await each.enter('own', new Value('Passw0rd-of-ours'))) === 'ok',
      );
    }
  });

  test('is not taken back by a replica that has not heard of it, which turns nobody away either', async () => {
    const at = await installed();
    const [a, late] = [await at.replica(), await at.replica({ follows: false })];
    const robot = await robotOf(at, 'ci');
    await a.reconcile('ci');
    await at.edit({ 'verifier-2.key': newKey() });
    await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
    await a.reconcile('ci');
    const { metadata, status } = await robot.object();
    await eventually(
      'the late one has the record',
      () => late.robot('ci')?.metadata.resourceVersion === metadata.resourceVersion,
    );
    await expect(late.enter('ci', await robot.secret())).rejects.toThrow('key that is not loaded');
    await late.reconcile('ci');
    expect((await robot.object()).metadata.resourceVersion).toBe(metadata.resourceVersion);
    await late.follow();
    await eventually('it lets the robot in', async () => (await late.enter('ci', await robot.secret())) === 'ok');
    expect((await robot.object()).status.issued).toEqual(status.issued);
  });
});

test('a robot whose Secret was deleted meanwhile gets a new secret, made with the new key', async () => {
  const at = await installed();
  const a = await at.replica();
  const robot = await robotOf(at, 'ci');
  await a.reconcile('ci');
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
  await at.place.api.delete(`${at.path}/ci`);
  await eventually('the cache has heard of it', () => a.caches.secrets.get(`${at.place.namespace}/ci`) === undefined);
  await a.reconcile('ci');
  expect((await robot.object()).status.revision).toBe(2);
  expect(a.verifiers.numberOf(await robot.verifier())).toBe(2);
});

test('keys that are lost go on being used by those who know them', async () => {
  const { edit, replica, place, path } = await installed();
  const a = await replica();
  const { current } = a.verifiers;
  await edit({ 'verifier-1.key': null });
  await place.api.delete(`${path}/botmint-operator`);
  await eventually(
    'the cache has heard of it',
    () => a.caches.secrets.get(`${place.namespace}/botmint-operator`) === undefined,
  );
  await place.api.create(path, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'botmint-operator', labels: { 'botmint.dev/managed': 'operator' } },
    data: { 'verifier-1.key': newKey() },
  });
  await eventually('another key of that number is the one', () => a.verifiers.current.id !== current.id);
  expect(a.changes()).toBe(1);
});

test('a Secret of the operator that is lost after a rotation leaves no robot locked out', async () => {
  const at = await installed();
  const before = await at.replica();
  const [generated, own] = [await robotOf(at, 'generated'), await robotOf(at, 'own', 'Passw0rd-of-ours')];
  const names = ['generated', 'own'];
  for (const name of names) await before.reconcile(name);
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => before.verifiers.current.number === 2);
  for (const name of names) await before.reconcile(name);
  const [secret, { status }] = [await generated.secret(), await generated.object()];
  await at.place.api.delete(`${at.path}/botmint-operator`);
  const after = await at.replica(); // the next start makes keys anew
  expect(after.verifiers.current.number).toBe(1);
  expect(after.verifiers.numberOf(await own.verifier())).toBeUndefined();
  for (const name of names) await after.reconcile(name);
  await eventually('the robot logs in', async () => (await after.enter('generated', secret)) === 'ok');
  const shown = new Value('Passw0rd-of-ours');
  await eventually('the other one logs in', async () => (await after.enter('own', shown)) === 'ok');
  expect((await generated.object()).status).toMatchObject({ tokenID: status.tokenID, revision: status.revision });
});

test('a key that is lost after a rotation costs no robot its secret', async () => {
  const at = await installed();
  const a = await at.replica();
  const robot = await robotOf(at, 'ci');
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
  await a.reconcile('ci');
  const [secret, { status }] = [await robot.secret(), await robot.object()];
  await at.edit({ 'verifier-2.key': null });
  await eventually('the older key makes verifiers', () => a.verifiers.current.number === 1);
  await expect(a.enter('ci', secret)).rejects.toThrow('key that is not loaded');
  await a.reconcile('ci');
  await eventually('the robot logs in', async () => (await a.enter('ci', secret)) === 'ok');
  expect((await robot.object()).status).toMatchObject({ tokenID: status.tokenID, revision: status.revision });
});

test('a paused robot keeps a verifier of a key that goes: it is not Ready, and logs in when it goes on', async () => {
  const at = await installed();
  const a = await at.replica();
  const robot = await robotOf(at, 'ci');
  await a.reconcile('ci');
  const secret = await robot.secret();
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${at.place.namespace}/robotaccounts/ci`;
  const pause = async (paused: 'true' | null) => {
    await at.place.api.patch(path, { metadata: { annotations: { [pausedAnnotation]: paused } } });
    const annotation = () => a.robot('ci')?.metadata.annotations?.[pausedAnnotation];
    await eventually('the cache has heard of it', () => annotation() === (paused ?? undefined));
    await a.reconcile('ci');
  };
  const ready = () => a.robot('ci')?.status?.conditions?.find(({ type }) => type === 'Ready');
  await pause('true');
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
  await a.reconcile('ci');
  expect(ready()).toMatchObject({ status: 'True', reason: 'Issued' });
  const told = a.changes();
  await at.edit({ 'verifier-1.key': null });
  await eventually('robots are looked at', () => a.changes() > told);
  await a.reconcile('ci');
  expect(ready()).toMatchObject({ status: 'False', reason: 'VerifierKeyMissing' });
  await pause(null);
  expect(ready()).toMatchObject({ status: 'True', reason: 'Issued' });
  await eventually('the robot logs in', async () => (await a.enter('ci', secret)) === 'ok');
});
