import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { RobotInputs } from '../../src/api/inputs.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { generateSecret } from '../../src/issuers/registry/secrets.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { FaultProxy } from '../faults/proxy.ts';
import type { Login } from '../registry/crane.ts';
import { OperatorProcess } from './operator-process.ts';
import { basic, claimsOf, OwnRegistryIssuer, robotPath, tokenIn } from './own-registry-issuer.ts';
import { Site } from './site.ts';

// Secrets that people bring, and what the token endpoint of a running operator answers whom.

const cluster = sharedCluster();
let site: Site;
let hub: OwnRegistryIssuer;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
  const registry = { anonymous: { projects: ['open'] } };
  hub = await OwnRegistryIssuer.make(site, await site.namespace(), {}, registry);
});

afterAll(() => site?.close());

let robots = 0;
/** No robot of another test has it. */
const newName = () => `ci-${++robots}`;

/** A secret for a robot, in a Secret of that name. */
async function broughtIn(namespace: string, name: string, secret: string) {
  const data = { password: Buffer.from(secret).toString('base64') };
  await site.api.create(`/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, data });
  return { valueFrom: { secretKeyRef: { name, key: 'password' } } };
}

/** Of the form that is generated, and nobody's. */
const wrong = (login: Login): Login => ({ ...login, secret: generateSecret() });

describe('a secret that somebody brings', () => {
  const source = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets/mine`;
  const encoded = (password: string | Buffer) => ({
    password: Buffer.from(password as string).toString('base64'),
  });
  const fromMine = { valueFrom: { secretKeyRef: { name: 'mine', key: 'password' } } };

  async function bring(namespace: string, password: string | Buffer): Promise<void> {
    const found = await site.api.get(source(namespace));
    if (found !== undefined) await site.api.patch(source(namespace), { data: encoded(password) });
    else
      await site.api.create(source(namespace).replace('/mine', ''), {
        metadata: { name: 'mine' },
        data: encoded(password),
      });
  }

  /** No watch covers the Secret: it is looked at every 30 s, and with every look at the robot. */
  let looks = 0;
  const look = (namespace: string) => hub.annotate(namespace, 'robot', { look: String(++looks) });

  async function robotWith(password: string, name = newName()) {
    const namespace = await site.namespace();
    await bring(namespace, password);
    return { namespace, login: await hub.issued(namespace, 'robot', { name, secret: fromMine }) };
  }

  test('is waited for, with its key, and then used', async () => {
    const namespace = await site.namespace();
    await site.apply(hub.robot('robot', { name: newName(), secret: fromMine }), namespace);
    expect(await hub.robotSays(namespace, 'robot', 'SourceNotFound')).toContain('Secret mine');
    expect(await hub.stateOf(namespace, 'robot')).toBe('Reconciling');
    await site.api.create(source(namespace).replace('/mine', ''), { metadata: { name: 'mine' } });
    await look(namespace);
    await eventually('its key', async () =>
      (await hub.robotSays(namespace, 'robot', 'SourceNotFound')).includes('no key password'),
    );
    expect(await site.secret(namespace, 'robot')).toBeUndefined();
    await bring(namespace, 'Brought-in-2026');
    await look(namespace);
    await hub.robotSays(namespace, 'robot', 'Issued');
    const login = await hub.login(namespace, 'robot');
    expect(login.secret.reveal()).toBe('Brought-in-2026');
    expect(await hub.letsIn(login)).toBe(true);
    expect(await hub.letsIn({ ...login, secret: new SecretValue('Brought-in-2027') })).toBe(false);
  });

  test.each([['Eight-88'], ['Twenty-characters-20']])('may have 8 to 20 characters: %s', async password => {
    expect(await hub.letsIn((await robotWith(password)).login)).toBe(true);
  });

  test.each([
    ['Kurz-77', 'at least 8 characters'],
    ['Viel-zu-lang-genau-21', 'at most 20 characters'],
    ['Keine-Ziffer', 'a digit'],
    ['nur-klein-99', 'an upper-case letter'],
    ['NUR-GROSS-99', 'a lower-case letter'],
    ['Mit-Zeile-99\n', 'no line break'],
  ])('is named by the rule that it breaks, and is nowhere itself: %j', async (password, rule) => {
    const namespace = await site.namespace();
    const first = site.proxy.requests.length;
    await bring(namespace, password);
    await site.apply(hub.robot('robot', { name: newName(), secret: fromMine }), namespace);
    const message = await hub.robotSays(namespace, 'robot', 'SourceInvalid');
    expect(message).toContain(`it must have ${rule}`);
    expect(message).toContain('the key password of Secret mine');
    expect(await hub.stateOf(namespace, 'robot')).toBe('Stalled');
    expect(await site.secret(namespace, 'robot')).toBeUndefined();
    const events = await eventually('it is told', async () => {
      const all = await site.api.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
      return all.some(event => event.reason === 'SourceInvalid') && all;
    });
    const sent = site.proxy.requests.slice(first).map(({ body }) => body);
    const metrics = (await site.operator.page('/metrics')).text;
    const said = JSON.stringify([events, await site.robot(namespace, 'robot'), sent, metrics, site.operator.output]);
    for (const canary of [password.trim(), encoded(password).password]) expect(said).not.toContain(canary);
  });

  test.each<[string, Buffer, string]>([
    ['is no text', Buffer.from([0xff, 0xfe, ...Buffer.from('Ab1defgh')]), 'UTF-8 text'],
    ['begins with a byte order mark', Buffer.from('\uFEFFMarked-99'), 'no byte order mark'],
  ])('is never made another one: a value that %s', async (_, password, rule) => {
    const namespace = await site.namespace();
    await bring(namespace, password);
    await site.apply(hub.robot('robot', { name: newName(), secret: fromMine }), namespace);
    expect(await hub.robotSays(namespace, 'robot', 'SourceInvalid')).toContain(`it must have ${rule}`);
    expect(await site.secret(namespace, 'robot')).toBeUndefined();
  });

  test('is not told letter by letter in what the API server says of the Secret', async () => {
    const namespace = await site.namespace();
    await bring(namespace, 'Quoted"x-99');
    const template = '{"auths": {"registry.example.com": {"password": "$(token)"}}}';
    const secret = { ...fromMine, data: [{ key: '.dockerconfigjson', template }] };
    await site.apply(hub.robot('robot', { name: newName(), secret }), namespace);
    const words = await hub.robotSays(namespace, 'robot', 'WriteRefused');
    expect(words).toContain('data[.dockerconfigjson] (what is wrong with it is not repeated here)');
    expect(words).not.toContain('invalid character');
    expect(site.operator.output).not.toContain('invalid character');
  });

  test('is not issued again when only its Secret is touched', async () => {
    const { namespace, login } = await robotWith('Touched-only-1');
    const before = await hub.status(namespace, 'robot');
    const touch = async (change: object) => {
      const found = (await site.api.patch(source(namespace), change)) as { metadata: { resourceVersion: string } };
      await look(namespace);
      await eventually('the version is recorded', async () => {
        const { inputs } = (await hub.status(namespace, 'robot')).issued as { inputs: RobotInputs };
        return inputs.robot.source?.resourceVersion === found.metadata.resourceVersion;
      });
    };
    await touch({ metadata: { labels: { team: 'payments' } } });
    await touch({ data: { another: 'bm90aGluZw==' } });
    const { revision, tokenID, issuedAt, expiresAt } = await hub.status(namespace, 'robot');
    expect({ revision, tokenID, issuedAt, expiresAt }).toEqual({
      revision: 1,
      tokenID: before.tokenID,
      issuedAt: before.issuedAt,
      expiresAt: before.expiresAt,
    });
    expect(await hub.login(namespace, 'robot')).toEqual(login);
    expect(await hub.letsIn(login)).toBe(true);
  });

  test('is not replaced by itself when it has leaked: it works until there is another one', async () => {
    const { namespace, login } = await robotWith('Leaked-some-1');
    await hub.annotate(namespace, 'robot', { 'botmint.dev/replace': '1' });
    const words = await hub.robotSays(namespace, 'robot', 'SourceUnchanged');
    expect(words).toContain('put another value there');
    expect(words).toContain('spec.disabled: true');
    expect(await hub.stateOf(namespace, 'robot')).toBe('Stalled');
    expect((await hub.status(namespace, 'robot')).revision).toBe(1);
    expect(await hub.letsIn(login)).toBe(true);
    await bring(namespace, 'Not-leaked-2');
    await look(namespace);
    const next = await hub.next(namespace, 'robot', login);
    await hub.robotSays(namespace, 'robot', 'Issued');
    expect([await hub.letsIn(login), await hub.letsIn(next)]).toEqual([false, true]);
  });

  test('is followed when it changes, unless into one against the rules', async () => {
    const { namespace, login: first } = await robotWith('First-secret-1');
    await bring(namespace, 'Second-secret-2');
    await look(namespace);
    const second = await hub.next(namespace, 'robot', first);
    await eventually('it is recorded', async () => (await hub.status(namespace, 'robot')).revision === 2);
    expect([await hub.letsIn(first), await hub.letsIn(second)]).toEqual([false, true]);
    await bring(namespace, 'bad');
    await look(namespace);
    const words = await hub.robotSays(namespace, 'robot', 'SourceInvalid');
    expect(words).toContain('the robot keeps the secret that it has');
    expect(await hub.letsIn(second)).toBe(true);
    await bring(namespace, 'Third-secret-3');
    await look(namespace);
    await hub.robotSays(namespace, 'robot', 'Issued');
    expect((await hub.login(namespace, 'robot')).secret.reveal()).toBe('Third-secret-3');
    expect(await hub.letsIn(second)).toBe(false);
  });

  test('may be taken away: the robot keeps what it has, and says so', async () => {
    const { namespace, login } = await robotWith('Taken-away-99');
    const version = (await site.secret(namespace, 'robot'))?.metadata.resourceVersion;
    await site.api.delete(source(namespace));
    await look(namespace);
    const words = await hub.robotSays(namespace, 'robot', 'SourceNotFound');
    expect(words).toContain('does not exist');
    expect(words).toContain('the robot keeps the secret that it has');
    expect(await hub.stateOf(namespace, 'robot')).toBe('Ready');
    expect(await hub.letsIn(login)).toBe(true);
    expect((await site.secret(namespace, 'robot'))?.metadata.resourceVersion).toBe(version);
  });

  test('stays what it is when a rotation is asked for: only its owner has another', async () => {
    const { namespace, login } = await robotWith('Stays-the-same-1');
    await hub.annotate(namespace, 'robot', { 'botmint.dev/rotate': '1' });
    await eventually('it is recorded', async () => (await hub.status(namespace, 'robot')).revision === 2);
    expect(await hub.login(namespace, 'robot')).toEqual(login);
    expect(await hub.letsIn(login)).toBe(true);
  });

  test('that is asked for no more is followed by a generated one', async () => {
    const { namespace, login } = await robotWith('Not-any-more-1');
    await hub.patch(namespace, 'robot', { spec: { secret: { valueFrom: null } } });
    const generated = await hub.next(namespace, 'robot', login);
    await eventually('it is recorded', async () => (await hub.status(namespace, 'robot')).revision === 2);
    expect([await hub.letsIn(login), await hub.letsIn(generated)]).toEqual([false, true]);
  });

  test('is never read out of the Secret that is written', async () => {
    const namespace = await site.namespace();
    const secret = { name: 'mine', ...fromMine };
    await expect(site.apply(hub.robot('robot', { name: newName(), secret }), namespace)).rejects.toThrow(
      'must not read the Secret that is written',
    );
  });
});

