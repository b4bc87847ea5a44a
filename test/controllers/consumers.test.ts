import { expect, test } from 'vitest';
import { Consumers, Restarts } from '../../src/controllers/consumers.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import { restartAnnotation, restartPatch, type Target, type TargetSeen } from '../../src/decide/rollout.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { later, served, tokenID, withStatus } from '../decide/healthy.ts';
import { clientOf, configOf, json, localServer } from '../kube/local-server.ts';

const signal = new AbortController().signal;
const web: Target = { kind: 'Deployment', name: 'web' };
const agent: Target = { kind: 'DaemonSet', name: 'agent' };
const key = restartAnnotation('deploy');
const rolling = withStatus({ rollout: { tokenID, startedAt: later(0), givesUpAt: later(3600) } });

type Stored = KubeObject & { spec?: { template?: { metadata?: { annotations?: Record<string, string> } } } };
const status = (code: number, reason: string, name?: string) =>
  json(code, { kind: 'Status', code, reason, message: `${reason} it is`, details: { name } });

/** An API server with these workloads; `refuse` may answer in its place. */
async function world(
  o: { names?: readonly string[]; refuse?: Record<string, [number, string]>; drops?: boolean } = {},
) {
  const { names = ['deployments/web', 'daemonsets/agent'], refuse = {} } = o;
  const stored = new Map<string, Stored>(
    names.map(path => [
      `/apis/apps/v1/namespaces/team-a/${path}`,
      {
        metadata: {
          name: path.split('/')[1] ?? '',
          namespace: 'team-a',
          uid: path,
          resourceVersion: '5',
          creationTimestamp: later(0),
        },
      },
    ]),
  );
  const { origin, seen } = await localServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const refusal = refuse[`${request.method} ${path.split('/').at(-1)}`];
    if (refusal !== undefined) return status(...refusal)(request, response);
    const object = stored.get(path);
    if (object === undefined) return status(404, 'NotFound', path.split('/').at(-1))(request, response);
    if (request.method === 'GET') return json(200, object)(request, response);
    const patch = JSON.parse(request.body);
    if (patch.metadata.resourceVersion !== object.metadata.resourceVersion)
      return status(409, 'Conflict')(request, response);
    const version = { metadata: { resourceVersion: String(Number(object.metadata.resourceVersion) + 1) } };
    stored.set(path, applyMergePatch(o.drops === true ? object : applyMergePatch(object, patch), version) as Stored);
    json(200, stored.get(path))(request, response);
  });
  return {
    ...clientOf(configOf(origin)),
    stored,
    requests: () => seen.map(({ method, url }) => `${method} ${url?.split('/').at(-1)}`),
  };
}

/** Looks, and restarts whatever is there. */
async function restart(consumers: Consumers, targets: readonly Target[], token = rolling) {
  consumers.seen(token);
  await consumers.look(token, { do: 'read-workloads', targets }, signal);
  for (const target of targets) {
    const seen = consumers.seen(token).get(`${target.kind}/${target.name}`);
    if (seen?.state !== 'found') continue;
    await consumers.restart(token, { do: 'restart-workload', target, workload: seen.workload, tokenID }, signal);
  }
  return consumers.seen(token);
}

test('a restart changes one annotation, at the version that was read', async () => {
  const { client, stored, requests } = await world();
  const seen = await restart(new Consumers(client, botTokens, new Restarts()), [web, agent]);
  for (const path of ['deployments/web', 'daemonsets/agent'])
    expect(stored.get(`/apis/apps/v1/namespaces/team-a/${path}`)?.spec).toEqual({
      template: { metadata: { annotations: { [key]: tokenID } } },
    });
  expect(seen.get('Deployment/web')).toMatchObject({
    restartedUID: expect.any(String),
    workload: { templateAnnotations: { [key]: tokenID } },
  });
  expect(requests().toSorted()).toEqual([
    'GET agent',
    'GET web',
    'PATCH agent?fieldManager=botmint',
    'PATCH web?fieldManager=botmint',
  ]);
});

test('after a conflict it is read again, and not taken for restarted', async () => {
  const { client, stored } = await world();
  const consumers = new Consumers(client, botTokens, new Restarts());
  consumers.seen(rolling);
  await consumers.look(rolling, { do: 'read-workloads', targets: [web] }, signal);
  const seen = consumers.seen(rolling).get('Deployment/web');
  if (seen?.state !== 'found') throw new Error('it was not found');
  const path = '/apis/apps/v1/namespaces/team-a/deployments/web';
  stored.set(path, applyMergePatch(stored.get(path), { metadata: { resourceVersion: '8' } }) as Stored);
  await consumers.restart(rolling, { do: 'restart-workload', target: web, workload: seen.workload, tokenID }, signal);
  const expected = { state: 'found', restartedUID: undefined, workload: { metadata: { resourceVersion: '8' } } };
  expect(consumers.seen(rolling).get('Deployment/web')).toMatchObject(expected);
});

