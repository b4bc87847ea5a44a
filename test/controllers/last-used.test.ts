import { expect, test } from 'vitest';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { LastUsed } from '../../src/controllers/last-used.ts';
import { served } from '../decide/robots.ts';
import { clientOf, configOf, json, localServer, silent } from '../kube/local-server.ts';

const at = new Date('2026-11-22T12:00:00Z');
const day = 24 * 3600 * 1000;
const signal = new AbortController().signal;

const { uid } = served.metadata;
const usedAt = (lastUsed: string | undefined, resourceVersion: string): RobotAccount =>
  ({
    ...served,
    apiVersion: 'botmint.dev/v1alpha1',
    kind: 'RobotAccount',
    metadata: { ...served.metadata, resourceVersion },
    status: { ...served.status, lastUsed },
  }) as RobotAccount;

/** A robot in the cache, and an API server whose first answers to a write are these statuses. */
async function site(inCache: RobotAccount, ...refusals: number[]) {
  const patches: unknown[] = [];
  let live = inCache;
  const { origin } = await localServer((request, response) => {
    if (request.method === 'GET') return json(200, live)(request, response);
    patches.push(JSON.parse(request.body).status);
    const code = refusals.shift();
    if (code === 409) live = usedAt('2026-11-22T11:00:00Z', '50');
    if (code !== undefined)
      return json(code, { kind: 'Status', code, reason: code === 409 ? 'Conflict' : 'Forbidden' })(request, response);
    live = usedAt(JSON.parse(request.body).status.lastUsed, String(50 + patches.length));
    return json(200, live)(request, response);
  });
  const { client } = clientOf(configOf(origin));
  const caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock: systemClock });
  caches.robots.put(inCache);
  const lastUsed = new LastUsed({ client, caches, clock: systemClock }, silent);
  return { lastUsed, caches, patches };
}

const written = (caches: Caches) => caches.robots.byUID(uid)?.status?.lastUsed;

test('a use is written once, and one within a day of it is not', async () => {
  const { lastUsed, caches, patches } = await site(usedAt(undefined, '7'));
  lastUsed.note({ uid }, at);
  lastUsed.note({ uid: 'of a robot that is gone' }, at);
  await lastUsed.round(signal);
  expect(written(caches)).toBe('2026-11-22T12:00:00Z');
  lastUsed.note({ uid }, new Date(at.getTime() + day - 1));
  await lastUsed.round(signal);
  expect(patches).toEqual([{ lastUsed: '2026-11-22T12:00:00Z' }]);
  lastUsed.note({ uid }, new Date(at.getTime() + day));
  await lastUsed.round(signal);
  expect(written(caches)).toBe('2026-11-23T12:00:00Z');
});

test('what another replica has written in the meantime counts', async () => {
  const { lastUsed, caches, patches } = await site(usedAt(undefined, '7'), 409);
  lastUsed.note({ uid }, at);
  await lastUsed.round(signal);
  await lastUsed.round(signal);
  expect(written(caches)).toBe('2026-11-22T11:00:00Z');
  expect(patches).toHaveLength(1);
});

test('what the API server refuses is tried again in the next round', async () => {
  const { lastUsed, caches } = await site(usedAt(undefined, '7'), 403);
  lastUsed.note({ uid }, at);
  await lastUsed.round(signal);
  expect(written(caches)).toBeUndefined();
  await lastUsed.round(signal);
  expect(written(caches)).toBe('2026-11-22T12:00:00Z');
});

test('one that the API server refuses again and again holds up none of the others', async () => {
  const robots = Array.from({ length: 50 }, (_, n) => {
    const robot = usedAt(undefined, '7');
    return { ...robot, metadata: { ...robot.metadata, name: `robot-${n}`, uid: `uid-${n}` } };
  });
  const isRefused = (name: string) => Number(name.split('-')[1]) < 25;
  const { origin } = await localServer((request, response) => {
    const name = request.url?.split('/').at(-2) ?? '';
    if (isRefused(name)) return json(403, { kind: 'Status', code: 403, reason: 'Forbidden' })(request, response);
    const { lastUsed } = JSON.parse(request.body).status;
    const robot = robots.find(({ metadata }) => metadata.name === name);
    const metadata = { ...robot?.metadata, resourceVersion: '8' };
    return json(200, { ...robot, metadata, status: { ...robot?.status, lastUsed } })(request, response);
  });
  const { client } = clientOf(configOf(origin));
  const caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock: systemClock });
  const lastUsed = new LastUsed({ client, caches, clock: systemClock }, silent);
  for (const robot of robots) caches.robots.put(robot);
  for (const { metadata } of robots) lastUsed.note(metadata, at);
  for (let round = 0; round < 3; round++) await lastUsed.round(signal);
  const left = robots.filter(({ metadata }) => caches.robots.byUID(metadata.uid)?.status?.lastUsed === undefined);
  expect(left.map(({ metadata }) => metadata.name)).toEqual(robots.slice(0, 25).map(({ metadata }) => metadata.name));
});

test('a round writes a bounded number, and the next one goes on', async () => {
  const { lastUsed, caches, patches } = await site(usedAt(undefined, '7'));
  const { lastUsed: _, ...status } = served.status ?? {};
  const robots = Array.from({ length: 25 }, (__, n) => ({ name: `ci-${n}`, uid: `uid-${n}` }));
  for (const { name, uid: of } of robots) {
    caches.robots.put({ ...served, metadata: { ...served.metadata, name, uid: of }, status });
    lastUsed.note({ uid: of }, at);
  }
  await lastUsed.round(signal);
  expect(patches).toHaveLength(20);
  await lastUsed.round(signal);
  expect(patches).toHaveLength(25);
});
