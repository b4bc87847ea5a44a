import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isGeneratedSecret } from '../../src/issuers/registry/secrets.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { isBackground, isWrite } from '../faults/proxy.ts';
import { basic, OwnRegistryIssuer, robotPath } from './own-registry-issuer.ts';
import { Site } from './site.ts';

// What a RobotAccount is in a cluster, and what its issuer's endpoint makes of it: no registry is needed for that.

const cluster = sharedCluster();
let site: Site;
let hub: OwnRegistryIssuer;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
  hub = await OwnRegistryIssuer.make(site, await site.namespace());
});

afterAll(() => site?.close());

let robots = 0;
/** No robot of another test has it. */
const newName = () => `ci-${++robots}`;
const scrape = async () => (await site.operator.page('/metrics')).text;

/** Events about an object, by reason. */
async function eventsOf(namespace: string, name: string): Promise<string[]> {
  const Event = z.looseObject({ regarding: z.object({ name: z.string() }), reason: z.string() });
  const all = await site.api.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
  return all
    .map(event => Event.parse(event))
    .filter(({ regarding }) => regarding.name === name)
    .map(({ reason }) => reason);
}

describe('the Secret of a robot', () => {
  test('is an image pull secret when nothing else is said', async () => {
    const namespace = await site.namespace();
    const { username, secret } = await hub.issued(namespace, 'robot', { name: newName() });
    const password = secret.reveal();
    expect(isGeneratedSecret(password)).toBe(true);
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    expect((await site.secret(namespace, 'robot'))?.type).toBe('kubernetes.io/dockerconfigjson');
    expect(await site.values(namespace, 'robot')).toEqual({
      '.dockerconfigjson': JSON.stringify({ auths: { [hub.service]: { username, password, auth } } }),
    });
  });

  test('holds the export file, and what else is asked for, of one and the same secret', async () => {
    const namespace = await site.namespace();
    const data = [
      { key: 'robot.json', format: 'JSON' },
      { key: 'netrc', format: 'Netrc' },
      { key: '.dockerconfigjson', format: 'DockerConfigJSON' },
      { key: 'url', template: 'https://$(username):$(token)@$(host)/v2/' },
    ];
    const secret = { type: 'Opaque', data };
    const login = await hub.issued(namespace, 'ends', { name: newName(), expiresIn: '30d', secret });
    const password = login.secret.reveal();
    const { id, fullName, issuedAt = '', expiresAt } = await hub.status(namespace, 'ends');
    const issued = Date.parse(issuedAt) / 1000;
    const text = (expires_at: number, of: object) =>
      JSON.stringify({ creation_time: issuedAt, expires_at, id, name: fullName, secret: password, ...of });
    expect(expiresAt).toBe(new Date((issued + 30 * 86_400) * 1000).toISOString().replace('.000', ''));
    const values = await site.values(namespace, 'ends');
    expect(values?.['robot.json']).toBe(text(issued + 30 * 86_400, {}));
    expect(values?.netrc).toBe(`machine ${hub.service} login ${fullName} password ${password}`);
    expect(values?.url).toBe(`https://${fullName}:${password}@${hub.service}/v2/`);
    await hub.patch(namespace, 'ends', { spec: { expiresIn: 'never' } });
    await eventually('it says so', async () => {
      return (await site.values(namespace, 'ends'))?.['robot.json'] === text(-1, {});
    });
  });

  test('says in the export file when the robot was made, also with a later secret', async () => {
    const namespace = await site.namespace();
    const secret = { type: 'Opaque', data: [{ key: 'robot.json', format: 'JSON' }] };
    await site.apply(hub.robot('ends', { name: newName(), secret }), namespace);
    await hub.robotSays(namespace, 'ends', 'Issued');
    const { createdAt } = await hub.status(namespace, 'ends');
    // A later second: times are whole ones.
    await eventually('time has passed', async () => Date.now() >= Date.parse(String(createdAt)) + 1000);
    await hub.annotate(namespace, 'ends', { 'botmint.dev/rotate': '1' });
    const status = await eventually('it is recorded', async () => {
      const now = await hub.status(namespace, 'ends');
      return now.revision === 2 && now;
    });
    expect(Date.parse(String(status.issuedAt))).toBeGreaterThan(Date.parse(String(createdAt)));
    expect(status.createdAt).toBe(createdAt);
    const file = JSON.parse((await site.values(namespace, 'ends'))?.['robot.json'] ?? '');
    expect(file.creation_time).toBe(createdAt);
  });

  test('follows the host of the issuer', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace);
    const login = await issuer.issued(namespace, 'robot');
    await site.api.patch(issuer.path, { spec: { registry: { host: 'moved.example.com:5000' } } });
    await eventually('it is for the new host', async () => {
      const text = (await site.values(namespace, 'robot'))?.['.dockerconfigjson'] ?? '';
      return (
        Object.keys(z.object({ auths: z.looseObject({}) }).parse(JSON.parse(text)).auths).join() ===
        'moved.example.com:5000'
      );
    });
    expect(await issuer.login(namespace, 'robot')).toEqual(login);
    expect(await issuer.letsIn(login)).toBe(true);
  });

  test('gets another entry, and loses one, with the same secret', async () => {
    const namespace = await site.namespace();
    const login = await hub.issued(namespace, 'robot', { name: newName() });
    const uid = (await site.secret(namespace, 'robot'))?.metadata.uid;
    const written = async (data: object[]) => {
      await hub.patch(namespace, 'robot', { spec: { secret: { data } } });
      return eventually('its entries', async () => {
        const values = await site.values(namespace, 'robot');
        return Object.keys(values ?? {}).length === data.length && values;
      });
    };
    const config = { key: '.dockerconfigjson', format: 'DockerConfigJSON' };
    expect((await written([config, { key: 'secret', template: '$(token)' }])).secret).toBe(login.secret.reveal());
    await written([config]);
    expect(await hub.login(namespace, 'robot')).toEqual(login);
    await hub.robotSays(namespace, 'robot', 'Issued');
    expect((await site.secret(namespace, 'robot'))?.metadata.uid).toBe(uid);
    expect(await hub.letsIn(login)).toBe(true);
  });

  test('comes when a robot that was made disabled is enabled', async () => {
    const namespace = await site.namespace();
    await site.apply(hub.robot('robot', { name: newName(), disabled: true }), namespace);
    await hub.robotSays(namespace, 'robot', 'Disabled');
    expect(await site.secret(namespace, 'robot')).toBeUndefined();
    await hub.patch(namespace, 'robot', { spec: { disabled: false } });
    await hub.robotSays(namespace, 'robot', 'Issued');
    expect(await hub.letsIn(await hub.login(namespace, 'robot'))).toBe(true);
  });

  test('is made again with another secret when it is lost, and the lost one ends', async () => {
    const namespace = await site.namespace();
    const first = await hub.issued(namespace, 'robot', { name: newName() });
    await site.api.delete(`/api/v1/namespaces/${namespace}/secrets/robot`);
    const second = await eventually('another secret', async () => {
      const now = await hub.login(namespace, 'robot').catch(() => undefined);
      return now?.secret.reveal() === first.secret.reveal() ? undefined : now;
    });
    await eventually('it is recorded', async () => (await hub.status(namespace, 'robot')).revision === 2);
    expect([await hub.letsIn(first), await hub.letsIn(second)]).toEqual([false, true]);
  });
});

