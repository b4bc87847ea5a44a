import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unreachable } from '../../src/base/errors.ts';
import { Authority } from '../cluster/certificates.ts';
import { kubeconfig } from '../cluster/kubeconfig.ts';
import { type Act, type Decision, forward, type Rule } from './decisions.ts';
import { type SeenRequest, targetOf } from './requests.ts';
import { type Answer, type Exchange, Upstream } from './upstream.ts';
import { Watches } from './watches.ts';

export { after, before, type Decision, delay, drop, forward, type Rule, refuse } from './decisions.ts';
export { isBackground, isWrite, type SeenRequest } from './requests.ts';

const recordedBytes = 256 * 1024;

interface Parts {
  directory: string;
  /** PEM */
  ca: string;
  listener: Server;
  upstream: Upstream;
}

/**
 * An HTTPS server between an operator process and the API server. It forwards everything, with the client's own bearer
 * token, and a rule decides about each request: kill points, delays, refusals, lost answers, faults in watches. So what
 * is tested is the program that ships, and it has no test hooks.
 */
export class FaultProxy {
  /** Every request since the start, in the order in which they came in. */
  readonly requests: SeenRequest[] = [];
  /** What happens to each request; may be changed at any time. An error that it throws fails the test run. */
  rule: Rule = () => forward;
  readonly #parts: Parts;
  readonly #watches = new Map<string, Watches>();

  private constructor(parts: Parts) {
    this.#parts = parts;
    parts.listener.on('request', (incoming, response) => void this.#serve(incoming, response));
  }

  /**
   * Starts one in front of the cluster of a kubeconfig (only its address and CA are used). With a lease prefix the
   * client's Leases carry it at the API server, and it sees only those.
   */
  static async start(o: { kubeconfigPath: string; leasePrefix?: string }): Promise<FaultProxy> {
    const authority = await Authority.create('botmint fault proxy CA');
    const { certificate, privateKey } = await authority.server({ dns: ['localhost'], ip: ['127.0.0.1'] });
    const listener = createServer({ cert: certificate, key: privateKey, ALPNProtocols: ['http/1.1'] });
    // It closes no idle connection, as it might do just when a client takes it: that would be a fault that no rule has made.
    listener.keepAliveTimeout = 0;
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const directory = await mkdtemp(join(tmpdir(), 'botmint-proxy-'));
    const upstream = await Upstream.open(o.kubeconfigPath, o.leasePrefix ?? '');
    return new FaultProxy({ directory, ca: authority.pair.certificate, listener, upstream });
  }

  /** https URL */
  get server(): string {
    const address = this.#parts.listener.address();
    if (address === null || typeof address === 'string') throw new Error('the fault proxy is stopped');
    return `https://127.0.0.1:${address.port}`;
  }

  /** The path of a kubeconfig for this proxy with this token. */
  async kubeconfigFor(token: string): Promise<string> {
    const path = join(this.#parts.directory, `${randomUUID()}.kubeconfig`);
    const content = { server: this.server, ca: this.#parts.ca, credential: { token } };
    await writeFile(path, kubeconfig(content), { mode: 0o600 });
    return path;
  }

  /** The faults of the watches of a resource (plural, for example `bottokens`). */
  watches(resource: string): Watches {
    const found = this.#watches.get(resource) ?? new Watches();
    this.#watches.set(resource, found);
    return found;
  }

  /** Breaks every connection of clients; they may come back at once. */
  disconnect(): void {
    this.#parts.listener.closeAllConnections();
  }

  async stop(): Promise<void> {
    this.#parts.listener.close();
    this.disconnect();
    await this.#parts.upstream.close();
    await rm(this.#parts.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming);
    if (body === undefined) return;
    const seen = this.#record(incoming, body);
    await this.#carryOut(this.rule(seen), { seen, incoming, body, response });
  }

  #record(incoming: IncomingMessage, body: Buffer): SeenRequest {
    const seen: SeenRequest = {
      ...targetOf(incoming.method ?? 'GET', incoming.url ?? '/'),
      n: this.requests.length + 1,
      at: new Date(),
      headers: incoming.headers,
      body: body.subarray(0, recordedBytes).toString(),
      status: undefined,
    };
    this.requests.push(seen);
    return seen;
  }

  async #carryOut(decision: Decision, exchange: Exchange): Promise<void> {
    const { seen, response } = exchange;
    switch (decision.do) {
      case 'forward':
        await decision.before?.();
        return this.#forward(exchange, decision.after);
      case 'refuse':
        seen.status = decision.status;
        response.writeHead(decision.status, { 'content-type': 'application/json', ...decision.headers });
        response.end(JSON.stringify(decision.body));
        return;
      case 'lose-request':
        await decision.act();
        response.destroy();
        return;
      case 'lose-answer':
        await (await this.#ask(exchange))?.body.dump();
        await decision.act();
        response.destroy();
        return;
      default:
        unreachable(decision);
    }
  }

  async #forward(exchange: Exchange, after: Act | undefined): Promise<void> {
    const answer = await this.#ask(exchange);
    if (answer === undefined) return;
    await after?.();
    const { seen, response } = exchange;
    const { upstream } = this.#parts;
    const isWatch = seen.verb === 'watch' && answer.statusCode === 200;
    const passed = isWatch
      ? upstream.passWatch(exchange, answer, this.watches(seen.resource).add(response))
      : upstream.pass(exchange, answer);
    await passed.catch(() => response.destroy()); // either side is gone: the other sees a broken connection
  }

  async #ask(exchange: Exchange): Promise<Answer | undefined> {
    try {
      const answer = await this.#parts.upstream.ask(exchange);
      exchange.seen.status = answer.statusCode;
      return answer;
    } catch {
      exchange.response.destroy(); // the API server does not answer, or its client is gone
      return undefined;
    }
  }
}

/** The whole body, or undefined when the client has gone before it was sent. */
async function bodyOf(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk);
    return Buffer.concat(chunks);
  } catch {
    return undefined;
  }
}