describe('the token endpoint', () => {
  let login: Login;
  let namespace: string;
  const scope = 'repository:shop/app:pull,push';

  beforeAll(async () => {
    namespace = await site.namespace();
    login = await hub.issued(namespace, 'robot', { name: newName() });
  });

  /** The status, and the word of OAuth2 for what is wrong. */
  const outcome = ({ status, text }: { status: number; text: string }) => {
    const { error } = z.object({ error: z.string().optional() }).parse(JSON.parse(text));
    return [status, error];
  };

  test('answers both forms with the same token, and gives nothing to come back with', async () => {
    const query = { scope, account: login.username, client_id: 'docker', offline_token: 'true' };
    const form = { username: login.username, password: login.secret.reveal(), scope, access_type: 'offline' };
    for (const answer of [await hub.ask({ login, query }), await hub.post(form)]) {
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain('refresh_token');
      expect(answer.headers['cache-control']).toBe('no-store');
      const { access, sub, exp, iat } = claimsOf(tokenIn(answer));
      expect([sub, exp - iat]).toEqual([login.username, 300]);
      expect(access).toEqual([{ type: 'repository', name: 'shop/app', actions: ['pull', 'push'] }]);
    }
    const refresh = await hub.post({ ...form, grant_type: 'refresh_token', refresh_token: 'x' });
    expect(outcome(refresh)).toEqual([400, 'unsupported_grant_type']);
  });

  test('gives nobody in particular what is open, and no more', async () => {
    const asked = async (name: string) => {
      const answer = await hub.ask({ query: { scope: `repository:${name}:pull,push` } });
      return claimsOf(tokenIn(answer)).access;
    };
    expect(await asked('open/app')).toEqual([{ type: 'repository', name: 'open/app', actions: ['pull'] }]);
    expect(await asked('shop/app')).toEqual([]);
    expect(await asked('openshop/app')).toEqual([]);
  });

  test.each([
    ['without actions', 'repository:shop/app'],
    ['of no repository', 'repository:SHOP/../app:pull'],
    ['with words that are no actions', 'repository:shop/app:PULL%00'],
    ['of too many', Array.from({ length: 51 }, (_, i) => `repository:shop/app-${i}:pull`).join(' ')],
  ])('refuses a scope %s', async (_, broken) => {
    expect(outcome(await hub.ask({ login, query: { scope: broken } }))).toEqual([400, 'invalid_scope']);
    const form = { username: login.username, password: login.secret.reveal(), scope: broken };
    expect(outcome(await hub.post(form))).toEqual([400, 'invalid_scope']);
  });

  test('refuses what is for another service, or for an issuer that is not there or not a registry', async () => {
    expect(outcome(await hub.ask({ login, query: { service: 'other.example.com' } }))).toEqual([
      400,
      'invalid_request',
    ]);
    for (const name of ['nobody', 'builtin'])
      expect(outcome(await site.fetch(`/registry/${name}/token`))).toEqual([404, 'not_found']);
  });

  test('refuses a header that is too large, and one that is no Basic, without repeating it', async () => {
    const path = `/registry/${hub.name}/token`;
    const huge = await site.fetch(path, { headers: { authorization: `Basic ${'canary'.repeat(4000)}` } });
    expect(huge.status).toBe(431);
    expect(huge.text).not.toContain('canary');
    for (const authorization of ['Basic canary', 'Bearer canary', 'Basic !!!canary']) {
      const answer = await site.fetch(path, { headers: { authorization } });
      expect(outcome(answer)).toEqual([401, 'invalid_client']);
      expect(answer.text).not.toContain('canary');
    }
    expect(site.operator.output).not.toContain('canary');
  });

  test('says the same of an unknown account and a wrong secret, whatever state the account is in', async () => {
    const off = await hub.issued(namespace, 'off', { name: newName() });
    await hub.patch(namespace, 'off', { spec: { disabled: true } });
    await hub.robotSays(namespace, 'off', 'Disabled');
    const strangers = [
      wrong(login),
      { ...login, secret: new SecretValue('Wrong-but-short-1') },
      wrong({ ...login, username: 'robot_shop+nobody' }),
      wrong({ ...login, username: 'nobody' }),
      wrong(off),
    ];
    const said: unknown[] = [];
    for (const stranger of strangers) {
      for (const answer of [
        await hub.ask({ login: stranger }),
        await hub.post({ username: stranger.username, password: stranger.secret.reveal() }),
      ]) {
        const { date: _, ...headers } = answer.headers;
        said.push({ status: answer.status, headers, text: answer.text });
      }
    }
    expect(new Set(said.map(each => JSON.stringify(each))).size).toBe(1);
    expect(said[0]).toMatchObject({ status: 401 });
    // Who has shown the right one is told why it does not help.
    expect((await hub.ask({ login: off })).text).toContain('the robot account is disabled');
  });

  test('holds up who guesses, and never who has a generated secret', async () => {
    const guessed = await hub.issued(namespace, 'guessed', { name: newName() });
    let held = await hub.ask({ login: wrong(guessed) });
    for (let guesses = 1; guesses < 500 && held.status === 401; guesses++) {
      held = await hub.ask({ login: wrong(guessed) });
    }
    expect(held.status).toBe(429);
    expect(Number(held.headers['retry-after'])).toBeGreaterThan(0);
    expect(await hub.letsIn(guessed)).toBe(true);
    expect(site.operator.output).not.toContain(basic(guessed).slice(6));
  });

  test('lets in a crowd of nodes that come with an own secret at once, again and again', async () => {
    const secret = await broughtIn(namespace, 'brought', 'Brought-in-2026');
    const crowd = await hub.issued(namespace, 'crowd', { name: newName(), secret });
    for (let times = 0; times < 2; times++) {
      const answers = await Promise.all(Array.from({ length: 150 }, () => hub.ask({ login: crowd })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    }
  });
});

describe('of two operators', () => {
  let proxy: FaultProxy;
  let second: OperatorProcess;

  beforeAll(async () => {
    proxy = await FaultProxy.start({ kubeconfigPath: site.kubeconfigPath });
    second = await OperatorProcess.start({ kubeconfig: await proxy.kubeconfigFor(await site.operatorToken()) });
  });

  afterAll(async () => {
    await second?.kill();
    await proxy?.stop();
  });

  const both = async (login: Login) => [await hub.letsIn(login), await hub.letsIn(login, second)];
  const becomes = (login: Login, expected: boolean) =>
    eventually(`both say ${expected}`, async () => (await both(login)).every(each => each === expected));

  test('each lets in whom the other has issued, and none who was disabled, rotated away or deleted at it', async () => {
    const namespace = await site.namespace();
    const names = Array.from({ length: 24 }, newName);
    await site.apply(names.map(name => hub.robot(name)).join(''), namespace);
    for (const name of names) await site.ready('robotaccounts', namespace, name, 'Issued');
    const ids = await Promise.all(names.map(async name => (await hub.status(namespace, name)).id));
    expect(new Set(ids).size).toBe(names.length);
    for (const [i, name] of names.slice(0, 6).entries()) {
      const login = await hub.login(namespace, name);
      await becomes(login, true);
      if (i % 2 === 0) {
        await hub.patch(namespace, name, { spec: { disabled: true } });
        await becomes(login, false);
        await hub.patch(namespace, name, { spec: { disabled: false } });
        await becomes(login, true);
        await site.api.delete(robotPath(namespace, name));
      } else {
        await hub.annotate(namespace, name, { 'botmint.dev/rotate': '1' });
        await becomes(await hub.next(namespace, name, login), true);
      }
      await becomes(login, false);
    }
  });

  test('both let everybody in while the key of verifiers rotates, and no secret changes', async () => {
    const namespace = await site.namespace();
    const mine = await broughtIn(namespace, 'mine', 'Brought-in-2026');
    const logins = [
      await hub.issued(namespace, 'generated', { name: newName() }),
      await hub.issued(namespace, 'own', { name: newName(), secret: mine }),
    ];
    const keys = '/api/v1/namespaces/botmint-system/secrets/botmint-operator';
    const key = Buffer.from(generateSecret().reveal()).toString('base64');
    await site.api.patch(keys, { data: { 'verifier-2.key': key } });
    /** How many verifiers are of which key. */
    const verifiers = async (operator: OperatorProcess) => {
      const { text } = await operator.page('/metrics');
      return [...text.matchAll(/^botmint_verifiers\{key="(\w+)"\} (\d+)$/gm)].map(([, name, n]) => ({
        name,
        n: Number(n),
      }));
    };
    const answers = new Set<number>();
    const look = async () => {
      for (const login of logins)
        for (const by of [site.operator, second]) answers.add((await hub.ask({ login, by })).status);
      const seen = [...(await verifiers(site.operator)), ...(await verifiers(second))].filter(({ n }) => n > 0);
      return seen.length > 0 && seen.every(({ name }) => name === '2');
    };
    await eventually('every verifier is of the new key', look, { everyMilliseconds: 100 });
    expect([...answers]).toEqual([200]);
    await site.api.patch(keys, { data: { 'verifier-1.key': null } });
    for (const [i, name] of ['generated', 'own'].entries()) {
      const login = await hub.login(namespace, name);
      expect(login).toEqual(logins[i]);
      expect(await both(login)).toEqual([true, true]);
      expect((await hub.status(namespace, name)).revision).toBe(1);
    }
  });

  test('one that has lost touch lets in whom it knew for 15 s at the most, and then says that it cannot know', async () => {
    const namespace = await site.namespace();
    const off = await hub.issued(namespace, 'off', { name: newName() });
    const other = await hub.issued(namespace, 'other', { name: newName() });
    await becomes(off, true);
    proxy.watches('robotaccounts').hold(Number.POSITIVE_INFINITY);
    await hub.patch(namespace, 'off', { spec: { disabled: true } });
    const began = performance.now();
    await eventually('the one that sees it refuses', async () => !(await hub.letsIn(off)));
    let lastLetIn = began;
    await eventually('the other one does not answer', async () => {
      const asked = performance.now();
      const { status } = await hub.ask({ login: off, by: second });
      if (status === 200) lastLetIn = asked;
      return status === 503;
    });
    // What came last from the API server may have been on its way for a while when the watch was held.
    expect(lastLetIn - began).toBeLessThan(18_000);
    for (const login of [other, wrong(other), undefined]) {
      const answer = await hub.ask({ login, by: second });
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    }
    proxy.watches('robotaccounts').release();
    await eventually('it answers again', async () => (await hub.ask({ login: other, by: second })).status === 200);
    expect(await hub.letsIn(off, second)).toBe(false);
  });
});
