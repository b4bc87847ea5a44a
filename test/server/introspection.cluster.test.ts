import { afterAll, beforeAll, expect, test } from 'vitest';
import { botTokenKind } from '../../src/api/bot-token.ts';
import { botUserKind } from '../../src/api/bot-user.ts';
import { apiVersion, group, ownerUIDAnnotation, tokenIDAnnotation } from '../../src/api/names.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { generateSigningKey, importSigningKey } from '../../src/issuers/jwt/keys.ts';
import { signBotToken } from '../../src/issuers/jwt/sign.ts';
import { newTokenID } from '../../src/issuers/token-id.ts';
import { Client } from '../../src/kube/client.ts';
import { loadConfig } from '../../src/kube/config.ts';
import { secretMetadata } from '../../src/kube/core-kinds.ts';
import { jwtEndpoints } from '../../src/server/jwt-endpoints.ts';
import { createPlain } from '../../src/server/listen.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { inputs, issuer, issuerURL, publishing } from '../issuers/jwt/healthy.ts';
import { introspect } from './endpoints-world.ts';

// The API server decides who may ask: with tokens that it made itself, and rights that are given by RBAC alone.
const cluster = sharedCluster();
let namespace: string;
let served: Awaited<ReturnType<typeof serve>>;
const clients: Client[] = [];

beforeAll(async () => {
  namespace = await cluster.namespace();
  for (const name of ['operator', 'gateway', 'stranger']) await account(name);
  await allow('operator', [
    { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
    { apiGroups: [group], resources: ['bottokens', 'botusers'], verbs: ['get'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
  ]);
  const mine = { apiGroups: [group], resources: ['introspections'], verbs: ['create'], resourceNames: [name()] };
  await allow('gateway', [mine]);
  served = await serve('operator');
  await eventually('the rights are in force', async () => (await ask('gateway')).status === 200);
});

afterAll(async () => {
  const api = await cluster.api();
  for (const of of ['operator', 'gateway']) {
    await api.delete(`${roles}/clusterrolebindings/${namespace}-${of}`);
    await api.delete(`${roles}/clusterroles/${namespace}-${of}`);
  }
  await Promise.all(clients.map(client => client.close()));
});

/** The issuer's name: cluster-wide, so it is the name of the namespace. */
const name = () => namespace;
const roles = '/apis/rbac.authorization.k8s.io/v1';

async function account(of: string): Promise<void> {
  const api = await cluster.api();
  await api.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: of } });
}

