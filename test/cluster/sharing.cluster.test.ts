import { expect, test } from 'vitest';
import { Api, eventually, KubectlFailed, sharedCluster } from './cluster.ts';

const cluster = sharedCluster();
let before: string | undefined;

test('gives each test a namespace of its own', async () => {
  const [one, two] = [await cluster.namespace(), await cluster.namespace({ team: 'a' })];
  before = one;
  expect(one).not.toBe(two);
  const api = await cluster.api();
  expect((await api.get(`/api/v1/namespaces/${two}`))?.metadata.labels).toMatchObject({ team: 'a' });
});

test('deletes the namespace of a test that has ended', async () => {
  const api = await cluster.api();
  expect(before).toBeDefined();
  await eventually('the namespace of the test before goes, or is gone', async () => {
    const namespace = await api.get(`/api/v1/namespaces/${before}`);
    return namespace === undefined || namespace.metadata.deletionTimestamp !== undefined;
  });
});

test('runs kubectl as admin, with input, and gives its error', async () => {
  const namespace = await cluster.namespace();
  const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { b: 'c' } });
  await cluster.kubectl(['apply', '-n', namespace, '-f', '-'], { input: manifest });
  expect(await cluster.kubectl(['get', 'configmap', 'a', '-n', namespace, '-o', 'jsonpath={.data.b}'])).toBe('c');
  await expect(cluster.kubectl(['get', 'configmap', 'z', '-n', namespace])).rejects.toThrow(KubectlFailed);
});

test('gives a user the rights of their groups and no others', async () => {
  const namespace = await cluster.namespace();
  const group = `dev-${namespace}`;
  await cluster.kubectl(['create', 'rolebinding', 'a', '--clusterrole=view', `--group=${group}`, '-n', namespace]);
  const kubeconfig = await cluster.kubeconfigFor({ user: 'alice', groups: [group] });
  await using api = await Api.open(kubeconfig);
  const allowed = await eventually('RBAC knows the binding', async () => {
    const answer = await api.call(`/api/v1/namespaces/${namespace}/configmaps`);
    return answer.status === 200 && answer;
  });
  expect(allowed.status).toBe(200);
  expect((await api.call(`/api/v1/namespaces/${namespace}/secrets`)).status).toBe(403);
  const self = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const review = await api.call('/apis/authentication.k8s.io/v1/selfsubjectreviews', { method: 'POST', body: self });
  expect(review.body).toMatchObject({
    status: { userInfo: { username: 'alice', groups: [group, 'system:authenticated'] } },
  });
});

test('gives a ServiceAccount a token for an audience', async () => {
  const namespace = await cluster.namespace();
  await cluster.kubectl(['create', 'serviceaccount', 'reader', '-n', namespace]);
  const { token } = await cluster.tokenFor(namespace, 'reader', {
    audiences: ['https://issuer.example'],
    seconds: 600,
  });
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' };
  const api = await cluster.api();
  const ask = async (audience: string) => {
    const body = { ...review, spec: { token, audiences: [audience] } };
    return (await api.call('/apis/authentication.k8s.io/v1/tokenreviews', { method: 'POST', body })).body;
  };
  const username = `system:serviceaccount:${namespace}:reader`;
  expect(await ask('https://issuer.example')).toMatchObject({ status: { authenticated: true, user: { username } } });
  expect(await ask('https://other.example')).not.toMatchObject({ status: { authenticated: true } });
});

test('lets a ServiceAccount do what its token allows', async () => {
  const namespace = await cluster.namespace();
  await cluster.kubectl(['create', 'serviceaccount', 'reader', '-n', namespace]);
  const { kubeconfigPath } = await cluster.tokenFor(namespace, 'reader');
  await using api = await Api.open(kubeconfigPath);
  expect((await api.call(`/api/v1/namespaces/${namespace}/secrets`)).status).toBe(403);
  expect((await api.call('/api')).status).toBe(200);
});

test('refuses a Secret above a quota', async () => {
  const namespace = await cluster.namespace();
  const api = await cluster.api();
  const path = `/api/v1/namespaces/${namespace}`;
  await api.create(`${path}/resourcequotas`, { metadata: { name: 'few' }, spec: { hard: { 'count/secrets': '1' } } });
  await eventually('the quota is in force', async () => {
    const quota = await api.call(`${path}/resourcequotas/few`);
    return JSON.stringify(quota.body).includes('"used":');
  });
  // Admission has a cache of its own, and refuses everything while that does not show what is used.
  await eventually('the first one fits', () => api.create(`${path}/secrets`, { metadata: { name: 'one' } }));
  const second = await api.call(`${path}/secrets`, { method: 'POST', body: { metadata: { name: 'two' } } });
  expect(second).toMatchObject({ status: 403, body: { message: expect.stringContaining('exceeded quota: few') } });
});

test('collects what a deleted owner leaves', async () => {
  const namespace = await cluster.namespace();
  const api = await cluster.api();
  const path = `/api/v1/namespaces/${namespace}`;
  const owner = await api.create(`${path}/configmaps`, { metadata: { name: 'owner' } });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
  await api.create(`${path}/secrets`, { metadata: { name: 'owned', ownerReferences } });
  await api.delete(`${path}/configmaps/owner`);
  await eventually('the owned Secret is gone', async () => (await api.get(`${path}/secrets/owned`)) === undefined);
});
