import { expect, test } from 'vitest';
import { operationsFor, setPullSecret } from '../../src/controllers/pull-secret-lists.ts';
import { serviceAccounts } from '../../src/kube/core-kinds.ts';
import { isInvalid } from '../../src/kube/errors.ts';
import { sharedCluster } from '../cluster/cluster.ts';
import { forward, refuse } from '../faults/proxy.ts';
import { clientBehindProxy, clientFor } from '../kube/follower.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);

async function account(imagePullSecrets?: readonly { name: string }[]) {
  const ref = { namespace: await cluster.namespace(), name: 'builder' };
  const api = await cluster.api();
  const path = `/api/v1/namespaces/${ref.namespace}/serviceaccounts`;
  await api.create(path, { metadata: { name: ref.name }, secrets: [{ name: 'kept' }], imagePullSecrets });
  return { ref, api, path: `${path}/builder` };
}

test.each<[string, readonly { name: string }[] | undefined, 'listed' | 'unlisted', readonly string[]]>([
  ['is put into a list that is not there', undefined, 'listed', ['mine']],
  ['is put beside others', [{ name: 'a' }, { name: 'b' }], 'listed', ['a', 'b', 'mine']],
  ['is not put there twice', [{ name: 'mine' }, { name: 'a' }], 'listed', ['mine', 'a']],
  ['is taken from between others', [{ name: 'a' }, { name: 'mine' }, { name: 'b' }], 'unlisted', ['a', 'b']],
  ['is taken out as often as it is there', [{ name: 'mine' }, { name: 'a' }, { name: 'mine' }], 'unlisted', ['a']],
  ['is not taken from where it is not', [{ name: 'a' }], 'unlisted', ['a']],
])('a name %s', async (_, before, is, expected) => {
  const { ref, api, path } = await account(before);
  const { client } = clientFor(cluster.kubeconfigPath);
  const after = await setPullSecret(client, ref, 'mine', is, { signal });
  expect(after?.imagePullSecrets).toEqual(expected);
  const found = await api.get(path);
  expect(found?.imagePullSecrets ?? []).toEqual(expected.map(name => ({ name })));
  expect(found?.secrets).toEqual([{ name: 'kept' }]);
});

test('there is nothing to do where there is no account', async () => {
  const { client } = clientFor(cluster.kubeconfigPath);
  const ref = { namespace: await cluster.namespace(), name: 'nobody' };
  expect(await setPullSecret(client, ref, 'mine', 'listed', { signal })).toBeUndefined();
});

test('a patch for another version of the list is refused, and changes nothing', async () => {
  const { ref, api, path } = await account([{ name: 'mine' }]);
  const { client } = clientFor(cluster.kubeconfigPath);
  const read = await client.get(serviceAccounts, ref, { signal });
  if (read === undefined) throw new Error('there is no account');
  await api.patch(path, { imagePullSecrets: [{ name: 'other' }, { name: 'mine' }] });
  const { resourceVersion } = read.metadata;
  const late = client.patchJSON(serviceAccounts, ref, operationsFor(read, 'mine', 'unlisted'), {
    signal,
    resourceVersion,
  });
  expect(isInvalid(await late.then(undefined, (error: unknown) => error))).toBe(true);
  expect((await api.get(path))?.imagePullSecrets).toEqual([{ name: 'other' }, { name: 'mine' }]);
});

test('who is late looks again, and a refusal is not tried again and again', async () => {
  const { ref, api, path } = await account([]);
  const { client, proxy } = await clientBehindProxy(cluster);
  proxy.rule = request => {
    if (request.verb !== 'patch') return forward;
    proxy.rule = () => forward;
    return { do: 'forward', before: () => api.patch(path, { imagePullSecrets: [{ name: 'other' }] }) };
  };
  const after = await setPullSecret(client, ref, 'mine', 'listed', { signal });
  expect(after?.imagePullSecrets).toEqual(['other', 'mine']);
  proxy.rule = request => (request.verb === 'patch' ? refuse(422, 'Invalid') : forward);
  const since = proxy.requests.length;
  const refused = setPullSecret(client, ref, 'mine', 'unlisted', { signal });
  expect(isInvalid(await refused.then(undefined, (error: unknown) => error))).toBe(true);
  expect(proxy.requests.slice(since).filter(({ verb }) => verb === 'patch')).toHaveLength(2);
});