async function allow(of: string, rules: object[]): Promise<void> {
  const api = await cluster.api();
  const metadata = { name: `${namespace}-${of}` };
  await api.create(`${roles}/clusterroles`, { metadata, rules });
  await api.create(`${roles}/clusterrolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', namespace, name: of }],
  });
}

/** The endpoints with empty caches, as on a replica that has just missed everything, and the rights of a ServiceAccount. */
async function serve(of: string) {
  const { kubeconfigPath } = await cluster.tokenFor(namespace, of);
  const log = createLog('silent', 'json');
  const metrics = new Metrics();
  const client = new Client({ config: loadConfig({ kubeconfig: kubeconfigPath }), log, metrics, userAgent: 'test' });
  clients.push(client);
  const { key, publicJWK } = await importSigningKey((await generateSigningKey('ES256')).privateKey, 'ES256');
  const ours = publishing([publicJWK], { ...issuer, metadata: { ...issuer.metadata, name: name() } });
  const { app } = createPlain({ log });
  jwtEndpoints(app, {
    issuers: { values: () => [ours] },
    botTokens: { byUID: () => undefined },
    botUsers: { byUID: () => undefined },
    read: {
      botToken: (ref, signal) => client.get(botTokenKind, ref, { signal }),
      botUser: (ref, signal) => client.get(botUserKind, ref, { signal }),
      secret: (ref, signal) => client.get(secretMetadata, ref, { signal }),
    },
    reviewer: client,
    statusLists: { published: () => undefined, numbers: () => [] },
    keys: { active: () => Promise.resolve(key) },
    clock: systemClock,
    cachesAge: () => 0,
    log,
    metrics,
  });
  return { app, key };
}

/** Asks with a token of a ServiceAccount, made for this audience. */
async function ask(of: string, { audience = issuerURL, token = 'x', app = served.app } = {}) {
  const caller = await cluster.tokenFor(namespace, of, { audiences: [audience], seconds: 600 });
  return introspect({ app }, token, { path: `/issuers/${name()}/introspect`, caller: `Bearer ${caller.token}` });
}

test('a ServiceAccount with the right and a token for the issuer is answered', async () => {
  expect(await ask('gateway')).toMatchObject({ status: 200, body: { active: false } });
});

test.each(['https://other.example', 'https://kubernetes.default.svc'])(
  'its token for the audience %s is not enough',
  async audience => {
    const { status, headers } = await ask('gateway', { audience });
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toContain('invalid_token');
  },
);

test('a token that the API server did not make is not enough', async () => {
  const asked = introspect(served, 'x', { path: `/issuers/${name()}/introspect`, caller: 'Bearer e30.e30.e30' });
  expect(await asked).toMatchObject({ status: 401 });
});

test('a ServiceAccount without the right is known, and refused', async () => {
  const { status, body } = await ask('stranger');
  expect(status).toBe(403);
  expect(JSON.stringify(body)).toContain(`system:serviceaccount:${namespace}:stranger`);
});

test('the right holds for the issuer that it names, not for another', async () => {
  const role = `${roles}/clusterroles/${namespace}-gateway`;
  const rule = { apiGroups: [group], resources: ['introspections'], verbs: ['create'] };
  const api = await cluster.api();
  await api.patch(role, { rules: [{ ...rule, resourceNames: ['another'] }] });
  await eventually('the right is gone', async () => (await ask('gateway')).status === 403);
  await api.patch(role, { rules: [{ ...rule, resourceNames: [name()] }] });
  await eventually('the right is back', async () => (await ask('gateway')).status === 200);
});

test('without the right to ask for reviews nobody is refused: the caller is told to come again', async () => {
  const { app } = await serve('stranger');
  const { status, headers } = await ask('gateway', { app });
  expect(status).toBe(503);
  expect(headers['retry-after']).toBeDefined();
});

test('a token that only the API server knows of is active until its Secret is gone', async () => {
  const api = await cluster.api();
  const path = `/apis/${apiVersion}/namespaces/${namespace}`;
  const issuerRef = { kind: 'ClusterTokenIssuer', name: name() };
  const bot = { apiVersion, kind: 'BotUser', metadata: { name: 'ci' }, spec: { issuerRef } };
  const wish = { apiVersion, kind: 'BotToken', metadata: { name: 'deploy' } };
  const botUser = await api.create(`${path}/botusers`, bot);
  const botToken = await api.create(`${path}/bottokens`, {
    ...wish,
    spec: { botUserRef: { name: 'ci' }, expiresIn: '1h' },
  });
  const { uid } = botToken.metadata;
  const tokenID = newTokenID(uid, 1);
  const token = await signBotToken(served.key, {
    issuerURL,
    tokenID,
    token: { namespace, name: 'deploy', uid },
    inputs: { ...inputs, botUser: { namespace, name: 'ci', uid: botUser.metadata.uid }, ...lifetime() },
  });
  const active = async () => (await ask('gateway', { token: token.reveal() })).body;
  expect(await active()).toEqual({ active: false });

  const annotations = { [ownerUIDAnnotation]: uid, [tokenIDAnnotation]: tokenID };
  await api.create(`/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: 'deploy', annotations } });
  expect(await active()).toMatchObject({ active: true, jti: tokenID, sub: `bot:${namespace}:ci-bot` });

  await api.delete(`/api/v1/namespaces/${namespace}/secrets/deploy`);
  expect(await active()).toEqual({ active: false });
});

function lifetime() {
  const at = (milliseconds: number) => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
  return { issuedAt: at(Date.now()), expiresAt: at(Date.now() + 3_600_000) };
}