describe('kubectl', () => {
  const columns = async (namespace: string, ...args: string[]) => {
    const [head = '', ...rows] = (await site.kubectl(['get', 'robots', '-n', namespace, ...args]))
      .trimEnd()
      .split('\n');
    return { head: head.trim().split(/ {2,}/), rows };
  };

  test('shows the columns that people know, and the long ones when asked', async () => {
    const namespace = await site.namespace();
    const name = newName();
    await hub.issued(namespace, 'robot', {
      name,
      description: 'Pushes what main builds',
      permissions: ['PullArtifacts'],
    });
    await hub.issued(namespace, 'off', { name: newName() });
    await hub.patch(namespace, 'off', { spec: { disabled: true } });
    await hub.robotSays(namespace, 'off', 'Disabled');
    const { issuedAt = '', expiresAt = '' } = await hub.status(namespace, 'robot');
    const short = ['NAME', 'FULL NAME', 'ENABLED', 'READY', 'REASON', 'CREATED', 'EXPIRES', 'DESCRIPTION', 'AGE'];
    const { head, rows } = await columns(namespace);
    expect(head).toEqual(short);
    expect(
      rows
        .find(row => row.startsWith('robot '))
        ?.split(/ {2,}/)
        .slice(0, 8),
    ).toEqual([
      'robot',
      `robot_shop+${name}`,
      'true',
      'True',
      'Issued',
      issuedAt,
      expiresAt,
      'Pushes what main builds',
    ]);
    expect(
      rows
        .find(row => row.startsWith('off '))
        ?.split(/ {2,}/)
        .slice(2, 5),
    ).toEqual(['false', 'True', 'Disabled']);
    const wide = await columns(namespace, '-o', 'wide');
    expect(wide.head).toEqual([...short.slice(0, 8), 'PERMISSIONS', 'LAST USED', 'CREATED BY', 'AGE']);
    expect(wide.rows.find(row => row.startsWith('robot '))).toContain(
      '"permissions":["PullArtifacts"],"project":"shop"',
    );
  });
});

