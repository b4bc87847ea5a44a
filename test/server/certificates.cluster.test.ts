import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Client } from '../../src/kube/client.ts';
import { loadConfig } from '../../src/kube/config.ts';
import { createServer } from '../../src/server/listen.ts';
import { ServingCertificates } from '../../src/server/tls.ts';
import { Authority } from '../cluster/certificates.ts';
import { Api, eventually, type KubeObject, sharedCluster } from '../cluster/cluster.ts';
import { rulesOf } from '../deploy/manifests.ts';

const cluster = sharedCluster();
const log = createLog('silent', 'json');
const signal = new AbortController().signal;
const rbac = 'rbac.authorization.k8s.io';

/**
 * A namespace as the operator's own, with operators in it that have the rights of deploy/ there and nowhere else: other
 * tests may run one in botmint-system.
 */
async function installation() {
  const namespace = await cluster.namespace();
  const api = await cluster.api();
  await api.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'botmint' } });
  for (const kind of ['Role', 'ClusterRole'] as const) {
    const name = kind.toLowerCase();
    const roles = `/apis/${rbac}/v1/namespaces/${namespace}`;
    await api.create(`${roles}/roles`, { metadata: { name }, rules: rulesOf('rbac.yaml', kind, 'botmint') });
    await api.create(`${roles}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name: 'botmint', namespace }],
    });
  }
  const { kubeconfigPath } = await cluster.tokenFor(namespace, 'botmint');
  await using itself = await Api.open(kubeconfigPath);
  for (const plural of ['configmaps', 'secrets']) {
    const list = `/api/v1/namespaces/${namespace}/${plural}`;
    await eventually('its rights are in force', async () => (await itself.call(list)).status === 200);
  }
  const operator = (clock: Clock = systemClock) => {
    const config = loadConfig({ kubeconfig: kubeconfigPath });
    const client = new Client({ config, log, metrics: new Metrics(), userAgent: 'test' });
    onTestFinished(() => client.close());
    return new ServingCertificates({ client, namespace, clock, log, metrics: new Metrics() });
  };
  const secret = (name: string) => api.get(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  const bundle = async () => {
    const found = await api.get(`/api/v1/namespaces/${namespace}/configmaps/botmint-ca`);
    return z.object({ 'ca.crt': z.string() }).parse(found?.data)['ca.crt'];
  };
  return { namespace, api, operator, secret, bundle };
}

/** The clock of an operator that runs so many days from now. */
function daysFromNow(days: number): Clock {
  return { ...systemClock, now: () => new Date(Date.now() + days * 24 * 3600 * 1000) };
}

const tlsSecret = z.object({ data: z.object({ 'tls.crt': z.string() }) });

function certificateIn(secret: KubeObject | undefined): string {
  return Buffer.from(tlsSecret.parse(secret).data['tls.crt'], 'base64').toString();
}

async function usersSecret(namespace: string) {
  const authority = await Authority.create('somebody');
  const { certificate, privateKey } = await authority.server({ dns: [`botmint.${namespace}.svc`], ip: [] });
  const [crt, key] = [certificate, privateKey].map(pem => Buffer.from(pem).toString('base64'));
  return { certificate, type: 'kubernetes.io/tls', data: { 'tls.crt': crt, 'tls.key': key } };
}

test('two operators that start at once make one CA and one certificate, and both serve it', async () => {
  const { api, namespace, operator, secret, bundle } = await installation();
  const operators = [operator(), operator()];
  await Promise.all(operators.map(each => each.check(signal)));
  const served = certificateIn(await secret('botmint-tls'));
  expect(operators.map(({ current }) => current?.certificate)).toEqual([served, served]);
  const authority = new X509Certificate(await bundle());
  expect(certificateIn(await secret('botmint-ca'))).toBe(await bundle());
  expect(new X509Certificate(served).verify(authority.publicKey)).toBe(true);
  const made = await api.list(`/api/v1/namespaces/${namespace}/secrets?labelSelector=botmint.dev/managed=operator`);
  expect(made.map(({ metadata }) => metadata.name)).toEqual(['botmint-ca', 'botmint-tls']);
});

test('a relying party that has the CA from the ConfigMap reaches the operator by the name of its Service', async () => {
  const { namespace, operator, bundle } = await installation();
  const certificates = operator();
  await certificates.check(signal);
  const server = createServer({ certificates, log });
  onTestFinished(() => server.close());
  const { port } = await server.listen('127.0.0.1:0');
  const call = async (servername: string, ca: string) => {
    const sent = request({ host: '127.0.0.1', port, servername, ca, agent: new Agent({ maxCachedSessions: 0 }) }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return await text(answer);
  };
  for (const name of [`botmint.${namespace}.svc`, `botmint.${namespace}.svc.cluster.local`, 'localhost']) {
    expect(await call(name, await bundle())).toContain('"error":"not_found"');
  }
  await expect(call('botmint.elsewhere.svc', await bundle())).rejects.toThrow("does not match certificate's altnames");
  const stranger = (await Authority.create('stranger')).pair.certificate;
  await expect(call(`botmint.${namespace}.svc`, stranger)).rejects.toThrow('unable to verify');
});

test('two operators renew it together, once, and write nothing after that', async () => {
  const { operator, secret } = await installation();
  await operator().check(signal);
  const before = await secret('botmint-tls');
  const operators = [operator(daysFromNow(61)), operator(daysFromNow(61))];
  await Promise.all(operators.map(each => each.check(signal)));
  const after = await secret('botmint-tls');
  expect(after?.metadata.uid).toBe(before?.metadata.uid);
  expect(certificateIn(after)).not.toBe(certificateIn(before));
  expect(operators.map(({ current }) => current?.certificate)).toEqual([certificateIn(after), certificateIn(after)]);
  await Promise.all(operators.map(each => each.check(signal)));
  expect((await secret('botmint-tls'))?.metadata.resourceVersion).toBe(after?.metadata.resourceVersion);
});

test('the CA is renewed with its predecessor beside it', async () => {
  const { operator, secret, bundle } = await installation();
  await operator().check(signal);
  const [before, { metadata }] = [await bundle(), (await secret('botmint-ca')) ?? { metadata: { uid: '' } }];
  await operator(daysFromNow(1300)).check(signal);
  const after = await secret('botmint-ca');
  expect(after?.metadata.uid).toBe(metadata.uid);
  expect(await bundle()).toBe(certificateIn(after) + before);
  expect(Object.keys(after?.data ?? {}).toSorted()).toEqual(['cross.crt', 'previous.crt', 'tls.crt', 'tls.key']);
});

test('the CA in the ConfigMap is put right, and what others keep in it stays', async () => {
  const { api, namespace, operator, bundle } = await installation();
  await operator().check(signal);
  const before = await bundle();
  const path = `/api/v1/namespaces/${namespace}/configmaps/botmint-ca`;
  await api.patch(path, { data: { 'ca.crt': 'edited', note: 'mine' } });
  await operator().check(signal);
  expect((await api.get(path))?.data).toEqual({ 'ca.crt': before, note: 'mine' });
  await api.delete(path);
  await operator().check(signal);
  expect(await bundle()).toBe(before);
});

test("a user's certificate is served from the start, reloaded when it changes, and never written", async () => {
  const { api, namespace, operator, secret } = await installation();
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const [first, second] = [await usersSecret(namespace), await usersSecret(namespace)];
  await api.create(path, { metadata: { name: 'botmint-tls' }, type: first.type, data: first.data });
  const certificates = operator(daysFromNow(300));
  await certificates.check(signal);
  expect(certificates.current?.certificate).toBe(first.certificate);
  const { metadata } = await api.patch(`${path}/botmint-tls`, { data: second.data });
  await certificates.check(signal);
  expect(certificates.current?.certificate).toBe(second.certificate);
  expect((await secret('botmint-tls'))?.metadata.resourceVersion).toBe(metadata.resourceVersion);
  expect(await secret('botmint-ca')).toBeUndefined();
});
