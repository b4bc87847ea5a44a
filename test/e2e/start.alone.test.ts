import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../cluster/wait.ts';
import { OperatorProcess } from './operator-process.ts';

// An operator that cannot start: there is an API server in its kubeconfig that does not answer, or none.
let server: Server;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'botmint-start-'));
  server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

async function kubeconfigFor(port: number): Promise<string> {
  const path = join(folder, `${port}.json`);
  const config = {
    clusters: [{ name: 'a', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'a', user: {} }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    'current-context': 'a',
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

test('an operator that waits for its API server ends cleanly when it is asked to', async () => {
  const asked = once(server, 'connection');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await using operator = OperatorProcess.spawn({ kubeconfig: await kubeconfigFor(port) });
  await asked;
  expect(await operator.stop()).toBe(0);
  expect(operator.output).not.toContain('    at ');
});

test('an operator without an API server says so in one line', async () => {
  await using operator = OperatorProcess.spawn({ kubeconfig: await kubeconfigFor(1) });
  await eventually('it has ended', () => operator.hasEnded);
  expect(operator.output).toMatch(/^botmint: .*ECONNREFUSED 127\.0\.0\.1:1\n$/);
});