describe('the robots of an issuer', () => {
  test('have numbers in the order in which they came', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace);
    const ids: unknown[] = [];
    for (const name of ['a', 'b', 'c']) {
      await issuer.issued(namespace, name);
      ids.push((await issuer.status(namespace, name)).id);
    }
    expect(ids).toEqual([1, 2, 3]);
    await site.api.delete(robotPath(namespace, 'c'));
    await eventually('it is gone', async () => (await site.robot(namespace, 'c')) === undefined);
    await issuer.issued(namespace, 'c');
    expect((await issuer.status(namespace, 'c')).id).toBe(4);
    await issuer.annotate(namespace, 'a', { 'botmint.dev/rotate': '1' });
    await eventually('rotated', async () => (await issuer.status(namespace, 'a')).revision === 2);
    expect((await issuer.status(namespace, 'a')).id).toBe(1);
  });

  test('have one full name each: the one that has it keeps it, and the other gets it after that', async () => {
    const [mine, theirs] = [await site.namespace(), await site.namespace()];
    const name = newName();
    const first = await hub.issued(mine, 'robot', { name });
    await site.apply(hub.robot('robot', { name }), theirs);
    expect(await hub.robotSays(theirs, 'robot', 'UsernameTaken')).toContain(`RobotAccount robot in namespace ${mine}`);
    expect(await hub.stateOf(theirs, 'robot')).toBe('Stalled');
    expect(await site.secret(theirs, 'robot')).toBeUndefined();
    expect(await hub.letsIn(first)).toBe(true);
    await site.api.delete(robotPath(mine, 'robot'));
    await site.ready('robotaccounts', theirs, 'robot', 'Issued');
    const second = await hub.login(theirs, 'robot');
    expect(second.username).toBe(first.username);
    expect([await hub.letsIn(first), await hub.letsIn(second)]).toEqual([false, true]);
  });

  test('of one name in two projects, and at the system, are three', async () => {
    const namespace = await site.namespace();
    const name = newName();
    const logins = [
      await hub.issued(namespace, 'shop', { name }),
      await hub.issued(namespace, 'base', { name, project: 'base' }),
      await hub.issued(namespace, 'system', { name, projects: [{ name: 'shop', permissions: ['PullArtifacts'] }] }),
    ];
    expect(logins.map(({ username }) => username)).toEqual([
      `robot_shop+${name}`,
      `robot_base+${name}`,
      `robot_${name}`,
    ]);
    const scope = 'repository:shop/app:pull,push repository:base/app:pull,push';
    const access = await Promise.all(logins.map(login => hub.access(login, scope)));
    expect(access).toEqual([['shop/app:pull,push'], ['base/app:pull,push'], ['shop/app:pull']]);
  });

  test('begin with the prefix of their issuer, and nobody logs in with another', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace, {}, { robotPrefix: 'robot$' });
    const login = await issuer.issued(namespace, 'ci');
    expect(login.username).toBe('robot$shop+ci');
    expect((await issuer.status(namespace, 'ci')).fullName).toBe(login.username);
    const underscored = { ...login, username: 'robot_shop+ci' };
    expect([await issuer.letsIn(login), await issuer.letsIn(underscored)]).toEqual([true, false]);
  });
});

