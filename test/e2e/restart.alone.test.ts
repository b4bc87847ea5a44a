import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { WorkloadKind } from '../../src/api/restart.ts';
import { restartAnnotation } from '../../src/decide/rollout.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { deployPath } from '../deploy/manifests.ts';
import { after, before, forward, type SeenRequest } from '../faults/proxy.ts';
import { botToken, botUser } from './manifests.ts';
import { Site } from './site.ts';

// The control plane has no controllers of workloads: the tests play them by writing their status.

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const key = restartAnnotation('token');
const web = { kind: 'Deployment', name: 'web' } as const;
const db = { kind: 'StatefulSet', name: 'db' } as const;
const agent = { kind: 'DaemonSet', name: 'agent' } as const;
type Ref = { kind: WorkloadKind; name: string };

const plurals = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' };
const pathOf = (namespace: string, { kind, name }: Ref) =>
  `/apis/apps/v1/namespaces/${namespace}/${plurals[kind]}/${name}`;

function manifest({ kind, name }: Ref): string {
  const labels = { app: name };
  const spec = {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels, annotations: { own: 'kept' } },
      spec: { containers: [{ name: 'main', image: 'none' }] },
    },
    ...(kind === 'StatefulSet' && { serviceName: name }),
  };
  return `---\n${JSON.stringify({ apiVersion: 'apps/v1', kind, metadata: { name }, spec })}\n`;
}

const Annotated = z.object({
  metadata: z.object({ generation: z.number() }),
  spec: z.object({ template: z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()) }) }) }),
});

async function workload(namespace: string, of: Ref) {
  const { metadata, spec } = Annotated.parse(await site.api.get(pathOf(namespace, of)));
  return { generation: metadata.generation, annotations: spec.template.metadata.annotations };
}

/** What its controller writes when every pod is one of the newest template. */
async function roll(namespace: string, of: Ref): Promise<void> {
  const { generation: observedGeneration } = await workload(namespace, of);
  const pods = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
  const nodes = { currentNumberScheduled: 2, numberMisscheduled: 0, desiredNumberScheduled: 2, numberReady: 2 };
  const daemons = { ...nodes, updatedNumberScheduled: 2, numberAvailable: 2 };
  const counts = of.kind === 'DaemonSet' ? daemons : pods;
  await site.api.patch(`${pathOf(namespace, of)}/status`, { status: { observedGeneration, ...counts } });
}

const Status = z.object({
  tokenID: z.string(),
  previous: z
    .array(z.object({ tokenID: z.string(), revokeAt: z.string(), overlapEndsAt: z.string().optional() }))
    .default([]),
  rollout: z
    .object({
      tokenID: z.string(),
      restartedAt: z.string().optional(),
      finishedAt: z.string().optional(),
      failed: z.array(z.object({ name: z.string(), message: z.string() })).optional(),
    })
    .optional(),
  conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string() })),
});

async function statusOf(namespace: string) {
  return Status.parse((await site.token(namespace, 'token'))?.status);
}

/** A token in force, with these consumers. The answer is the token. */
async function issued(restart: readonly Ref[], o: { spec?: object; workloads?: readonly Ref[] } = {}) {
  const namespace = await site.namespace();
  for (const each of o.workloads ?? restart) await site.apply(manifest(each), namespace);
  await site.apply(botUser('bot') + botToken('token', { restart, rotation: { overlap: '1s' }, ...o.spec }), namespace);
  await site.ready('bottokens', namespace, 'token', 'Issued');
  return { namespace, token: (await site.values(namespace, 'token'))?.BUF_TOKEN ?? '' };
}

let asked = 0;

