import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { SecretValue } from '../../src/base/secret-value.ts';
import { ensureInstallation } from '../../src/controllers/installation.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { clientFor } from '../kube/follower.ts';
import { newKey } from './verifier-key-place.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);
const revealed = (keys: ReadonlyMap<number, SecretValue>) =>
  Object.fromEntries([...keys].map(([number, key]) => [number, key.reveal()]));

describe('the first start of an installation', () => {
  async function place(data?: object) {
    const api = await cluster.api();
    const namespace = await cluster.namespace();
    const { client } = clientFor(cluster.kubeconfigPath);
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    const metadata = { name: 'botmint-operator', labels: { 'botmint.dev/managed': 'operator' } };
    if (data !== undefined) await api.create(path, { apiVersion: 'v1', kind: 'Secret', metadata, data });
    const start = () => ensureInstallation(client, namespace, 4, signal);
    const secret = async () => Data.parse(await api.get(`${path}/botmint-operator`)).data;
    return { start, secret };
  }
  const Data = z.object({ data: z.record(z.string(), z.string()) });

  test('makes one key for verifiers, whoever starts at the same time', async () => {
    const { start, secret } = await place();
    const all = await Promise.all([start(), start(), start()]);
    const key = (await secret())['verifier-1.key'];
    for (const { verifierKeys } of all) expect(revealed(verifierKeys)).toEqual({ 1: key });
  });

  test('after an upgrade makes it beside the key that is there, and leaves that alone', async () => {
    const digest = newKey();
    const { start, secret } = await place({ 'digest.key': digest });
    const all = await Promise.all([start(), start(), start()]);
    const data = await secret();
    expect(Object.keys(data).toSorted()).toEqual(['digest.key', 'verifier-1.key']);
    expect(data['digest.key']).toBe(digest);
    for (const { verifierKeys } of all) expect(revealed(verifierKeys)).toEqual({ 1: data['verifier-1.key'] });
  });

  test('takes all keys that are there by their numbers', async () => {
    const keys = { 'verifier-2.key': newKey(), 'verifier-10.key': newKey() };
    const others = { 'verifier-x.key': newKey(), 'verifier-03.key': newKey(), 'verifier-4.key': 'c2hvcnQ=' };
    const { start } = await place({ 'digest.key': newKey(), ...keys, ...others });
    const { verifierKeys } = await start();
    expect(revealed(verifierKeys)).toEqual({ 2: keys['verifier-2.key'], 10: keys['verifier-10.key'] });
  });

  test('does not go on with a key that is none', async () => {
    const { start } = await place({ 'digest.key': newKey(), 'verifier-1.key': 'c2hvcnQ=' });
    await expect(start()).rejects.toThrow('holds no verifier key: restore verifier-1.key');
  });
});