describe('permissions', () => {
  test('are all ten when they are left out, and written down as those of today', async () => {
    const namespace = await site.namespace();
    await site.apply(hub.robot('robot', { name: newName(), permissions: undefined }), namespace);
    await site.ready('robotaccounts', namespace, 'robot', 'Issued');
    const { permissions, withoutEffect } = await hub.status(namespace, 'robot');
    expect(permissions).toMatchObject([{ project: 'shop', defaulted: true }]);
    expect(permissions?.[0]?.permissions.length).toBe(10);
    expect(withoutEffect).toEqual(['CreateArtifactLabels', 'CreateScan']);
    const login = await hub.login(namespace, 'robot');
    expect(await hub.access(login, 'repository:shop/app:pull,push,delete')).toEqual(['shop/app:pull,push,delete']);
  });
});

describe('a robot that goes', () => {
  test.each(['Delete', 'Deactivate', 'Retain'])(
    'by deletionPolicy %s takes its Secret with it, also when it is paused',
    async deletionPolicy => {
      const namespace = await site.namespace();
      const login = await hub.issued(namespace, 'robot', { name: newName(), deletionPolicy });
      await hub.annotate(namespace, 'robot', { 'botmint.dev/paused': 'true' });
      await eventually('it is paused', async () => (await hub.stateOf(namespace, 'robot')).includes('Paused'));
      await hub.annotate(namespace, 'robot', { 'botmint.dev/rotate': '1' });
      await hub.issued(namespace, 'other', { name: newName() });
      expect((await hub.status(namespace, 'robot')).revision).toBe(1);
      expect(await hub.letsIn(login)).toBe(true);
      await site.api.delete(robotPath(namespace, 'robot'));
      await eventually('it is gone', async () => (await site.robot(namespace, 'robot')) === undefined);
      expect(await site.secret(namespace, 'robot')).toBeUndefined();
      expect(await hub.letsIn(login)).toBe(false);
    },
  );
});

test('a robot whose end is brought forward into the past says when it ended, and goes on with the same secret', async () => {
  const namespace = await site.namespace();
  const login = await hub.issued(namespace, 'robot', { name: newName(), expiresIn: '90d' });
  const { expiresAt } = await hub.status(namespace, 'robot');
  const notAfter = '2020-01-01T00:00:00Z';
  await hub.patch(namespace, 'robot', { spec: { notAfter } });
  await hub.robotSays(namespace, 'robot', 'Expired');
  expect((await hub.status(namespace, 'robot')).expiresAt).toBe(notAfter);
  const series = `botmint_robot_expiry_timestamp_seconds{namespace="${namespace}",name="robot"}`;
  const shown = `${series} ${Date.parse(notAfter) / 1000}`;
  await eventually('its end is shown', async () => (await scrape()).includes(shown));
  expect(await hub.letsIn(login)).toBe(false);
  await hub.patch(namespace, 'robot', { spec: { notAfter: null } });
  await hub.robotSays(namespace, 'robot', 'Issued');
  expect((await hub.status(namespace, 'robot')).expiresAt).toBe(expiresAt);
  expect(await hub.login(namespace, 'robot')).toEqual(login);
  expect(await hub.letsIn(login)).toBe(true);
});

