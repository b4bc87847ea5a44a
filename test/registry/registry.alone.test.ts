import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Permission, permissions } from '../../src/api/permissions.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { makeLeaf, makeSigningAuthority } from '../../src/issuers/registry/chain.ts';
import { generateSecret } from '../../src/issuers/registry/secrets.ts';
import { type RegistrySigner, readSigner } from '../../src/issuers/registry/signer.ts';
import { signRegistryToken } from '../../src/issuers/registry/token.ts';
import { builtRegistry, missingRegistry } from './build.ts';
import type { Login } from './crane.ts';
import { debianRegistry } from './debian.ts';
import { heldPush } from './gate.ts';
import { Site } from './site.ts';

const missing = await missingRegistry();
const debian = missing === undefined ? await debianRegistry() : { missing };
if ('missing' in debian) console.error(`distribution 2.8 skipped: ${debian.missing}`);
const binaries = { 3: undefined, 2.8: 'binary' in debian ? debian.binary : undefined };
/** A first build fetches and compiles what a later one finds. */
const buildTimeout = 30 * 60_000;

const everything: Permission[] = [...permissions];
const pullOnly: Permission[] = ['PullArtifacts'];
const pushAndPull: Permission[] = ['PushArtifacts', 'PullArtifacts'];
const day = 86_400_000;

beforeAll(async () => {
  if (missing === undefined) await builtRegistry(line => console.error(line));
}, buildTimeout);

