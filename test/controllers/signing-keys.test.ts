import { expect, test } from 'vitest';
import { managedLabel, managedSigningKey } from '../../src/api/names.ts';
import { SigningKeys } from '../../src/controllers/signing-keys.ts';
import type { Metadata } from '../../src/kube/core-kinds.ts';
import { Store } from '../../src/kube/store.ts';
import { clientOf, configOf, json, localServer } from '../kube/local-server.ts';

const signal = new AbortController().signal;
const published = { kid: 'kid-1', secretName: 'key-1' };
const conflict = json(409, { kind: 'Status', code: 409, reason: 'Conflict' });

function keySecret(resourceVersion: string, uid = 'key-uid'): Metadata {
  const metadata = { name: 'key-1', namespace: 'botmint-system', creationTimestamp: '2026-11-01T00:00:00Z' };
  return { metadata: { ...metadata, uid, resourceVersion, labels: { [managedLabel]: managedSigningKey } } };
}

/** The keys with one Secret in the cache, and an API server that answers like this. */
async function world(...answers: Parameters<typeof localServer>) {
  const { origin, seen } = await localServer(...answers);
  const secrets = new Store<Metadata>({});
  secrets.put(keySecret('9'));
  const keys = new SigningKeys({ client: clientOf(configOf(origin)).client, namespace: 'botmint-system', secrets });
  return { keys, secrets, seen };
}

test('the private half of a key is deleted at the version that was seen, and gone at the next look', async () => {
  const { keys, secrets, seen } = await world(json(200, { kind: 'Status', status: 'Success' }));
  await keys.delete(published, signal);
  expect(keys.seen(published)).toEqual({ state: 'missing', confirmed: false });
  expect(secrets.size).toBe(0);
  expect(seen.map(({ method, url }) => `${method} ${url?.split('?')[0]}`)).toEqual([
    'DELETE /api/v1/namespaces/botmint-system/secrets/key-1',
  ]);
  expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ preconditions: { uid: 'key-uid', resourceVersion: '9' } });
  await keys.delete(published, signal); // there is nothing left to ask for
  expect(seen).toHaveLength(1);
});

test('one that has moved meanwhile is seen as it is now', async () => {
  const { keys, secrets } = await world(conflict, json(200, keySecret('12')));
  await keys.delete(published, signal);
  expect([...secrets.values()].map(({ metadata }) => metadata.resourceVersion)).toEqual(['12']);
});

test('one that was deleted and made again, and deleted, is gone', async () => {
  const { keys, secrets } = await world(
    conflict,
    json(404, { kind: 'Status', code: 404, reason: 'NotFound', details: { name: 'key-1', kind: 'secrets' } }),
  );
  await keys.delete(published, signal);
  expect(secrets.size).toBe(0);
});

test('a refusal is told, and nothing is taken for gone', async () => {
  const { keys, secrets } = await world(json(403, { kind: 'Status', code: 403, reason: 'Forbidden' }));
  await expect(keys.delete(published, signal)).rejects.toThrow('403');
  expect(secrets.size).toBe(1);
});
