import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/kube/config.ts';
import { secrets } from '../../src/kube/core-kinds.ts';
import type { ClusterConfig } from '../../src/kube/credentials.ts';
import { KubeconfigInvalid } from '../../src/kube/kubeconfig.ts';
import { clientOf, json, localServer } from './local-server.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'botmint-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

const canary = 'c4n4ry';

describe('a kubeconfig', () => {
  test('names server, path and namespace of its current context', async () => {
    const config = loadConfig({ kubeconfig: await kubeconfig({ token: 't' }, { server: 'https://host:6443/k8s/c/' }) });
    expect(config).toMatchObject({ origin: 'https://host:6443', basePath: '/k8s/c', namespace: 'ns' });
  });

  test.each<[string, object, string | undefined]>([
    ['a token', { token: 'abc' }, 'Bearer abc'],
    ['a name and a password', { username: 'me', password: 'pw' }, `Basic ${btoa('me:pw')}`],
    ['nothing', {}, undefined],
    ['a plugin', { exec: plugin({ token: 'from-plugin' }) }, 'Bearer from-plugin'],
  ])('with %s', async (_, user, expected) => {
    const { authorization } = await loadConfig({ kubeconfig: await kubeconfig(user) }).credentials();
    expect(authorization?.reveal()).toBe(expected);
  });

  test('with a plugin that gives a client certificate', async () => {
    const given = { clientCertificateData: 'CERT', clientKeyData: 'KEY' };
    const { tls } = await loadConfig({ kubeconfig: await kubeconfig({ exec: plugin(given) }) }).credentials();
    expect([tls.cert, tls.key?.reveal()]).toEqual(['CERT', 'KEY']);
  });

  test('with files, beside itself, which are read each time', async () => {
    await write('token', 'one\n');
    await write('ca.crt', 'CA');
    const user = { tokenFile: 'token', token: 'stale', 'client-key-data': btoa('KEY') };
    const config = loadConfig({ kubeconfig: await kubeconfig(user, { 'certificate-authority': 'ca.crt' }) });
    expect(await revealed(config)).toEqual({ authorization: 'Bearer one', ca: 'CA', key: 'KEY' });
    await write('token', 'two');
    expect(await revealed(config)).toEqual({ authorization: 'Bearer two', ca: 'CA', key: 'KEY' });
  });

  test('that lets its user act as another one', async () => {
    const user = { token: 't', as: 'system:serviceaccount:ns:bot', 'as-groups': ['a', 'b'] };
    const { impersonation } = await loadConfig({ kubeconfig: await kubeconfig(user) }).credentials();
    const groups = ['impersonate-group', 'a', 'impersonate-group', 'b'];
    expect(impersonation).toEqual(['impersonate-user', 'system:serviceaccount:ns:bot', ...groups]);
  });

  test('that comes in parts, the first one with an entry winning, missing ones passed over', async () => {
    const cluster = { name: 'c', cluster: { server: 'https://first' } };
    const first = await write('first', JSON.stringify({ clusters: [cluster] }));
    const second = await kubeconfig({ token: 't' }, { server: 'https://second' });
    const config = loadConfig({ kubeconfig: [join(directory, 'missing'), first, second].join(delimiter) });
    expect(config.origin).toBe('https://first');
  });

  test.each<[string, () => Promise<string>, RegExp]>([
    ['a file that is not there', async () => join(directory, 'missing'), /there is no kubeconfig at .*missing/],
    ['no YAML', () => write('bad', `token: ${canary}\n  }: [`), /bad: [A-Z_]+$/],
    ['a context without its cluster', () => write('no', JSON.stringify(lacking('clusters'))), /no 'c' under clusters/],
    ['no current context', () => write('no2', JSON.stringify(lacking('current-context'))), /no current context/],
    ['a proxy', () => kubeconfig({}, { 'proxy-url': `http://${canary}@p` }), /cluster c: proxy-url is not supported/],
    ['a token that is a number', () => kubeconfig({ token: 1 }), /user u: token /],
  ])('with %s is refused in words that quote nothing', async (_, write, message) => {
    const path = await write();
    const load = () => loadConfig({ kubeconfig: path });
    expect(load).toThrow(KubeconfigInvalid);
    expect(load).toThrow(message);
    expect(load).not.toThrow(canary);
  });

  test('shows nothing of its secrets when it is printed', async () => {
    const config = loadConfig({ kubeconfig: await kubeconfig({ token: canary, 'client-key-data': btoa(canary) }) });
    expect(inspect([config, await config.credentials()], { depth: 9, showHidden: true })).not.toContain(canary);
  });
});

test('another context than the current one', async () => {
  const content = {
    ...whole({}, {}),
    contexts: [
      { name: 'x', context: { cluster: 'c', user: 'u', namespace: 'one' } },
      { name: 'y', context: { cluster: 'c', user: 'u', namespace: 'two' } },
    ],
  };
  const path = await write('two', JSON.stringify(content));
  expect(loadConfig({ kubeconfig: path, context: 'y' }).namespace).toBe('two');
});

test('in a pod: the ServiceAccount, whose token is replaced while the operator runs', async () => {
  const mount = join(directory, 'mount');
  await mkdir(mount);
  await write('mount/token', 'one');
  await write('mount/ca.crt', 'CA');
  await write('mount/namespace', 'botmint-system');
  const config = loadConfig({ pod: { mount, host: 'fd00::1', port: '6443' } });
  expect(config).toMatchObject({ origin: 'https://[fd00::1]:6443', namespace: 'botmint-system' });
  expect(await revealed(config)).toEqual({ authorization: 'Bearer one', ca: 'CA', key: undefined });
  await write('mount/token', 'two');
  expect((await revealed(config)).authorization).toBe('Bearer two');
});

test('an expired token file: the 401 leads to its new content, in the same call', async () => {
  const { origin, seen } = await localServer((request, response) => {
    const known = request.headers.authorization === 'Bearer new';
    const details = { name: 'a' };
    json(known ? 404 : 401, { kind: 'Status', details })(request, response);
  });
  await write('expiring', 'old');
  const config = loadConfig({ kubeconfig: await kubeconfig({ tokenFile: 'expiring' }, { server: origin }) });
  const { client } = clientOf(config);
  const get = () => client.get(secrets, { namespace: 'ns', name: 'a' }, { signal: new AbortController().signal });
  await expect(get()).rejects.toMatchObject({ status: 401 });
  await write('expiring', 'new');
  expect(await get()).toBeUndefined();
  expect(seen.map(each => each.headers.authorization)).toEqual(['Bearer old', 'Bearer old', 'Bearer new']);
});

function whole(user: object, cluster: object) {
  return {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'ns' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://host', ...cluster } }],
    users: [{ name: 'u', user }],
  };
}

function lacking(field: 'clusters' | 'current-context'): object {
  const { [field]: _, ...rest } = whole({}, {});
  return rest;
}

let written = 0;
function kubeconfig(user: object, cluster: object = {}): Promise<string> {
  return write(`config-${++written}`, JSON.stringify(whole(user, cluster)));
}

async function write(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

function plugin(status: object): object {
  const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status };
  return { apiVersion: 'client.authentication.k8s.io/v1', command: 'echo', args: [JSON.stringify(credential)] };
}

async function revealed(config: ClusterConfig) {
  const { authorization, tls } = await config.credentials();
  return { authorization: authorization?.reveal(), ca: tls.ca, key: tls.key?.reveal() };
}
