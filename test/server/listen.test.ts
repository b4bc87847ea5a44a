import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { TLSSocket } from 'node:tls';
import type { InjectOptions } from 'fastify';
import { type DestinationStream, pino } from 'pino';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { createServer, parseAddress } from '../../src/server/listen.ts';
import type { CertificateSource, ServingCertificate } from '../../src/server/tls.ts';
import { Authority } from '../cluster/certificates.ts';
import { eventually } from '../cluster/wait.ts';

const host = 'botmint.botmint-system.svc';
const silent = createLog('silent', 'json');

afterEach(() => void vi.useRealTimers());

/** Certificates of a CA of their own, one after the other. */
async function certificateSource() {
  const authority = await Authority.create('test');
  const listeners: ((certificate: ServingCertificate) => void)[] = [];
  const source: CertificateSource & { current: ServingCertificate | undefined } = {
    current: undefined,
    onChange: listener => void listeners.push(listener),
  };
  const renew = async () => {
    const { certificate, privateKey } = await authority.server({ dns: [host], ip: [] });
    source.current = { certificate, key: new SecretValue(privateKey) };
    for (const listener of listeners) listener(source.current);
  };
  return { source, renew, ca: authority.pair.certificate };
}

async function started({ log = silent } = {}) {
  const { source, renew, ca } = await certificateSource();
  await renew();
  const server = createServer({ certificates: source, log });
  server.app.get('/fast', () => ({ fine: true }));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { promise: released, resolve: release } = Promise.withResolvers<string>();
  const reached = Promise.withResolvers<void>();
  server.app.get('/slow', () => {
    reached.resolve();
    return released;
  });
  const { port } = await server.listen('127.0.0.1:0');
  onTestFinished(() => {
    agent.destroy();
    release('done');
    return server.close();
  });
  const call = async (path: string, use?: Agent) => {
    const sent = request({ host: '127.0.0.1', port, path, ca, servername: host, agent: use ?? false }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const socket = sent.socket;
    const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.serialNumber : undefined;
    return { answer, body: await text(answer), shown, socket };
  };
  return { server, renew, call, agent, port, release, reached: reached.promise };
}

test('serves over TLS with the certificate of the moment, without a restart or a cut connection', async () => {
  const { call, renew, agent } = await started();
  const before = await call('/fast', agent);
  await renew();
  const kept = await call('/fast', agent);
  const fresh = await call('/fast');
  expect([before.body, fresh.body]).toEqual(['{"fine":true}', '{"fine":true}']);
  expect(kept.socket).toBe(before.socket);
  expect(fresh.shown).not.toBe(before.shown);
});

test('answers nobody before there is a certificate, and everybody from then on', async () => {
  const { source, renew, ca } = await certificateSource();
  const server = createServer({ certificates: source, log: silent });
  onTestFinished(() => server.close());
  const { port } = await server.listen('127.0.0.1:0');
  const call = () => once(request({ host: '127.0.0.1', port, ca, servername: host, agent: false }).end(), 'response');
  await expect(call()).rejects.toThrow(/handshake failure/);
  await renew();
  const [answer] = (await call()) as [IncomingMessage];
  expect(answer.statusCode).toBe(404);
});

async function app(log = silent) {
  const { source } = await certificateSource();
  const made = createServer({ certificates: source, log }).app;
  made.get('/fails', () => {
    throw new Error('canary: the password of the database');
  });
  made.get('/cached', (_, reply) => reply.header('cache-control', 'max-age=300').send({}));
  made.post('/form', () => ({}));
  made.get('/stuck', () => new Promise(() => undefined));
  return made;
}

test.each<[string, InjectOptions, number, string]>([
  ['a failure of ours', { url: '/fails' }, 500, 'server_error'],
  ['a path that is not there', { url: '/canary' }, 404, 'not_found'],
  ['an address that cannot be decoded', { url: '/%canary' }, 400, 'invalid_request'],
  [
    'a body that is too large',
    { method: 'POST', url: '/form', payload: { canary: 'x'.repeat(70_000) } },
    413,
    'request_too_large',
  ],
  [
    'a body that is not JSON',
    { method: 'POST', url: '/form', headers: { 'content-type': 'application/json' }, payload: '{canary' },
    400,
    'invalid_request',
  ],
  [
    'a body of an unknown type',
    { method: 'POST', url: '/form', headers: { 'content-type': 'x/canary' }, payload: 'x' },
    415,
    'unsupported_media_type',
  ],
])('the answer to %s says only what kind of error it is', async (_, call, status, error) => {
  const answer = await (await app()).inject(call);
  const body = answer.json();
  expect([answer.statusCode, body.error]).toEqual([status, error]);
  // For clients of registries, which look for nothing else.
  expect(body.errors).toEqual([{ code: expect.any(String), message: body.error_description }]);
  expect(answer.headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  expect(JSON.stringify(answer.headers) + answer.body).not.toContain('canary');
});

test('an answer that does not come is given up', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const answer = (await app()).inject('/stuck');
  await eventually('a timer', () => vi.getTimerCount() > 0); // by a clock that is not faked
  await vi.advanceTimersByTimeAsync(15_000);
  expect((await answer).statusCode).toBe(503);
  expect((await answer).headers['retry-after']).toBe('5');
  expect((await answer).json()).toMatchObject({ error: 'temporarily_unavailable', errors: [{ code: 'UNAVAILABLE' }] });
});

test('nothing waits any more for an answer that was given', async () => {
  const made = await app();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  expect((await made.inject('/cached')).statusCode).toBe(200);
  expect(vi.getTimerCount()).toBe(0);
});

test('says nothing about the server, and lets nobody store or guess', async () => {
  const { headers } = await (await app()).inject('/nothing');
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  expect(Object.keys(headers)).not.toContain('server');
  expect(Object.keys(headers)).not.toContain('x-powered-by');
});

test('an endpoint may allow caching', async () => {
  expect((await (await app()).inject('/cached')).headers['cache-control']).toBe('max-age=300');
});

test('logs which route was asked and how it ended, and nothing that a caller sent', async () => {
  const lines: string[] = [];
  const into: DestinationStream = { write: line => void lines.push(line) };
  const logged = await app(pino({ level: 'debug' }, into));
  const sent = { method: 'POST' as const, headers: { authorization: 'Bearer canary' }, payload: { canary: 'canary' } };
  await logged.inject({ ...sent, url: '/form?token=canary' });
  await logged.inject({ ...sent, url: '/canary' });
  await logged.inject({ url: '/fails?canary' });
  const [first, second, third] = lines.map(line => JSON.parse(line));
  expect(first).toMatchObject({ msg: 'request answered', method: 'POST', route: '/form', status: 200 });
  expect(second).toMatchObject({ route: 'unknown', status: 404 });
  expect(third).toMatchObject({ level: 50, msg: 'request failed', route: '/fails' });
  expect(third?.err.message).toContain('the password'); // our own words are ours to read
  expect(lines.join('').replaceAll('canary: the password', '')).not.toContain('canary');
});

test('a request that runs when the server is closed gets its answer', async () => {
  const { server, call, agent, release, reached } = await started();
  const slow = call('/slow', agent);
  await reached;
  const closed = server.close();
  release('done');
  expect((await slow).body).toBe('done');
  await closed;
  await expect(call('/fast')).rejects.toThrow('ECONNREFUSED');
});

test.each<[string, (s: Awaited<ReturnType<typeof started>>) => Promise<unknown>]>([
  ['a request that never ends', async ({ call, reached }) => [call('/slow').catch(() => undefined), await reached]],
  ['a connection that never says hello', ({ port, server }) => opened(port, server.app.server)],
])('%s holds up the end for 5 s and no longer', async (_, hold) => {
  const running = await started();
  await hold(running);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let ended = false;
  const closed = running.server.close().then(() => {
    ended = true;
  });
  await vi.advanceTimersByTimeAsync(4_900);
  expect(ended).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  await closed;
});

async function opened(port: number, server: NodeJS.EventEmitter): Promise<void> {
  const seen = once(server, 'connection');
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await seen;
}

test('closing twice, or before it listened, is fine', async () => {
  const { source } = await certificateSource();
  const server = createServer({ certificates: source, log: silent });
  await server.close();
  await server.close();
});

test.each<[string, { host: string | undefined; port: number }]>([
  [':8443', { host: undefined, port: 8443 }],
  ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ['localhost:80', { host: 'localhost', port: 80 }],
  ['[::1]:8443', { host: '::1', port: 8443 }],
])('reads the address %s', (address, expected) => expect(parseAddress(address)).toEqual(expected));

test.each(['8443', '', ':', ':65536', '::1:8443', 'https://x:1', ':-1'])('refuses the address "%s"', address =>
  expect(() => parseAddress(address)).toThrow('host:port'),
);
