import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { SecretValue } from '../../src/base/secret-value.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { forward, isBackground, isWrite, refuse } from '../faults/proxy.ts';
import { OwnRegistryIssuer, robotPath } from './own-registry-issuer.ts';
import { robotJudge } from './robot-scenarios.ts';
import { Site } from './site.ts';

// Robots and an operator that was away, or could not do what it wanted to do.

const day = 24 * 3_600_000;

const cluster = sharedCluster();
let site: Site;
let hub: OwnRegistryIssuer;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
  hub = await OwnRegistryIssuer.make(site, await site.namespace());
});

afterAll(() => site?.close());

const worlds = ['expires', 'loses', 'disabled', 'narrowed', 'remade', 'goes'] as const;
type World = Record<(typeof worlds)[number], string>;
/** No two robots of a test have one full name. */
const named = (namespace: string) => ({ name: `ci-${namespace}` });

async function makeWorld(): Promise<World> {
  const namespaces = await Promise.all(worlds.map(async what => [what, await site.namespace()] as const));
  const world = Object.fromEntries(namespaces) as World;
  for (const [what, namespace] of namespaces)
    await hub.issued(namespace, 'robot', {
      ...named(namespace),
      ...(what === 'expires' ? { expiresIn: '1d' } : { rotation: {} }),
    });
  return world;
}

/** `isAway`: nobody keeps the finalizer, so the old robot goes and its Secret is left for the next one of its name. */
async function happen({ loses, disabled, narrowed, remade, goes }: World, isAway: boolean): Promise<void> {
  await site.api.delete(`/api/v1/namespaces/${loses}/secrets/robot`);
  await hub.patch(disabled, 'robot', { spec: { disabled: true } });
  await hub.patch(narrowed, 'robot', { spec: { permissions: ['PullArtifacts'] } });
  if (isAway) await hub.patch(remade, 'robot', { metadata: { finalizers: null } });
  await site.api.delete(robotPath(remade, 'robot'));
  await eventually('the robot is gone', async () => (await site.robot(remade, 'robot')) === undefined);
  await site.apply(hub.robot('robot', { ...named(remade), rotation: {} }), remade);
  await site.api.delete(`/api/v1/namespaces/${goes}`);
}

