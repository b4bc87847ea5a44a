import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, type Dispatcher } from 'undici';
import { connectionOf } from '../cluster/connect.ts';
import { concernsLeases, plainAnswer, plainEvent, prefixedBody, prefixedURL } from './leases.ts';
import { isWrite, type SeenRequest } from './requests.ts';
import { lines, type WatchStream } from './watches.ts';

// What belongs to one connection and not to the request; and compression, because answers are looked into.
const dropped = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'host', 'accept-encoding', 'expect'];

/** A request of a client, and where its answer goes. */
export interface Exchange {
  seen: SeenRequest;
  incoming: IncomingMessage;
  body: Buffer;
  response: ServerResponse;
}

export type Answer = Dispatcher.ResponseData;

/** The API server as the proxy sees it. */
export class Upstream {
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #leasePrefix: string;

  private constructor(origin: string, agent: Agent, leasePrefix: string) {
    this.#origin = origin;
    this.#agent = agent;
    this.#leasePrefix = leasePrefix;
  }

  /** Only address and CA of the kubeconfig are used: who the client is, the client says. */
  static async open(kubeconfigPath: string, leasePrefix: string): Promise<Upstream> {
    const { server, connect } = await connectionOf(kubeconfigPath);
    const { cert: _certificate, key: _key, ...trust } = connect;
    // Watches are silent for long.
    const agent = new Agent({ connect: trust, headersTimeout: 0, bodyTimeout: 0 });
    return new Upstream(server, agent, leasePrefix);
  }

  /** Resolves when the API server has carried the request out and its answer begins. */
  ask({ seen, incoming, body, response }: Exchange): Promise<Answer> {
    const isMapped = this.#mapsNames(seen);
    const url = incoming.url ?? '/';
    const path = isMapped ? prefixedURL(url, seen, this.#leasePrefix) : url;
    const sent = isMapped ? Buffer.from(prefixedBody(body.toString(), this.#leasePrefix)) : body;
    return this.#agent.request({
      origin: this.#origin,
      path,
      method: incoming.method ?? 'GET',
      headers: { ...passedOn(incoming.headers), ...(sent.length > 0 && { 'content-length': String(sent.length) }) },
      body: sent.length > 0 ? sent : null,
      // A write that is under way lands, also when its sender is gone. Nobody needs a read any more.
      signal: isWrite(seen) ? null : abortedWith(response),
    });
  }

  /** Gives the answer to the client. */
  async pass({ seen, response }: Exchange, answer: Answer): Promise<void> {
    const { 'content-length': _, ...headers } = passedOn(answer.headers);
    const isMapped = this.#mapsNames(seen);
    const body = isMapped ? plainAnswer(await answer.body.text(), this.#leasePrefix) : await answer.body.bytes();
    response.writeHead(answer.statusCode, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
  }

  /** Gives the answer of a watch to the client, line by line. */
  async passWatch({ seen, response }: Exchange, answer: Answer, stream: WatchStream): Promise<void> {
    response.writeHead(answer.statusCode, passedOn(answer.headers)).flushHeaders();
    for await (const line of lines(answer.body)) {
      const mapped = this.#mapsNames(seen) ? plainEvent(line.toString(), this.#leasePrefix) : line;
      if (mapped !== undefined) await stream.push(Buffer.from(mapped));
    }
    stream.end();
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #mapsNames(seen: SeenRequest): boolean {
    return this.#leasePrefix !== '' && concernsLeases(seen);
  }
}

function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.includes(name)));
}

function abortedWith(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.closed) controller.abort();
  else response.once('close', () => controller.abort());
  return controller.signal;
}
