import { expect, test } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { addHealth, Loops } from '../../src/server/health.ts';
import { createPlain } from '../../src/server/listen.ts';

function serving(state: { dead?: string[]; missing?: string[] }) {
  const { app } = createPlain({ log: createLog('silent', 'json') });
  const metrics = new Metrics();
  addHealth(app, { health: { dead: () => state.dead ?? [], missing: () => state.missing ?? [] }, metrics });
  return { app, metrics };
}

test.each<[string, string, { dead?: string[]; missing?: string[] }, number, string]>([
  ['is alive and ready', '/healthz', {}, 200, 'ok\n'],
  ['is alive and ready', '/readyz', {}, 200, 'ok\n'],
  ['is alive while caches are filled', '/healthz', { missing: ['bottokens'] }, 200, 'ok\n'],
  [
    'is not ready, and says for what it waits',
    '/readyz',
    { missing: ['bottokens', 'tls certificate'] },
    503,
    'missing: bottokens\nmissing: tls certificate\n',
  ],
  ['is not alive when a loop has died, and says which', '/healthz', { dead: ['lease'] }, 503, 'dead: lease\n'],
])('%s (%s)', async (_, url, state, status, body) => {
  const answer = await serving(state).app.inject(url);
  expect([answer.statusCode, answer.body]).toEqual([status, body]);
});

test('becomes ready without being started anew', async () => {
  const state = { missing: ['bottokens'] };
  const { app } = serving(state);
  expect((await app.inject('/readyz')).statusCode).toBe(503);
  state.missing = [];
  expect((await app.inject('/readyz')).statusCode).toBe(200);
});

test("shows the metrics in Prometheus' format, as they are at the scrape", async () => {
  const { app, metrics } = serving({});
  const counter = metrics.counter('botmint_issued_total', 'Credentials issued.', ['kind']);
  counter.inc({ kind: 'BotToken' });
  const answer = await app.inject('/metrics');
  expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(answer.body).toContain('botmint_issued_total{kind="BotToken"} 1');
  counter.inc({ kind: 'BotToken' });
  expect((await app.inject('/metrics')).body).toContain('botmint_issued_total{kind="BotToken"} 2');
});

test.each<[string, (signal: AbortController) => Promise<void>, string[]]>([
  ['that runs', () => new Promise(() => undefined), []],
  ['that failed', () => Promise.reject(new Error('gone')), ['reflector']],
  ['that ended by itself', () => Promise.resolve(), ['reflector']],
  ['that was asked to end', async stop => stop.abort(), []],
])('a loop %s', async (_, run, dead) => {
  const loops = new Loops();
  const stop = new AbortController();
  const loop = loops.watch('reflector', run(stop), stop.signal);
  await Promise.race([loop.catch(() => undefined), new Promise(resolve => setImmediate(resolve))]);
  expect(loops.dead()).toEqual(dead);
});