/** What is there at the end, without what differs between any two runs. */
async function endOf(world: World, firstRequest: number) {
  await site.ready('robotaccounts', world.expires, 'robot', 'Expired');
  await site.ready('robotaccounts', world.disabled, 'robot', 'Disabled');
  await eventually('another secret', async () => (await hub.status(world.loses, 'robot')).revision === 2);
  for (const namespace of [world.loses, world.narrowed, world.remade])
    await site.ready('robotaccounts', namespace, 'robot', 'Issued');
  const gone = async () => (await site.api.get(`/api/v1/namespaces/${world.goes}`)) === undefined;
  await eventually('the namespace is gone', gone);
  const live: Record<string, number> = {};
  const requests = site.proxy.requests.slice(firstRequest);
  for (const [what, namespace] of Object.entries(world)) {
    const all = robotJudge.minted(site, namespace, requests);
    const username = `robot_shop+${named(namespace).name}`;
    const answers = await Promise.all(all.map(each => hub.letsIn({ username, secret: new SecretValue(each) })));
    live[what] = answers.filter(is => is).length;
  }
  const left = await Promise.all(
    (['expires', 'loses', 'disabled', 'narrowed', 'remade'] as const).map(async what => {
      const status = await hub.status(world[what], 'robot');
      const secrets = await site.api.list(`/api/v1/namespaces/${world[what]}/secrets`);
      return {
        what,
        revision: status.revision,
        permissions: status.permissions?.flatMap(({ permissions }) => permissions),
        enabled: status.enabled,
        conditions: status.conditions?.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`),
        secrets: secrets.map(({ metadata }) => metadata.name),
      };
    }),
  );
  return { live, left };
}

test('an operator that was away ends with robots where one that was there ends', { timeout: 600_000 }, async () => {
  const present = site.proxy.requests.length;
  const watched = await makeWorld();
  await happen(watched, false);
  await site.ready('robotaccounts', watched.disabled, 'robot', 'Disabled');
  await site.operator.setClock(2 * day);
  const expected = await endOf(watched, present);
  expect(expected.live).toEqual({ expires: 0, loses: 1, disabled: 0, narrowed: 1, remade: 1, goes: 0 });
  expect(expected.left.find(({ what }) => what === 'remade')?.revision).toBe(1);
  await site.operator.setClock(0);

  const away = site.proxy.requests.length;
  const alone = await makeWorld();
  await site.operator.stop();
  await happen(alone, true);
  await site.start({ clockOffsetMilliseconds: 2 * day });
  expect(await endOf(alone, away)).toEqual(expected);
  await site.operator.stop();
  await site.start();
});

test('a robot whose owner wants to see to a lost Secret keeps its secret, and gets another one when asked', async () => {
  const namespace = await site.namespace();
  const secret = { type: 'kubernetes.io/dockerconfigjson', onLost: 'Stall' };
  const login = await hub.issued(namespace, 'robot', { ...named(namespace), secret });
  await site.api.delete(`/api/v1/namespaces/${namespace}/secrets/robot`);
  expect(await hub.robotSays(namespace, 'robot', 'SecretLost')).toContain('onLost is Stall');
  expect(await hub.letsIn(login)).toBe(true);
  expect(await site.secret(namespace, 'robot')).toBeUndefined();
  await hub.annotate(namespace, 'robot', { 'botmint.dev/rotate': 'now' });
  await hub.robotSays(namespace, 'robot', 'Issued');
  expect([await hub.letsIn(login), await hub.letsIn(await hub.login(namespace, 'robot'))]).toEqual([false, true]);
});

test('a robot that cannot take its Secret away lets nobody in, needs no Revocation, and goes when it can', async () => {
  const namespace = await site.namespace();
  const login = await hub.issued(namespace, 'robot', named(namespace));
  site.rule = request =>
    request.resource === 'secrets' && request.verb === 'delete' ? refuse(403, 'Forbidden') : forward;
  await site.api.delete(robotPath(namespace, 'robot'));
  await eventually('it lets nobody in', async () => !(await hub.letsIn(login)));
  await eventually('the refusal is told', async () =>
    (await hub.status(namespace, 'robot')).conditions?.some(({ reason }) => reason === 'WriteRefused'),
  );
  await site.operator.setClock(5 * 60_000);
  expect(await site.secret(namespace, 'robot')).toBeDefined();
  site.rule = () => forward;
  await eventually('it is gone', async () => (await site.robot(namespace, 'robot')) === undefined);
  expect(await site.secret(namespace, 'robot')).toBeUndefined();
  expect(await site.api.list(revocations)).toEqual([]);
  await site.operator.setClock(0);
});

const revocations = '/apis/botmint.dev/v1alpha1/namespaces/botmint-system/revocations';

test('a Revocation of a robot is done at once: nothing that is gone lets anybody in', async () => {
  const namespace = await site.namespace();
  const login = await hub.issued(namespace, 'robot', named(namespace));
  const { metadata } = z
    .object({ metadata: z.object({ uid: z.string() }) })
    .parse(await site.robot(namespace, 'robot'));
  const { uid = '' } = (await site.api.get(hub.path))?.metadata ?? {};
  await site.api.delete(robotPath(namespace, 'robot'));
  await eventually('it is gone', async () => (await site.robot(namespace, 'robot')) === undefined);
  const clusterID = z
    .object({ data: z.object({ clusterID: z.string() }) })
    .parse(await site.api.get('/api/v1/namespaces/botmint-system/configmaps/botmint')).data.clusterID;
  const first = site.proxy.requests.length;
  const name = `${metadata.uid}.${uid}`;
  await site.api.create(revocations, {
    apiVersion: 'botmint.dev/v1alpha1',
    kind: 'Revocation',
    metadata: { name },
    spec: {
      clusterID,
      owner: { kind: 'RobotAccount', namespace, name: 'robot', uid: metadata.uid },
      issuer: { kind: 'ClusterTokenIssuer', name: hub.name, uid, type: 'registry' },
      credentials: [{ tokenID: `${metadata.uid}.1.any` }],
    },
  });
  const Status = z.object({ status: z.object({ revokedAt: z.string() }) });
  await eventually('it is done', async () => Status.safeParse(await site.api.get(`${revocations}/${name}`)).success);
  expect(await hub.letsIn(login)).toBe(false);
  const writes = site.proxy.requests.slice(first).filter(request => isWrite(request) && !isBackground(request));
  // When robots of other tests were last let in is written every ten seconds, whatever else happens.
  expect(writes.filter(({ body }) => !body.includes('"lastUsed"')).map(({ resource }) => resource)).toEqual([
    'revocations',
  ]);
  await site.api.delete(`${revocations}/${name}`);
});
