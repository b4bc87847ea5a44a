import { once } from 'node:events';
import { createServer as createPlainServer, maxHeaderSize } from 'node:http';
import { createServer as createTLSServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Log } from '../base/log.ts';
import { send } from './answer.ts';
import { type Refused, refusal } from './refusals.ts';
import type { CertificateSource, ServingCertificate } from './tls.ts';

/** Requests are forms with one token in them. */
const bodyLimit = 64 * 1024;
/** Milliseconds. A request that is not in by then is dropped, an answer that is not ready by then is a 503. */
const requestTimeout = 10_000;
const handlerTimeout = 15_000;
/** Longer than what proxies keep a connection for, so that it is they who close it, and no request is lost. */
const keepAliveTimeout = 75_000;
const silenceTimeout = 90_000;
/** The process is killed 10 s after it was asked to stop; this leaves time for the rest. */
const closeGrace = 5_000;

/** An HTTP server before it listens: endpoints are registered on `app`, and tests call `app.inject`. */
export interface HTTPServer {
  readonly app: FastifyInstance;
  /** `address` is `host:port`, or `:port` for all addresses of the machine; port 0 lets the system choose. */
  listen(address: string): Promise<AddressInfo>;
  /** No new requests; running ones may end within 5 s, then every connection is cut. May be called twice. */
  close(): Promise<void>;
}

/** The server of the TLS port. It takes over each new certificate without interrupting a connection. */
export function createServer(o: { certificates: CertificateSource; log: Log }): HTTPServer {
  const server = createTLSServer({
    ...timeouts,
    // A connection that has not said anything in TLS holds resources all the same.
    handshakeTimeout: requestTimeout,
    minVersion: 'TLSv1.2',
  });
  const use = ({ certificate, key }: ServingCertificate) =>
    server.setSecureContext({ cert: certificate, key: key.reveal(), minVersion: 'TLSv1.2' });
  if (o.certificates.current !== undefined) use(o.certificates.current);
  o.certificates.onChange(use);
  return createHTTPServer(server, o.log);
}

/** The server of the plain port, for probes and metrics. */
export function createPlain(o: { log: Log }): HTTPServer {
  return createHTTPServer(createPlainServer(timeouts), o.log);
}

const timeouts = { requestTimeout, headersTimeout: requestTimeout, keepAliveTimeout };

function createHTTPServer(server: ReturnType<typeof createPlainServer>, log: Log): HTTPServer {
  server.setTimeout(silenceTimeout);
  const app = fastify({
    serverFactory: requestListener => server.on('request', requestListener),
    logger: false,
    bodyLimit,
    // By itself the router answers 414 to a name of more than 100 characters, which an object may have. No address is longer than this.
    routerOptions: { maxParamLength: maxHeaderSize },
    frameworkErrors: (error, request, reply) => answerError(error, request, reply, log),
  });
  addRules(app, server, log);
  const stop = stopper(server);
  return {
    app,
    listen: async address => {
      await app.ready();
      return await listen(server, parseAddress(address));
    },
    close: async () => {
      await Promise.all([stop(), app.close()]);
    },
  };
}

/**
 * Errors that say little, answers that come in time and that nobody stores unless an endpoint allows it, a log without names
 * and values. The hooks call back: a promise for each of them is more than they do themselves.
 */
function addRules(app: FastifyInstance, server: Server, log: Log): void {
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, log));
  app.setNotFoundHandler((_, reply) => send(reply, refusal({ error: 'not_found', says: 'there is nothing here' })));
  app.addHook('onRequest', (_, reply, done) => {
    giveUpLate(reply);
    done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('x-content-type-options', 'nosniff');
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
    if (!server.listening) reply.header('connection', 'close');
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    if (log.isLevelEnabled('debug')) {
      log.debug({ ...named(request), status: reply.statusCode, milliseconds: reply.elapsedTime }, 'request answered');
    }
    done();
  });
}

/** Fastify has this as `handlerTimeout`, but then it aborts a signal for every request: a third of what signing a token costs. */
function giveUpLate(reply: FastifyReply): void {
  const timer = setTimeout(() => {
    if (!reply.sent) reply.send(new AnswerLate('the answer was not ready in time'));
  }, handlerTimeout);
  reply.raw.once('close', () => clearTimeout(timer));
}

class AnswerLate extends Error {
  readonly statusCode = 503;
}

/**
 * What a caller did wrong is named by a word alone; what went wrong with us is in our log, not in the answer. Whose request it was
 * may not be known (of an address that cannot be read, for one), so each answer has the forms of all clients.
 */
function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const answer = refusal(refusedBy(error));
  if (answer.status >= 500) log.error({ ...named(request), err: error }, 'request failed');
  void send(reply.header('x-content-type-options', 'nosniff'), answer);
}

function refusedBy(error: unknown): Refused {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status === 413) return { error: 'request_too_large', says: 'the request is too large' };
  if (status === 415) return { error: 'unsupported_media_type', says: 'the type of the body cannot be read' };
  if (status === 503) return { error: 'temporarily_unavailable', says: 'the answer was not ready in time' };
  if (status >= 400 && status < 500) return { error: 'invalid_request', says: 'the request cannot be read' };
  return { error: 'server_error', says: 'the request failed' };
}

/** The pattern of the route and never the address: people put tokens into addresses. */
function named(request: FastifyRequest): { method: string; route: string } {
  return { method: request.method, route: request.routeOptions.url ?? 'unknown' };
}

/**
 * Stops a server: no new connections, then, after the grace, an end to those that are left. Connections are counted
 * from the first byte on, because the server itself does not know of one whose TLS handshake is not over.
 */
function stopper(server: Server): () => Promise<void> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return async () => {
    const timer = setTimeout(() => open.forEach(cut), closeGrace);
    // Its only error is that it was not listening.
    await new Promise<void>(resolve => server.close(() => resolve()));
    clearTimeout(timer);
  };
}

function cut(socket: Socket): void {
  socket.destroy();
}

async function listen(server: Server, at: { host: string | undefined; port: number }): Promise<AddressInfo> {
  server.listen(at);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not listening on a port');
  return bound;
}

/** `:8443`, `127.0.0.1:0`, `[::1]:8443`. Throws when there is no port in it. */
export function parseAddress(address: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([\d:a-f]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new Error(`not an address to listen on: ${address} (host:port or :port)`);
  // Without a host Node listens on all addresses, and knows how to on a machine that has no IPv6.
  return { host: match[1] ?? (match[2] || undefined), port };
}