test.each<[string, Parameters<typeof world>[0], TargetSeen]>([
  ['does not exist', { names: [] }, { state: 'absent', restartedUID: undefined }],
  [
    'may not be read',
    { refuse: { 'GET web': [403, 'Forbidden'] } },
    { state: 'refused', message: 'the API server refused to get it: Forbidden: Forbidden it is' },
  ],
  [
    'may not be patched',
    { refuse: { 'PATCH web': [403, 'Forbidden'] } },
    { state: 'refused', message: 'the API server refused to patch it: Forbidden: Forbidden it is' },
  ],
  [
    'is refused by a webhook that fails',
    { refuse: { 'PATCH web': [500, 'InternalError'] } },
    { state: 'refused', message: 'the API server refused to patch it: InternalError: InternalError it is' },
  ],
  ['went after it was read', { refuse: { 'PATCH web': [404, 'NotFound'] } }, { state: 'found' } as never],
])('one that %s holds up no other', async (_, o, expected) => {
  const { client } = await world(o);
  const seen = await restart(new Consumers(client, botTokens, new Restarts()), [web, agent]);
  expect(seen.get('Deployment/web')).toMatchObject(expected);
  if (o?.names === undefined) expect(seen.get('DaemonSet/agent')).toMatchObject({ restartedUID: expect.any(String) });
});

test.each([401, 503])('an answer of %s says nothing of the workload: the pass fails', async code => {
  const { client } = await world({ refuse: { 'PATCH web': [code, 'x'] } });
  await expect(restart(new Consumers(client, botTokens, new Restarts()), [web])).rejects.toThrow();
});

test('one that was patched is restarted, though a webhook took the annotation off in passing', async () => {
  const { client } = await world({ drops: true });
  const seen = await restart(new Consumers(client, botTokens, new Restarts()), [web]);
  expect(seen.get('Deployment/web')).toMatchObject({
    restartedUID: expect.any(String),
    workload: { templateAnnotations: {} },
  });
});

test('what was seen restarted is known, though it was not this process that did it', async () => {
  const { client, stored } = await world();
  const restarts = new Restarts();
  const path = '/apis/apps/v1/namespaces/team-a/deployments/web';
  const annotate = (value: string | null) =>
    stored.set(
      path,
      applyMergePatch(stored.get(path), restartPatch({ kind: botTokens, object: served }, value as string)) as Stored,
    );
  for (const value of [tokenID, null]) {
    annotate(value);
    const consumers = new Consumers(client, botTokens, restarts);
    consumers.seen(rolling);
    await consumers.look(rolling, { do: 'read-workloads', targets: [web] }, signal);
    expect(consumers.seen(rolling).get('Deployment/web')).toMatchObject({ restartedUID: expect.any(String) });
  }
});

test('for another token everything is looked at again, also within one pass', async () => {
  const { client } = await world();
  const consumers = new Consumers(client, botTokens, new Restarts());
  expect((await restart(consumers, [web])).size).toBe(1);
  const next = `${tokenID}-next`;
  const rotated = withStatus({
    tokenID: next,
    rollout: { tokenID: next, startedAt: later(0), givesUpAt: later(3600) },
  });
  expect(consumers.seen(rotated).size).toBe(0);
  await consumers.look(rotated, { do: 'read-workloads', targets: [web] }, signal);
  expect(consumers.seen(rotated).get('Deployment/web')).toMatchObject({ restartedUID: undefined });
});

test('what one pass has restarted, the next one knows, until nothing is open', async () => {
  const { client, stored } = await world();
  const restarts = new Restarts();
  await restart(new Consumers(client, botTokens, restarts), [web]);
  const path = '/apis/apps/v1/namespaces/team-a/deployments/web';
  stored.set(
    path,
    applyMergePatch(stored.get(path), { spec: { template: { metadata: { annotations: { [key]: null } } } } }) as Stored,
  );
  const again = async () => {
    const consumers = new Consumers(client, botTokens, restarts);
    consumers.seen(rolling);
    await consumers.look(rolling, { do: 'read-workloads', targets: [web] }, signal);
    return consumers.seen(rolling).get('Deployment/web');
  };
  expect(await again()).toMatchObject({ restartedUID: expect.any(String), workload: { templateAnnotations: {} } });
  new Consumers(client, botTokens, restarts).seen(served);
  expect(await again()).toMatchObject({ restartedUID: undefined });
});