describe.each([3, 2.8] as const)('distribution %s', version => {
  if (missing !== undefined) {
    test.skip(`needs a registry: ${missing}`, () => undefined);
    return;
  }
  if (version === 2.8 && 'missing' in debian) {
    test.skip(`needs Debian's docker-registry: ${debian.missing}`, () => undefined);
    return;
  }
  let site: Site;
  let admin: Login;
  let number = 0;
  const newName = (project = 'shop') => `${project}/app-${++number}`;

  beforeAll(async () => {
    site = await Site.open(binaries[version]);
    admin = site.robot([{ project: '*', permissions: everything }]);
  });
  afterAll(() => site?.close());

  /** An image that is there. */
  async function pushed(name = newName()): Promise<string> {
    const { ok, stderr } = await site.push(admin, name);
    expect(ok, stderr).toBe(true);
    return name;
  }

  async function digestOf(name: string): Promise<string> {
    return (await site.as(admin, 'digest', site.image(name))).stdout.trim();
  }

  const in_ = (project: string, given: Permission[]) => site.robot([{ project, permissions: given }]);
  const may = (ran: { ok: boolean; stderr: string }) => {
    expect(/UNAUTHORIZED|401 Unauthorized/.test(ran.stderr), ran.stderr).toBe(!ran.ok);
    return ran.ok;
  };

  test('a robot that may pushes and pulls', async () => {
    const robot = in_('shop', pushAndPull);
    const name = newName();
    expect(may(await site.push(robot, name))).toBe(true);
    expect(may(await site.pull(robot, name))).toBe(true);
    expect(site.used).toContain(robot.username);
  });

  test('one that may only pull pulls, and cannot push', async () => {
    const robot = in_('shop', pullOnly);
    const name = await pushed();
    expect(may(await site.pull(robot, name))).toBe(true);
    expect(may(await site.push(robot, newName()))).toBe(false);
  });

  test('one of another project does neither', async () => {
    const robot = in_('other', everything);
    expect(may(await site.pull(robot, await pushed()))).toBe(false);
    expect(may(await site.push(robot, newName()))).toBe(false);
  });

  test('one that is disabled or has ended does nothing, and works again when that is over', async () => {
    const robot = in_('shop', pushAndPull);
    const name = await pushed();
    for (const ended of [{ disabled: true }, { expiresAt: new Date() }]) {
      site.change(robot, ended);
      expect(may(await site.pull(robot, name))).toBe(false);
      expect(may(await site.push(robot, newName()))).toBe(false);
      site.change(robot, { disabled: false, expiresAt: undefined });
      expect(may(await site.pull(robot, name))).toBe(true);
    }
  });

  test('one that is deleted, or shows another secret, does nothing', async () => {
    const robot = in_('shop', pushAndPull);
    const name = await pushed();
    expect(may(await site.pull({ ...robot, secret: generateSecret() }, name))).toBe(false);
    site.accounts.delete(robot.username);
    expect(may(await site.pull(robot, name))).toBe(false);
  });

  test('one with a secret of its own logs in with it', async () => {
    const robot = { ...in_('shop', pullOnly), secret: new SecretValue('Passw0rd:of-ours') };
    const uid = site.accounts.get(robot.username)?.uid ?? '';
    const verifier = await site.verifiers.ofOwn({ uid, revision: 2 }, robot.secret);
    site.change(robot, { verifiers: [{ revision: 2, verifier }] });
    const name = await pushed();
    expect(may(await site.pull(robot, name))).toBe(true);
    expect(may(await site.pull({ ...robot, secret: new SecretValue('Passw0rd:of-yours') }, name))).toBe(false);
  });

  test('nobody in particular pulls from an open project, and from no other', async () => {
    const open = await pushed(newName('public'));
    expect(may(await site.pull(undefined, open))).toBe(true);
    expect(may(await site.pull(in_('shop', pullOnly), open))).toBe(true);
    expect(may(await site.push(undefined, newName('public')))).toBe(false);
    expect(may(await site.pull(undefined, await pushed()))).toBe(false);
  });

  test('a repository outside of all projects is reached by a robot for every project alone', async () => {
    const name = await pushed(`single-${version === 3 ? 'v3' : 'v2'}`);
    expect(may(await site.pull(in_(name, everything), name))).toBe(false);
    expect(may(await site.pull(in_('*', pullOnly), name))).toBe(true);
  });

  test('the list of repositories is for a robot that may pull everything', async () => {
    const name = await pushed();
    const list = (login: Login) => site.as(login, 'catalog', site.registry.host);
    expect((await list(in_('*', pullOnly))).stdout).toContain(name);
    expect(may(await list(in_('shop', everything)))).toBe(false);
  });

  test('a system robot has its permissions in each of two projects, and in no third', async () => {
    const robot = site.robot([
      { project: 'shop', permissions: pushAndPull },
      { project: 'base', permissions: pullOnly },
    ]);
    const [base, other] = [await pushed(newName('base')), await pushed(newName('other'))];
    expect(may(await site.pull(robot, base))).toBe(true);
    expect(may(await site.push(robot, newName('base')))).toBe(false);
    expect(may(await site.push(robot, newName('shop')))).toBe(true);
    expect(may(await site.pull(robot, other))).toBe(false);
    // A copy between them asks for two repositories at once, one to pull from and one to push to.
    expect(may(await site.as(robot, 'copy', site.image(base), site.image(newName('shop'))))).toBe(true);
    expect(may(await site.as(robot, 'copy', site.image(other), site.image(newName('shop'))))).toBe(false);
  });

  describe('the permission', () => {
    test.each<[Permission, string]>([
      ['PushArtifacts', 'pull push tag'],
      ['PullArtifacts', 'pull'],
      ['DeleteArtifacts', 'delete'],
      ['ReadHelmCharts', 'pull'],
      ['CreateHelmChartVersion', 'pull push tag'],
      ['DeleteHelmChartVersion', 'delete'],
      ['CreateTag', 'pull push tag'],
      ['DeleteTag', 'delete'],
      ['CreateArtifactLabels', ''],
      ['CreateScan', ''],
    ])('%s lets a robot %s', async (permission, expected) => {
      const robot = in_('shop', [permission]);
      const name = await pushed();
      // 2.8 deletes by digest only.
      const target = version === 3 && permission === 'DeleteTag' ? `${name}:latest` : `${name}@${await digestOf(name)}`;
      const tried = [
        ['pull', await site.pull(robot, name)],
        ['push', await site.push(robot, newName())],
        ['tag', await site.as(robot, 'tag', site.image(name), 'second')],
        ['delete', await site.as(robot, 'delete', site.image(target))],
      ] as const;
      expect(tried.flatMap(([what, ran]) => (may(ran) ? [what] : [])).join(' ')).toBe(expected);
      expect((await site.pull(admin, name)).ok).toBe(!expected.includes('delete'));
    });
  });

  describe('rotation', () => {
    /** A new secret; the old one lives to the end of its overlap. */
    function rotated(robot: Login, until: Date): Login {
      const account = site.accounts.get(robot.username);
      if (account === undefined) throw new Error('no such robot');
      const secret = generateSecret();
      const verifier = site.verifiers.ofGenerated({ uid: account.uid, revision: 2 }, secret);
      const previous = account.verifiers.map(one => ({ ...one, until }));
      site.change(robot, { verifiers: [{ revision: 2, verifier }, ...previous] });
      return { ...robot, secret };
    }

    async function held(robot: Login, name: string) {
      const of = { port: site.registry.port, web: site.web, crane: site.crane };
      const { push, gate } = await heldPush(of, robot, name);
      onTestFinished(() => gate.close());
      return { push, gate };
    }

    test('during a push: it ends well, and both secrets work until the overlap is over', async () => {
      const robot = in_('shop', pushAndPull);
      const [name, there] = [newName(), await pushed()];
      const { push, gate } = await held(robot, name);
      const next = rotated(robot, new Date(Date.now() + day));
      expect(may(await site.pull(next, there))).toBe(true);
      expect(may(await site.pull(robot, there))).toBe(true);
      gate.open();
      expect(may(await push)).toBe(true);
      expect(may(await site.pull(next, name))).toBe(true);
      site.change(robot, { verifiers: site.accounts.get(robot.username)?.verifiers.slice(0, 1) ?? [] });
      expect(may(await site.pull(robot, there))).toBe(false);
      expect(may(await site.pull(next, there))).toBe(true);
    });

    test('without an overlap, during a push: what has its token goes on, and the old secret gets no other', async () => {
      const robot = in_('shop', pushAndPull);
      const [name, there] = [newName(), await pushed()];
      const { push, gate } = await held(robot, name);
      const next = rotated(robot, new Date());
      expect(may(await site.pull(robot, there))).toBe(false);
      gate.open();
      expect(may(await push)).toBe(true);
      expect(may(await site.pull(next, name))).toBe(true);
    });
  });

  describe('the chain', () => {
    const token = async (signer: RegistrySigner, change: { service?: string; issuer?: string } = {}) => {
      const of = {
        issuer: 'botmint',
        service: 'registry.test',
        subject: 'x',
        access: [],
        lifetimeSeconds: 60,
        ...change,
      };
      return (await signRegistryToken(signer, of, new Date())).token;
    };
    const status = async (bearer: Promise<string>) =>
      (await site.request('/v2/', { headers: { authorization: `Bearer ${await bearer}` } })).status;

    test('has a new leaf, and the registry takes it without a restart, and what the old one signed', async () => {
      const robot = in_('shop', pushAndPull);
      const { pid } = site.registry;
      const old = Promise.resolve(await token(site.signer));
      site.signer = await site.newLeaf();
      const name = newName();
      expect(may(await site.push(robot, name))).toBe(true);
      expect(may(await site.pull(robot, name))).toBe(true);
      expect(await status(old)).toBe(200);
      expect(site.registry.pid).toBe(pid);
    });

    test('is not believed with a leaf that has ended, has not begun, or is of another CA', async () => {
      const foreign = await makeSigningAuthority('hub', new Date());
      expect(await status(token(await site.newLeaf()))).toBe(200);
      expect(await status(token(await site.newLeaf(new Date(Date.now() - 91 * day))))).toBe(401);
      expect(await status(token(await site.newLeaf(new Date(Date.now() + day))))).toBe(401);
      expect(await status(token(readSigner(await makeLeaf(foreign, 'hub', new Date()))))).toBe(401);
    });

    test('is not believed for another registry or issuer', async () => {
      expect(await status(token(site.signer, { service: 'other.test' }))).toBe(401);
      expect(await status(token(site.signer, { issuer: 'other' }))).toBe(401);
    });
  });

  describe('as raw HTTP', () => {
    const basic = ({ username, secret }: Login) =>
      `Basic ${Buffer.from(`${username}:${secret.reveal()}`).toString('base64')}`;

    /** The challenge of a registry: what a client has to ask, and where. */
    async function challenge(path: string, method = 'GET'): Promise<Record<string, string>> {
      const { status, headers } = await site.request(path, { method });
      expect(status).toBe(401);
      const header = headers.get('www-authenticate') ?? '';
      return Object.fromEntries(
        [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]),
      );
    }

    const Token = async (response: { json(): Promise<unknown> }) => String(Object(await response.json()).access_token);

    test('docker login: no scope, a refresh token asked for, and then the token shown at /v2/', async () => {
      const { realm, service = '', scope } = await challenge('/v2/');
      expect({ realm, service, scope }).toEqual({ realm: site.realm, service: 'registry.test', scope: undefined });
      const robot = in_('shop', pullOnly);
      const query = new URLSearchParams({
        account: robot.username,
        client_id: 'docker',
        offline_token: 'true',
        service,
      });
      const ask = (login: Login) =>
        site.request(`${realm}?${query.toString()}`, { headers: { authorization: basic(login) } });
      const bearer = await Token(await ask(robot));
      const login = await site.request('/v2/', { headers: { authorization: `Bearer ${bearer}` } });
      expect(login.status).toBe(200);
      expect((await ask({ ...robot, secret: generateSecret() })).status).toBe(401);
    });

    test('containerd: POST with the password, and then the manifest with the token', async () => {
      const name = await pushed();
      const path = `/v2/${name}/manifests/latest`;
      const { realm = '', service = '', scope = '' } = await challenge(path, 'HEAD');
      expect(scope).toBe(`repository:${name}:pull`);
      const robot = in_('shop', pullOnly);
      const form = { grant_type: 'password', service, client_id: 'containerd-client', scope };
      const post = (login: Login) =>
        site.request(realm, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
          body: new URLSearchParams({ ...form, username: login.username, password: login.secret.reveal() }).toString(),
        });
      const bearer = await Token(await post(robot));
      const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
      const manifest = await site.request(path, {
        method: 'HEAD',
        headers: { authorization: `Bearer ${bearer}`, accept },
      });
      expect(manifest.status).toBe(200);
      // After one of these containerd tries the GET form; anything else would end the pull.
      expect([400, 401, 404, 405]).toContain((await post({ ...robot, secret: generateSecret() })).status);
    });
  });
});

test.skipIf(missing !== undefined)(
  'a header that is too large is refused by the server, with nothing of it said',
  async () => {
    const site = await Site.open();
    onTestFinished(() => site.close());
    const { port, pathname } = new URL(site.realm);
    const socket = connect({ host: 'localhost', port: Number(port), ca: site.web.pair.certificate });
    await once(socket, 'secureConnect');
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    const closed = new Promise(resolve => socket.on('error', () => undefined).once('close', resolve));
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${'canary'.repeat(3000)}\r\n\r\n`,
    );
    await closed;
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
    expect(answer).not.toContain('canary');
  },
);
