import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { describeOwnControlPlane, eventually } from './cluster.ts';
import { ControlPlane } from './control-plane.ts';
import { freePorts } from './ports.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';

describeOwnControlPlane('a control plane of its own', () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await ControlPlane.start();
    // While it starts, a controller manager ends when it has no API server for ten seconds; here one is taken away.
    const view = () => plane.api.get('/apis/rbac.authorization.k8s.io/v1/clusterroles/view');
    await eventually('the controllers work', async () => JSON.stringify((await view())?.rules).includes('pods'));
  });
  afterAll(() => plane.stop());

  test.each(['etcd', 'kube-apiserver'] as const)('keeps its address and its data when %s is restarted', async name => {
    const before = plane.pids[name];
    await plane.api.create(configMaps, { metadata: { name: `before-${name}` } });
    await plane.restart(name);
    expect(plane.pids[name]).not.toBe(before);
    expect(await plane.api.get(`${configMaps}/before-${name}`)).toBeDefined();
  });

  test('is restarted after a kill', async () => {
    await plane.kill('kube-apiserver');
    await expect(plane.api.call('/readyz')).rejects.toThrow('ECONNREFUSED');
    await plane.restart('kube-apiserver');
    expect((await plane.api.call('/readyz')).status).toBe(200);
  });

  test.each(['etcd', 'kube-apiserver'] as const)(
    'does not answer while %s is paused, and goes on after it',
    async name => {
      plane.pause(name);
      const state = { answered: false };
      const write = plane.api.create(configMaps, { metadata: { name: `paused-${name}` } }).finally(() => {
        state.answered = true;
      });
      // Stopped is what the system says of the process, so nothing can have answered since.
      await eventually('the process stands still', () => stateOf(plane.pids[name]).startsWith('T'));
      expect(state.answered).toBe(false);
      plane.resume(name);
      expect((await write).metadata.name).toBe(`paused-${name}`);
    },
  );

  test('collects nothing while the controllers are paused', async () => {
    plane.pause('kube-controller-manager');
    const owner = await plane.api.create(configMaps, { metadata: { name: 'owner' } });
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
    await plane.api.create(configMaps, { metadata: { name: 'owned', ownerReferences } });
    await plane.api.delete(`${configMaps}/owner`);
    expect(await plane.api.get(`${configMaps}/owned`)).toBeDefined();
    plane.resume('kube-controller-manager');
    await eventually('it is collected', async () => (await plane.api.get(`${configMaps}/owned`)) === undefined);
  });

  test('forgets its history when it is compacted and restarted', async () => {
    const old = (await plane.api.create(configMaps, { metadata: { name: 'old' } })).metadata.resourceVersion;
    await plane.api.patch(`${configMaps}/old`, { data: { a: 'b' } });
    await plane.compact();
    await plane.restart('kube-apiserver');
    const list = await plane.api.call(`${configMaps}?resourceVersion=${old}&resourceVersionMatch=Exact`);
    expect(list).toMatchObject({ status: 410, body: { reason: 'Expired' } });
    const watch = await plane.api.call(`${configMaps}?watch=true&timeoutSeconds=1&resourceVersion=${old}`);
    expect(watch).toMatchObject({ status: 200, body: { type: 'ERROR', object: { code: 410 } } });
  });
});

describeOwnControlPlane('the life of a control plane', () => {
  test('leaves no process and no file when it is stopped', async () => {
    const plane = await ControlPlane.start();
    const pids = Object.values(plane.pids);
    expect(pids).toHaveLength(3);
    plane.pause('etcd');
    await plane.stop();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(plane.files.directory)).toBe(false);
  });

  test('takes other ports when one of its own is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    onTestFinished(() => void squatter.close());
    const address = squatter.address();
    const taken = typeof address === 'object' && address !== null ? address.port : 0;
    const asked: number[][] = [];
    await using plane = await ControlPlane.start(undefined, async () => {
      const ports = await freePorts(3);
      if (asked.length === 0) ports[2] = taken;
      asked.push(ports);
      return ports;
    });
    expect(asked).toHaveLength(2);
    expect(plane.server).toBe(`https://127.0.0.1:${asked[1]?.[2]}`);
  });

  // Killed when it is ready, and at moments at which something is just being started.
  test.each([
    ['when it is ready', undefined],
    ['after 0.3 s', 300],
    ['after 0.9 s', 900],
    ['after 2 s', 2_000],
  ])('does not survive the SIGKILL of its parent %s', async (_, milliseconds) => {
    const directory = await mkdtemp(join(tmpdir(), 'botmint-killed-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const parent = spawn(process.execPath, [join(import.meta.dirname, 'start-and-wait.ts')], {
      env: { ...process.env, TMPDIR: directory },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await (milliseconds === undefined ? once(parent.stdout, 'data') : once(AbortSignal.timeout(milliseconds), 'abort'));
    const before = withArgument(directory).length;
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    if (milliseconds === undefined) expect(before).toBe(4); // three components and the watchdog
    await eventually(
      'nothing is left',
      async () => withArgument(directory).length === 0 && (await readdir(directory)).length === 0,
    );
  });
});

/** The command lines of processes that were given something in this directory. */
function withArgument(directory: string): string[] {
  const listing = spawnSync('ps', ['-Ao', 'args'], { encoding: 'utf8' }).stdout;
  return listing.split('\n').filter(line => line.includes(`${directory}/`));
}

function stateOf(pid: number | undefined): string {
  return spawnSync('ps', ['-o', 'state=', '-p', String(pid ?? 0)], { encoding: 'utf8' }).stdout.trim();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // there is no such process
  }
}