/** Asks for a rotation, and waits until it is recorded; the new token's id. */
async function rotate(namespace: string): Promise<string> {
  const { tokenID: old } = await statusOf(namespace);
  const annotations = { 'botmint.dev/rotate': String(++asked) };
  await site.api.patch(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`, {
    metadata: { annotations },
  });
  return eventually('the token is rotated', async () => {
    const { tokenID } = await statusOf(namespace);
    return tokenID !== old && tokenID;
  });
}

const isRestarted = (namespace: string) =>
  eventually('all are restarted', async () => (await statusOf(namespace)).rollout?.restartedAt !== undefined);
const isFinished = (namespace: string) =>
  eventually('the roll-out has finished', async () => (await statusOf(namespace)).rollout?.finishedAt !== undefined);
const isActive = async (token: string) => (await site.introspect(token)).active;
const hasEnded = (token: string) => eventually('the old token has ended', async () => !(await isActive(token)));

/** Requests about workloads since the n-th, and the restarts among them that the API server carried out. */
const about = (namespace: string, since: number) =>
  site.proxy.requests.slice(since).filter(request => request.group === 'apps' && request.namespace === namespace);
const isRestart = ({ group, verb }: SeenRequest) => group === 'apps' && verb === 'patch';
const restarts = (namespace: string, since: number) =>
  about(namespace, since).filter(request => isRestart(request) && Number(request.status) < 300);

async function readyMessage(namespace: string, reason: string): Promise<string> {
  const { status } = await site.ready('bottokens', namespace, 'token', reason);
  return Status.parse(status).conditions.find(({ type }) => type === 'Ready')?.message ?? '';
}

describe('a rotation', () => {
  test('rolls each kind once, and the old token waits for the last of them', async () => {
    const all = [web, db, agent];
    const { namespace, token: old } = await issued(all);
    const start = site.proxy.requests.length;
    expect(about(namespace, 0)).toEqual([]); // the first token restarts nobody
    const tokenID = await rotate(namespace);
    await isRestarted(namespace);
    for (const each of all) {
      expect((await workload(namespace, each)).annotations).toEqual({ own: 'kept', [key]: tokenID });
    }
    await roll(namespace, web);
    await roll(namespace, agent);
    // Beyond its overlap of a second, for the StatefulSet alone.
    const { previous } = await statusOf(namespace);
    const overlapEnd = Date.parse(previous[0]?.overlapEndsAt ?? '');
    await eventually('the overlap is over', () => Date.now() > overlapEnd + 1000);
    expect(await isActive(old)).toBe(true);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await roll(namespace, db);
    await isFinished(namespace);
    await hasEnded(old);
    expect((await statusOf(namespace)).previous).toEqual([]);
    expect(restarts(namespace, start)).toHaveLength(3);
    expect(await isActive((await site.values(namespace, 'token'))?.BUF_TOKEN ?? '')).toBe(true);
  });

  test('whose consumers are ready early keeps the old token to the end of its overlap', async () => {
    const { namespace, token: old } = await issued([web], { spec: { rotation: { overlap: '1h' } } });
    await rotate(namespace);
    await isRestarted(namespace);
    const [held] = (await statusOf(namespace)).previous;
    expect(Date.parse(held?.revokeAt ?? '') - Date.parse(held?.overlapEndsAt ?? '')).toBe(3600_000);
    await roll(namespace, web);
    await isFinished(namespace);
    expect((await statusOf(namespace)).previous).toEqual([{ tokenID: held?.tokenID, revokeAt: held?.overlapEndsAt }]);
    expect(await isActive(old)).toBe(true);
  });

  test('without an overlap ends the old token at once, and rolls all the same', async () => {
    const { namespace, token: old } = await issued([web], { spec: { rotation: { overlap: '0s' } } });
    const tokenID = await rotate(namespace);
    await hasEnded(old);
    await isRestarted(namespace);
    expect((await workload(namespace, web)).annotations[key]).toBe(tokenID);
  });

  test('during a roll-out is the one that counts, and both old tokens end with it', async () => {
    const { namespace, token: first } = await issued([web]);
    const start = site.proxy.requests.length;
    await rotate(namespace);
    await isRestarted(namespace);
    const second = (await site.values(namespace, 'token'))?.BUF_TOKEN ?? '';
    const tokenID = await rotate(namespace);
    await eventually(
      'it is restarted for the second',
      async () => (await workload(namespace, web)).annotations[key] === tokenID,
    );
    await isRestarted(namespace);
    expect((await statusOf(namespace)).previous).toHaveLength(2);
    await roll(namespace, web);
    await isFinished(namespace);
    await hasEnded(first);
    await hasEnded(second);
    expect(restarts(namespace, start)).toHaveLength(2);
  });

  test('restarts nobody who is named only afterwards', async () => {
    const { namespace } = await issued([], { workloads: [web] });
    await rotate(namespace);
    const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`;
    await site.api.patch(path, { spec: { restart: [web] } });
    await eventually('it is seen', async () => {
      const { metadata, status } = z
        .object({
          metadata: z.object({ generation: z.number() }),
          status: z.object({ observedGeneration: z.number() }),
        })
        .parse(await site.token(namespace, 'token'));
      return status.observedGeneration === metadata.generation;
    });
    expect(about(namespace, 0)).toEqual([]);
    expect((await statusOf(namespace)).rollout).toBeUndefined();
  });
});

