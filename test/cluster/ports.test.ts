import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePorts } from './ports.ts';

test('gives different ports below those that systems use for outgoing connections', async () => {
  const ports = await freePorts(50);
  expect(new Set(ports).size).toBe(50);
  expect(ports.every(port => port >= 20_000 && port < 32_000)).toBe(true);
});

test('leaves out what is taken', async () => {
  const refused: number[] = [];
  const ports = await freePorts(3, async port => {
    if (refused.length >= 5) return true;
    refused.push(port);
    return false;
  });
  expect(ports.filter(port => refused.includes(port))).toEqual([]);
});

test('says so when there is none', async () => {
  await expect(freePorts(1, async () => false)).rejects.toThrow('no free port');
});

test('gives a port that a server can listen on', async () => {
  const [port] = await freePorts(1);
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  server.close();
});