test('a rotation of a robot rolls the workloads that it names, and the old secret waits for them', async () => {
  const namespace = await site.namespace();
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/web`;
  const labels = { app: 'web' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'none' }] } };
  await site.api.create(path.replace('/web', ''), {
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: labels }, template },
  });
  const restart = [{ kind: 'Deployment', name: 'web' }];
  const rotation = { overlap: '1s' };
  const first = await hub.issued(namespace, 'robot', { name: newName(), restart, rotation });
  await hub.annotate(namespace, 'robot', { 'botmint.dev/rotate': '1' });
  const second = await hub.next(namespace, 'robot', first);
  const generation = await eventually('it is rolled', async () => {
    const deployment = await site.api.get(path);
    const { tokenID } = z.looseObject({ tokenID: z.string() }).parse((await site.robot(namespace, 'robot'))?.status);
    return (
      JSON.stringify(deployment?.spec).includes(`"restart.botmint.dev/RobotAccount_robot":"${tokenID}"`) &&
      deployment?.metadata.generation
    );
  });
  const rotated = Date.now();
  await eventually('the overlap is over', () => Date.now() > rotated + 2000);
  expect([await hub.letsIn(first), await hub.letsIn(second)]).toEqual([true, true]);
  const pods = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
  await site.api.patch(`${path}/status`, { status: { observedGeneration: generation, ...pods } });
  await eventually('the old one has ended', async () => !(await hub.letsIn(first)));
  expect(await hub.letsIn(second)).toBe(true);
});

describe('what people see', () => {
  test('events and metrics, and the secret in none of them', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace);
    const login = await issuer.issued(namespace, 'robot');
    expect(await issuer.letsIn(login)).toBe(true);
    expect(await issuer.letsIn({ ...login, username: 'robot_shop+nobody' })).toBe(false);
    await issuer.ask();
    const counted = async (result: string) => {
      const sample = new RegExp(
        `^botmint_registry_token_requests_total\\{issuer="${issuer.name}",result="${result}"\\} (\\d+)$`,
        'm',
      );
      return Number(sample.exec(await scrape())?.[1] ?? 0);
    };
    expect([await counted('issued'), await counted('invalid_grant'), await counted('anonymous')]).toEqual([1, 1, 1]);
    const end = `botmint_robot_expiry_timestamp_seconds{namespace="${namespace}",name="robot"}`;
    const { expiresAt = '' } = await issuer.status(namespace, 'robot');
    expect(await scrape()).toContain(`${end} ${Date.parse(expiresAt) / 1000}`);
    expect(await scrape()).toMatch(/^botmint_conditions\{kind="RobotAccount",ready="True",reason="Issued"\} [1-9]/m);
    await issuer.patch(namespace, 'robot', { spec: { disabled: true } });
    await issuer.robotSays(namespace, 'robot', 'Disabled');
    await eventually('both are told', async () => {
      const told = await eventsOf(namespace, 'robot');
      return told.includes('Issued') && told.includes('Disabled');
    });
    const events = await site.api.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
    const said = [events, await site.robot(namespace, 'robot'), await scrape(), site.operator.output];
    for (const canary of [login.secret.reveal(), basic(login).slice(6)])
      expect(JSON.stringify(said)).not.toContain(canary);
    await site.api.delete(robotPath(namespace, 'robot'));
    await eventually('its end is shown no more', async () => !(await scrape()).includes(end));
  });

  test('when a robot was last let in: written once for a day of logins', async () => {
    const namespace = await site.namespace();
    const [login, other] = [
      await hub.issued(namespace, 'robot', { name: newName() }),
      await hub.issued(namespace, 'other', { name: newName() }),
    ];
    const used = (name: string) =>
      eventually(`the last use of ${name}`, async () => (await hub.status(namespace, name)).lastUsed);
    expect((await hub.status(namespace, 'robot')).lastUsed).toBeUndefined();
    const before = Date.now();
    await hub.letsIn(login);
    expect(Date.parse(await used('robot'))).toBeGreaterThanOrEqual(before - 1000);
    const first = site.proxy.requests.length;
    for (let i = 0; i < 5; i++) await hub.letsIn(login);
    // A later use that is written shows that the round after these five is over.
    await hub.letsIn(other);
    await used('other');
    const writes = site.proxy.requests
      .slice(first)
      .filter(request => isWrite(request) && request.namespace === namespace && request.name === 'robot');
    expect(writes).toEqual([]);
  });
});

test('an operator with nothing to do for robots writes nothing after a restart, and lets them in at once', async () => {
  const namespace = await site.namespace();
  const names = Array.from({ length: 10 }, (_, i) => `idle-${i}`);
  for (const name of names) await hub.issued(namespace, name, { name: newName() });
  const login = await hub.login(namespace, 'idle-0');
  expect(await site.operator.stop()).toBe(0);
  const first = site.proxy.requests.length;
  await site.start();
  expect(await hub.letsIn(login)).toBe(true);
  await hub.issued(namespace, 'live', { name: newName() });
  const writes = site.proxy.requests
    .slice(first)
    .filter(request => isWrite(request) && !isBackground(request))
    .map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);
  // A process reserves numbers of its own, and when idle-0 was let in may be noted by now.
  const expected = /live$|create secrets|robotaccounts idle-0$|configmaps botmint-robot-ids-/;
  expect(writes.filter(write => !expected.test(write))).toEqual([]);
  expect(writes).toContain('patch robotaccounts live');
});