describe('somebody who applies the workload', () => {
  test.each([['client-side', []] as const, ['server-side', ['--server-side', '--force-conflicts']] as const])(
    '%s leaves the annotation alone',
    async (_, flags) => {
      const { namespace } = await issued([], { workloads: [] });
      const input = manifest(web);
      await site.kubectl(['apply', ...flags, '-n', namespace, '-f', '-'], { input });
      const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`;
      await site.api.patch(path, { spec: { restart: [web] } });
      const tokenID = await rotate(namespace);
      await isRestarted(namespace);
      await site.kubectl(['apply', ...flags, '-n', namespace, '-f', '-'], { input });
      expect((await workload(namespace, web)).annotations).toEqual({ own: 'kept', [key]: tokenID });
      const diff = await site.kubectl(['diff', ...flags, '-n', namespace, '-f', '-'], { input });
      expect(diff).toBe('');
      // What Argo CD's managedFieldsManagers goes by.
      const Fields = z.object({ managedFields: z.array(z.object({ manager: z.string(), fieldsV1: z.unknown() })) });
      const { metadata } = (await site.api.get(pathOf(namespace, web))) ?? {};
      const ours = Fields.parse(metadata).managedFields.filter(({ manager }) => manager === 'botmint');
      expect(ours.map(({ fieldsV1 }) => fieldsV1)).toEqual([
        { 'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { [`f:${key}`]: {} } } } } },
      ]);
    },
  );

  test('and takes the annotation off at once gets one restart for each rotation', async () => {
    const { namespace } = await issued([web, db]);
    const start = site.proxy.requests.length;
    const path = pathOf(namespace, web);
    const strip = () => site.api.patch(path, { spec: { template: { metadata: { annotations: { [key]: null } } } } });
    // Before the operator knows that its restart was carried out, and so before it could record it.
    site.rule = request => (isRestart(request) && request.path === path ? { do: 'forward', after: strip } : forward);
    await rotate(namespace);
    expect(await readyMessage(namespace, 'RestartFailed')).toContain(
      `spec.restart[0]: Deployment web lost the annotation ${key}`,
    );
    await roll(namespace, web);
    await roll(namespace, db);
    // It looks again after five seconds, and another time.
    const looks = () => about(namespace, start).filter(({ verb, name }) => verb === 'get' && name === 'web').length;
    const seen = looks();
    await eventually('it has looked again', () => looks() >= seen + 2);
    expect(restarts(namespace, start)).toHaveLength(2);
    await rotate(namespace);
    await isRestarted(namespace);
    expect(restarts(namespace, start)).toHaveLength(4);
    site.rule = () => forward;
  });
});

describe('a consumer that cannot be restarted', () => {
  const Events = z.array(z.looseObject({ type: z.string(), reason: z.string(), note: z.string() }));

  test('because it does not exist is named, and restarted when it comes', async () => {
    const { namespace, token: old } = await issued([db, web], { workloads: [db] });
    const tokenID = await rotate(namespace);
    expect(await readyMessage(namespace, 'RestartFailed')).toBe(
      'spec.restart[1]: Deployment web does not exist in this namespace: create it, or correct spec.restart',
    );
    await eventually('there is an event', async () => {
      const events = Events.parse(await site.api.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`));
      return events.some(
        ({ type, reason, note }) => type === 'Warning' && reason === 'RestartFailed' && note.includes('web'),
      );
    });
    expect((await workload(namespace, db)).annotations[key]).toBe(tokenID);
    expect((await statusOf(namespace)).rollout?.restartedAt).toBeUndefined();
    await site.apply(manifest(web), namespace);
    await isRestarted(namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await isActive(old)).toBe(true);
    await roll(namespace, web);
    await roll(namespace, db);
    await isFinished(namespace);
    await hasEnded(old);
    expect(restarts(namespace, 0)).toHaveLength(2);
  });

  test('for want of the right to is named, and restarted when the right is given', async () => {
    const { namespace } = await issued([web]);
    const role = '/apis/rbac.authorization.k8s.io/v1/clusterroles/botmint';
    const { rules } = z
      .looseObject({ rules: z.array(z.looseObject({ apiGroups: z.array(z.string()) })) })
      .parse(await site.api.get(role));
    await site.api.patch(role, { rules: rules.filter(({ apiGroups }) => !apiGroups.includes('apps')) });
    await rotate(namespace);
    const message = await readyMessage(namespace, 'RestartFailed');
    expect(message).toContain(
      'spec.restart[0]: Deployment web cannot be restarted: the API server refused to get it: Forbidden',
    );
    expect(message).toContain('let botmint get and patch it, or take it out of spec.restart');
    await site.kubectl(['apply', '--server-side', '--force-conflicts', '-f', deployPath('rbac.yaml')]);
    await isRestarted(namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
  });

  test('is given up an hour after the overlap, and the old token ends all the same', async () => {
    const { namespace, token: old } = await issued([web, db], { workloads: [db] });
    await rotate(namespace);
    await site.ready('bottokens', namespace, 'token', 'RestartFailed');
    await site.operator.stop();
    // So early that a test that takes all its time does not come to the hour.
    await site.start({ clockOffsetMilliseconds: 3300_000 });
    expect(await isActive(old)).toBe(true);
    await site.operator.stop();
    await site.start({ clockOffsetMilliseconds: 3700_000 });
    await isFinished(namespace);
    expect(await isActive(old)).toBe(false);
    const { rollout, previous } = await statusOf(namespace);
    expect(previous).toEqual([]);
    expect(rollout?.failed?.map(({ name }) => name)).toEqual(['web', 'db']); // the one missing, the other never rolled
    await site.ready('bottokens', namespace, 'token', 'Issued');
    const end = site.proxy.requests.length;
    await site.apply(manifest(web), namespace);
    await site.operator.stop();
    await site.start();
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(about(namespace, end)).toEqual([]); // what has ended asks for nothing any more
  });
});

