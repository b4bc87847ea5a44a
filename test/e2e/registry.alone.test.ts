import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { SecretValue } from '../../src/base/secret-value.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { missingRegistry } from '../registry/build.ts';
import type { Login } from '../registry/crane.ts';
import { heldPush } from '../registry/gate.ts';
import { configOf, may, type OwnRegistry, RegistryGround } from './own-registry.ts';
import { claimsOf, OwnRegistryIssuer, robotPath, tokenIn } from './own-registry-issuer.ts';
import { Site } from './site.ts';

// The operator and a registry of the CNCF distribution project as they are installed; crane uses it with the image pull secrets of robots.

const missing = await missingRegistry();
const cluster = sharedCluster();
const hour = 3_600_000;
const day = 24 * hour;
const pullOnly = ['PullArtifacts'];
const pushAndPull = ['PushArtifacts', 'PullArtifacts'];

describe.skipIf(missing !== undefined)('with a real registry', () => {
  let site: Site;
  let ground: RegistryGround;
  let hub: OwnRegistry;
  /** May do everything everywhere. */
  let admin: string;

  beforeAll(async () => {
    site = await Site.open(cluster);
    ground = await RegistryGround.open(site);
    await site.start();
    hub = await ground.registry({}, { anonymous: { projects: ['open'] }, tokenLifetime: '60s' });
    const namespace = await site.namespace();
    await hub.issuer.issued(namespace, 'admin', { projects: [{ name: '*' }] });
    admin = await hub.config(namespace, 'admin');
  });

  afterAll(async () => {
    await Promise.all([hub?.close(), ground?.close()]);
    await site?.close();
  });

  let robots = 0;

  /** A robot in a namespace of its own, and the configuration in its image pull secret. */
  async function robot(extra: Parameters<OwnRegistryIssuer['issued']>[2] = {}) {
    const namespace = await site.namespace();
    const login = await hub.issuer.issued(namespace, 'robot', { name: `ci-${++robots}`, ...extra });
    return { namespace, login, config: await hub.config(namespace, 'robot') };
  }

  /** An image that is there. */
  async function pushed(project?: string): Promise<string> {
    const name = hub.newName(project);
    expect(await hub.push(admin, name)).toBe(true);
    return name;
  }

  /** A clock that stands elsewhere than that of the registry, until the test is over. */
  async function clock(milliseconds: number): Promise<void> {
    await site.operator.setClock(milliseconds);
    onTestFinished(() => site.operator.setClock(0));
  }

  const secretVersion = async (namespace: string) => (await site.secret(namespace, 'robot'))?.metadata.resourceVersion;

  describe('a robot', () => {
    test('that may pushes and pulls with its image pull secret, and deletes nothing', async () => {
      const { namespace, login, config } = await robot({ name: 'push' });
      expect(login.username).toBe('robot_shop+push');
      expect((await site.secret(namespace, 'robot'))?.type).toBe('kubernetes.io/dockerconfigjson');
      const name = hub.newName();
      expect(await hub.push(config, name)).toBe(true);
      expect(await hub.pull(config, name)).toBe(true);
      expect(await hub.delete(config, name)).toBe(false);
      expect(await hub.delete(admin, name)).toBe(true);
    });

    test('that may only pull pulls from its project, pushes nothing, and sees no other project', async () => {
      const { config } = await robot({ permissions: pullOnly });
      expect(await hub.pull(config, await pushed())).toBe(true);
      expect(await hub.push(config, hub.newName())).toBe(false);
      expect(await hub.pull(config, await pushed('other'))).toBe(false);
    });

    test('is not needed to pull from a project that is open', async () => {
      const [open, closed] = [await pushed('open'), await pushed()];
      expect(await hub.pull('{}', open)).toBe(true);
      expect(await hub.push('{}', hub.newName('open'))).toBe(false);
      expect(await hub.pull('{}', closed)).toBe(false);
    });

    test('of two projects has in each what stands there, and copies from the one to the other', async () => {
      const projects = [
        { name: 'base', permissions: pullOnly },
        { name: 'shop', permissions: pushAndPull },
      ];
      const { login, config } = await robot({ name: 'both', projects });
      expect(login.username).toBe('robot_both');
      const base = await pushed('base');
      expect(await hub.push(config, hub.newName('base'))).toBe(false);
      expect(may(await hub.copy(config, base, hub.newName('shop')))).toBe(true);
      expect(await hub.pull(config, await pushed('other'))).toBe(false);
    });

    test('of every project reaches later ones as well, with what it may and no more', async () => {
      const { config } = await robot({ projects: [{ name: '*', permissions: pullOnly }] });
      const later = await pushed(`new-${Date.now()}`);
      expect(await hub.pull(config, later)).toBe(true);
      expect(await hub.push(config, later)).toBe(false);
    });

    test('that is deleted gets in no more, from the moment on that the deletion is asked for', async () => {
      const { namespace, login, config } = await robot();
      const name = await pushed();
      await hub.issuer.patch(namespace, 'robot', { metadata: { finalizers: ['test/stays', 'botmint.dev/revoke'] } });
      await site.api.delete(robotPath(namespace, 'robot'));
      await eventually('it is let in no more', async () => !(await hub.issuer.letsIn(login)));
      expect(await hub.pull(config, name)).toBe(false);
      await eventually('its Secret is gone', async () => (await site.secret(namespace, 'robot')) === undefined);
      await hub.issuer.patch(namespace, 'robot', { metadata: { finalizers: null } });
    });

    test('that is disabled gets nothing more, and enabled again it uses the same secret', async () => {
      const { namespace, login, config } = await robot();
      const name = await pushed();
      const version = await secretVersion(namespace);
      await hub.issuer.patch(namespace, 'robot', { spec: { disabled: true } });
      await hub.issuer.robotSays(namespace, 'robot', 'Disabled');
      expect(await hub.issuer.stateOf(namespace, 'robot')).toBe('Ready');
      expect(await hub.issuer.letsIn(login)).toBe(false);
      expect(await hub.pull(config, name)).toBe(false);
      expect(await hub.push(config, hub.newName())).toBe(false);
      await hub.issuer.patch(namespace, 'robot', { spec: { disabled: false } });
      await hub.issuer.robotSays(namespace, 'robot', 'Issued');
      expect(await hub.pull(config, name)).toBe(true);
      expect(await secretVersion(namespace)).toBe(version);
    });

    test('that has ended gets nothing more, and a longer life brings the same secret back', async () => {
      const { namespace, login, config } = await robot({ expiresIn: '1d' });
      const name = await pushed();
      await clock(2 * day);
      expect(await hub.issuer.letsIn(login)).toBe(false);
      expect(await hub.pull(config, name)).toBe(false);
      await hub.issuer.annotate(namespace, 'robot', { wake: 'up' });
      expect(await hub.issuer.robotSays(namespace, 'robot', 'Expired')).toContain('expiresIn');
      expect(await site.secret(namespace, 'robot')).toBeDefined();
      await hub.issuer.patch(namespace, 'robot', { spec: { expiresIn: '30d' } });
      await hub.issuer.robotSays(namespace, 'robot', 'Issued');
      await site.operator.setClock(0);
      expect(await hub.push(await hub.config(namespace, 'robot'), hub.newName())).toBe(true);
      expect(await hub.issuer.login(namespace, 'robot')).toEqual(login);
    });

    test('that was let in keeps what it got for the lifetime of a token, and the minute that registries add', async () => {
      const { namespace, login } = await robot();
      const tokenAt = async (milliseconds: number) => {
        await clock(milliseconds);
        return tokenIn(await hub.issuer.ask({ login }));
      };
      // The second lives by that minute alone, and most of it is left for a slow machine.
      const tokens = [await tokenAt(-130_000), await tokenAt(-65_000), await tokenAt(0)];
      const { iat, exp, sub } = claimsOf(tokens[2] ?? '');
      expect([exp - iat, sub]).toEqual([60, login.username]);
      await hub.issuer.patch(namespace, 'robot', { spec: { disabled: true } });
      await hub.issuer.robotSays(namespace, 'robot', 'Disabled');
      expect(await Promise.all(tokens.map(token => hub.takes(token)))).toEqual([false, true, true]);
    });
  });

  describe('an edit', () => {
    const inForce = async (namespace: string) => (await hub.issuer.status(namespace, 'robot')).permissions;

    test('of the permissions is in force with the status, and the Secret is not written', async () => {
      const { namespace, config } = await robot({ permissions: pullOnly });
      const version = await secretVersion(namespace);
      const edited = async (permissions: string[]) => {
        await hub.issuer.patch(namespace, 'robot', { spec: { permissions } });
        await eventually('it is in force', async () => {
          const now = await inForce(namespace);
          return now?.[0]?.permissions.toSorted().join() === permissions.toSorted().join();
        });
      };
      expect(await hub.push(config, hub.newName())).toBe(false);
      await edited(pushAndPull);
      const name = hub.newName();
      expect(await hub.push(config, name)).toBe(true);
      await edited([...pushAndPull, 'DeleteArtifacts']);
      expect(await hub.delete(config, name)).toBe(true);
      await edited(pullOnly);
      expect(await hub.push(config, hub.newName())).toBe(false);
      expect(await hub.pull(config, await pushed())).toBe(true);
      expect(await secretVersion(namespace)).toBe(version);
    });

    test('of the projects likewise', async () => {
      const shop = { name: 'shop', permissions: pullOnly };
      const { namespace, config } = await robot({ projects: [shop] });
      const version = await secretVersion(namespace);
      const [base, other] = [await pushed('base'), await pushed()];
      expect(await hub.pull(config, base)).toBe(false);
      await hub.issuer.patch(namespace, 'robot', { spec: { projects: [{ name: 'base', permissions: pullOnly }] } });
      await eventually('it is in force', async () => (await inForce(namespace))?.[0]?.project === 'base');
      expect(await hub.pull(config, base)).toBe(true);
      expect(await hub.pull(config, other)).toBe(false);
      expect(await secretVersion(namespace)).toBe(version);
    });

    test('of its end moves it, counted from the issue of the secret, and the secret stays', async () => {
      await clock(-day);
      const { namespace, login } = await robot({ expiresIn: '30d' });
      await site.operator.setClock(0);
      const { issuedAt = '', expiresAt } = await hub.issuer.status(namespace, 'robot');
      const daysOn = (days: number) => `${new Date(Date.parse(issuedAt) + days * day).toISOString().slice(0, 19)}Z`;
      expect(expiresAt).toBe(daysOn(30));
      const edited = async (spec: object, end: string | undefined) => {
        await hub.issuer.patch(namespace, 'robot', { spec });
        await eventually(
          `it ends at ${end}`,
          async () => (await hub.issuer.status(namespace, 'robot')).expiresAt === end,
        );
        expect(await hub.issuer.login(namespace, 'robot')).toEqual(login);
      };
      await edited({ expiresIn: '90d' }, daysOn(90));
      await edited({ expiresIn: 'never' }, undefined);
      await edited({ notAfter: daysOn(10) }, daysOn(10));
      expect(await hub.issuer.letsIn(login)).toBe(true);
      await hub.issuer.patch(namespace, 'robot', { spec: { notAfter: '2020-01-01T00:00:00Z' } });
      expect(await hub.issuer.robotSays(namespace, 'robot', 'Expired')).toContain('notAfter');
      expect(await hub.issuer.letsIn(login)).toBe(false);
      await edited({ notAfter: daysOn(20) }, daysOn(20));
      await hub.issuer.robotSays(namespace, 'robot', 'Issued');
      expect(await hub.push(await hub.config(namespace, 'robot'), hub.newName())).toBe(true);
      expect((await hub.issuer.status(namespace, 'robot')).revision).toBe(1);
    });
  });

  describe('a new secret', () => {
    /** Whether each of these may pull, one after the other. */
    async function whoPulls(name: string, ...logins: Login[]): Promise<boolean[]> {
      const seen: boolean[] = [];
      for (const login of logins) seen.push(await hub.pull(configOf(hub.process.host, login), name));
      return seen;
    }

    const previous = async (namespace: string) => (await hub.issuer.status(namespace, 'robot')).previous?.length;

    test('that is asked for leaves the old one its overlap, and then it is refused', async () => {
      const { namespace, login: first } = await robot({ rotation: { overlap: '1h' } });
      const name = await pushed();
      await hub.issuer.annotate(namespace, 'robot', { 'botmint.dev/rotate': '1' });
      const second = await hub.issuer.next(namespace, 'robot', first);
      await eventually('it is recorded', async () => (await previous(namespace)) === 1);
      expect(await whoPulls(name, first, second)).toEqual([true, true]);
      await clock(2 * hour);
      expect([await hub.issuer.letsIn(first), await hub.issuer.letsIn(second)]).toEqual([false, true]);
      await hub.issuer.annotate(namespace, 'robot', { wake: 'up' });
      await eventually('nothing is left of it', async () => (await previous(namespace)) === undefined);
      await site.operator.setClock(0);
      expect(await whoPulls(name, first, second)).toEqual([false, true]);
    });

    test('without an overlap ends the old one, once for each value of the annotation', async () => {
      const { namespace, login: first } = await robot();
      await hub.issuer.annotate(namespace, 'robot', { 'botmint.dev/rotate': '1' });
      const second = await hub.issuer.next(namespace, 'robot', first);
      await eventually('it is recorded', async () => (await hub.issuer.status(namespace, 'robot')).revision === 2);
      expect(await whoPulls(await pushed(), first, second)).toEqual([false, true]);
      await hub.issuer.annotate(namespace, 'robot', { wake: 'up' });
      await robot();
      expect(await hub.issuer.login(namespace, 'robot')).toEqual(second);
    });

    test('comes by itself before the old one ends', async () => {
      const { namespace, login: first } = await robot({ expiresIn: '3d', rotation: {} });
      await clock(2 * day + hour);
      await hub.issuer.annotate(namespace, 'robot', { wake: 'up' });
      const second = await hub.issuer.next(namespace, 'robot', first);
      await eventually('it is recorded', async () => (await hub.issuer.status(namespace, 'robot')).revision === 2);
      await site.operator.setClock(0);
      expect(await whoPulls(await pushed(), first, second)).toEqual([false, true]);
    });

    test('in the place of one that has leaked ends everything older, whatever the overlap', async () => {
      const { namespace, login: first } = await robot({ rotation: { overlap: '10d' } });
      await hub.issuer.annotate(namespace, 'robot', { 'botmint.dev/rotate': '1' });
      const second = await hub.issuer.next(namespace, 'robot', first);
      await eventually('it is recorded', async () => (await previous(namespace)) === 1);
      await hub.issuer.annotate(namespace, 'robot', { 'botmint.dev/replace': 'leaked' });
      const third = await hub.issuer.next(namespace, 'robot', second);
      await eventually('it is recorded', async () => (await previous(namespace)) === undefined);
      expect(await whoPulls(await pushed(), first, second, third)).toEqual([false, false, true]);
    });

    test.each([
      ['with an overlap', '1d', true],
      ['without', '0s', false],
    ] as const)('%s, during a push: what has its token goes on', async (_, overlap, oldWorks) => {
      const { namespace, login: first } = await robot({ rotation: { overlap } });
      const [name, there] = [hub.newName(), await pushed()];
      const { push, gate } = await heldPush({ port: hub.process.port, web: ground.web, crane: hub.crane }, first, name);
      onTestFinished(() => gate.close());
      await hub.issuer.annotate(namespace, 'robot', { 'botmint.dev/rotate': '1' });
      const second = await hub.issuer.next(namespace, 'robot', first);
      await eventually('it is recorded', async () => (await hub.issuer.status(namespace, 'robot')).revision === 2);
      expect(await whoPulls(there, first, second)).toEqual([oldWorks, true]);
      gate.open();
      expect(may(await push)).toBe(true);
      expect(await whoPulls(name, second)).toEqual([true]);
    });

    test('of its owner is what the robot logs in with', async () => {
      const namespace = await site.namespace();
      const value = 'Own-secret-of-25';
      await site.api.create(`/api/v1/namespaces/${namespace}/secrets`, {
        metadata: { name: 'mine' },
        data: { password: Buffer.from(value).toString('base64') },
      });
      const valueFrom = { secretKeyRef: { name: 'mine', key: 'password' } };
      const login = await hub.issuer.issued(namespace, 'robot', { name: `ci-${++robots}`, secret: { valueFrom } });
      expect(login.secret.reveal()).toBe(value);
      const name = hub.newName();
      expect(await hub.push(await hub.config(namespace, 'robot'), name)).toBe(true);
      const wrong = { ...login, secret: new SecretValue('Own-secret-of-26') };
      expect(await whoPulls(name, login, wrong)).toEqual([true, false]);
    });
  });

  test('a registry that calls itself something else is told, by whoever uses it', async () => {
    const issuer = await OwnRegistryIssuer.make(site, await site.namespace());
    const other = await ground.registryOf(issuer, 'other.example.com');
    onTestFinished(() => other.close());
    const namespace = await site.namespace();
    await issuer.issued(namespace, 'robot');
    const { ok, stderr } = await other.crane.runWith(await other.config(namespace, 'robot'), [
      'digest',
      other.image('shop/app'),
    ]);
    expect(ok).toBe(false);
    expect(stderr).toContain('spec.registry.service has to be what the registry has as auth.token.service');
  });

  test('the Secrets of the signing chain may be lost, and the registry goes on without a restart', async () => {
    const issuer = await OwnRegistryIssuer.make(site, await site.namespace());
    const own = await ground.registryOf(issuer);
    onTestFinished(() => own.close());
    const namespace = await site.namespace();
    const login = await issuer.issued(namespace, 'robot');
    const config = await own.config(namespace, 'robot');
    const bundle = await issuer.bundle();
    const { uid } = (await site.api.get(issuer.path))?.metadata ?? {};
    const lose = (what: 'leaf' | 'ca') =>
      site.api.delete(`/api/v1/namespaces/botmint-system/secrets/botmint-registry-${what}-${uid}`);
    const leaf = async () => leafOf(tokenIn(await issuer.ask({ login })));
    const first = await leaf();
    await lose('leaf');
    await eventually('another leaf signs', async () => (await leaf()) !== first);
    expect(await own.push(config, own.newName())).toBe(true);
    expect(await issuer.bundle()).toBe(bundle);
    await lose('ca');
    expect(await issuer.says('BundleChanged')).toContain('rootcertbundle');
    const both = await issuer.bundle();
    expect([both.startsWith(bundle), both.length > bundle.length]).toEqual([true, true]);
    expect(await own.push(config, own.newName())).toBe(true);
  });

  test('the key that signs is renewed, and the registry goes on without a restart', async () => {
    await clock(-60.5 * day);
    const issuer = await OwnRegistryIssuer.make(site, await site.namespace(), {}, { tokenLifetime: '24h' });
    const bundle = await issuer.bundle();
    const aged = await ground.registryOf(issuer);
    onTestFinished(() => aged.close());
    const { pid } = aged.process;
    const namespace = await site.namespace();
    const login = await issuer.issued(namespace, 'robot', { expiresIn: 'never' });
    // Its tokens live for a day, so the registry takes them though they are half a day old.
    await site.operator.setClock(-13 * hour);
    const config = await aged.config(namespace, 'robot');
    expect(await aged.push(config, aged.newName())).toBe(true);
    const old = tokenIn(await issuer.ask({ login }));
    await site.operator.setClock(0);
    await site.api.patch(issuer.path, { metadata: { annotations: { wake: 'up' } } });
    const renewed = await eventually('another leaf signs', async () => {
      const token = tokenIn(await issuer.ask({ login }));
      return leafOf(token) === leafOf(old) ? undefined : token;
    });
    expect(await aged.push(config, aged.newName())).toBe(true);
    expect([await aged.takes(old), await aged.takes(renewed)]).toEqual([true, true]);
    expect([await issuer.bundle(), aged.process.pid]).toEqual([bundle, pid]);
  });
});

/** The certificate that a token carries. */
function leafOf(token: string): string {
  const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
  return z.object({ x5c: z.tuple([z.string()]) }).parse(header).x5c[0];
}
