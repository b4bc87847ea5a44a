import { expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { managedCredential, managedLabel, managedSigningKey } from '../../src/api/names.ts';
import { systemClock } from '../../src/base/clock.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { BotTokens, type BotTokensOptions } from '../../src/controllers/bot-tokens.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { HandOver } from '../../src/controllers/hand-over.ts';
import { SigningKeys } from '../../src/controllers/signing-keys.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import { wantedMetadata } from '../../src/decide/secret-metadata.ts';
import { generateSigningKey } from '../../src/issuers/jwt/keys.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { botUser, fresh, inputs, issuer, now, served, tokenID } from '../decide/healthy.ts';
import { clientOf, configOf, json, localServer, silent } from '../kube/local-server.ts';

const signal = new AbortController().signal;

/** GET and PATCH of single objects, with the precondition that every patch carries. */
async function apiServer(objects: Map<string, KubeObject>, beforeFullRead: () => void) {
  let versions = 1000;
  const { origin, seen } = await localServer((request, response) => {
    const path = (request.url ?? '').split('?')[0]?.replace(/\/status$/, '') ?? '';
    if (request.method === 'GET' && !request.headers.accept?.includes('PartialObjectMetadata')) beforeFullRead();
    const object = objects.get(path);
    if (object === undefined) return json(404, { kind: 'Status', code: 404, reason: 'NotFound' })(request, response);
    if (request.method === 'GET') return json(200, object)(request, response);
    const patch = JSON.parse(request.body);
    if (patch.metadata.resourceVersion !== object.metadata.resourceVersion)
      return json(409, { kind: 'Status', code: 409, reason: 'Conflict' })(request, response);
    const after = applyMergePatch(object, {
      ...patch,
      metadata: { ...patch.metadata, resourceVersion: String(++versions) },
    }) as KubeObject;
    objects.set(path, after);
    json(200, after)(request, response);
  });
  return { client: clientOf(configOf(origin)), seen };
}

/** A token in force and its Secret with this data, in a cluster with one issuer. */
async function world(o: {
  token: BotToken;
  data: Record<string, string>;
  beforeFullRead?: (objects: Map<string, KubeObject>) => void;
}) {
  const made = await generateSigningKey('ES256');
  const key = { kid: made.kid, publicJWK: made.publicJWK, state: 'Active' as const, since: '', secretName: 'key-1' };
  const signing = { ...issuer, status: { keys: [key] } };
  const common = { creationTimestamp: '2026-11-01T00:00:00Z' };
  const keySecret = {
    metadata: {
      name: 'key-1',
      namespace: 'botmint-system',
      uid: 'key-uid',
      resourceVersion: '9',
      ...common,
      labels: { [managedLabel]: managedSigningKey },
    },
    data: { 'key.pem': Buffer.from(made.privateKey.reveal()).toString('base64') },
  };
  const marks = wantedMetadata({ kind: botTokens, object: served }, { revision: 3, tokenID, inputs });
  const secret = {
    metadata: {
      ...marks,
      name: 'deploy',
      namespace: 'team-a',
      uid: 'secret-uid',
      resourceVersion: '41',
      ...common,
      labels: { ...marks.labels, [managedLabel]: managedCredential },
    },
    data: Object.fromEntries(
      Object.entries(o.data).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
  };
  const objects = new Map<string, KubeObject>([
    ['/apis/botmint.dev/v1alpha1/namespaces/team-a/bottokens/deploy', o.token],
    ['/api/v1/namespaces/team-a/secrets/deploy', secret],
    ['/api/v1/namespaces/botmint-system/secrets/key-1', keySecret],
  ]);
  const {
    client: { client, metrics },
    seen,
  } = await apiServer(objects, () => o.beforeFullRead?.(objects));
  const clock = { ...systemClock, now: () => now };
  const caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock });
  caches.tokens.put(o.token);
  caches.botUsers.put(botUser);
  caches.issuers.put(signing);
  for (const { metadata } of [secret, keySecret]) caches.secrets.put({ metadata });
  const keys = new SigningKeys({ client, namespace: 'botmint-system', secrets: caches.secrets });
  const all = { caches, client, clock, metrics: tokenMetrics(metrics), report: () => {} };
  const handOver = new HandOver(all, { namespace: 'botmint-system', clusterID: 'this-cluster' });
  const statusLists: BotTokensOptions['statusLists'] = {
    seen: () => 'VALID',
    take: async () => 5,
    write: async () => {},
  };
  const digestKey = new SecretValue('the key of this operator');
  const tokens = new BotTokens(all, { keys, statusLists, digestKey, handOver });
  return { caches, seen, reconcile: () => tokens.reconcile('team-a/deploy', signal) };
}

test('a credential that cannot be read back out of its Secret is replaced once', async () => {
  // The operator's key is another one than the record's, so no digest tells the edit.
  const secret = { ...served.spec.secret, data: [{ key: 'OTHER', template: '$(token)' }] };
  const token = { ...served, metadata: { ...served.metadata, generation: 2 }, spec: { ...served.spec, secret } };
  const { caches, seen, reconcile } = await world({ token, data: { BUF_TOKEN: '' } });
  await reconcile();
  expect(caches.tokens.get('team-a/deploy')?.status).toMatchObject({ revision: 4, previous: [{ tokenID }] });
  const writes = seen
    .filter(({ method }) => method === 'PATCH')
    .map(({ url }) => url?.split('?')[0]?.split('/').at(-2));
  expect(writes).toEqual(['secrets', 'deploy']);
});

test('a Secret that stops being ours while it is looked at is left alone', async () => {
  const token = { ...fresh, metadata: served.metadata };
  const path = '/api/v1/namespaces/team-a/secrets/deploy';
  const { caches, seen, reconcile } = await world({
    token,
    data: { BUF_TOKEN: 'x' },
    beforeFullRead: objects => {
      const { annotations: _, ownerReferences: __, ...metadata } = objects.get(path)?.metadata ?? served.metadata;
      objects.set(path, { metadata: { ...metadata, resourceVersion: '42' } });
    },
  });
  await reconcile();
  const ready = caches.tokens.get('team-a/deploy')?.status?.conditions?.find(({ type }) => type === 'Ready');
  expect(ready?.reason).toBe('SecretNotOwned');
  expect(seen.filter(({ method }) => method === 'POST')).toEqual([]);
});