describe('killed in the middle, the operator restarts each consumer once', () => {
  const isRecord = ({ resource, subresource, body }: SeenRequest) =>
    resource === 'bottokens' && subresource === 'status' && body.includes('"restartedAt"');
  test.each([
    ['before the restart', isRestart, before],
    ['after the restart', isRestart, after],
    ['before it is recorded', isRecord, before],
    ['after it is recorded', isRecord, after],
  ] as const)('%s', async (_, isPoint, moment) => {
    const { namespace, token: old } = await issued([web]);
    const start = site.proxy.requests.length;
    const killed = new Promise<void>(resolve => {
      let reached = false;
      site.rule = request => {
        if (reached || request.namespace !== namespace || !isPoint(request)) return forward;
        reached = true;
        return moment(async () => {
          await site.operator.kill();
          resolve();
        });
      };
    });
    const tokenID = await rotate(namespace);
    await killed;
    site.rule = () => forward;
    await site.start();
    await isRestarted(namespace);
    const { annotations, generation } = await workload(namespace, web);
    expect([annotations[key], generation]).toEqual([tokenID, 2]);
    await roll(namespace, web);
    await isFinished(namespace);
    await hasEnded(old);
    expect(about(namespace, start).filter(isRestart).length).toBeLessThanOrEqual(2);
    expect((await workload(namespace, web)).generation).toBe(2);
  });
});
