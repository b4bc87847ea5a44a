import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request } from 'node:https';
import type { Authority } from '../cluster/certificates.ts';
import type { Crane, Login, Ran } from './crane.ts';

/** Stands in front of a registry and can hold up requests of one method, so that a push is in progress for as long as a test wants. */
export class Gate {
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #opening: PromiseWithResolvers<void>;
  readonly #arrival: PromiseWithResolvers<void>;

  private constructor(
    server: ReturnType<typeof createServer>,
    opening: PromiseWithResolvers<void>,
    arrival: PromiseWithResolvers<void>,
  ) {
    const address = server.address();
    this.port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    this.#server = server;
    this.#opening = opening;
    this.#arrival = arrival;
  }

  static async before(registryPort: number, web: Authority, held: string): Promise<Gate> {
    const { certificate, privateKey } = await web.server({ dns: ['localhost'], ip: ['127.0.0.1'] });
    const opening = Promise.withResolvers<void>();
    const arrival = Promise.withResolvers<void>();
    const server = createServer({ cert: certificate, key: privateKey }, (incoming, answer) => {
      if (incoming.method !== held) return forward(incoming, answer, registryPort, web);
      arrival.resolve();
      void opening.promise.then(() => forward(incoming, answer, registryPort, web));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Gate(server, opening, arrival);
  }

  get host(): string {
    return `localhost:${this.port}`;
  }

  /** The first request of the held kind has come. */
  get arrived(): Promise<void> {
    return this.#arrival.promise;
  }

  /** Lets everything through from now on. */
  open(): void {
    this.#opening.resolve();
  }

  async close(): Promise<void> {
    this.open();
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

/** A push of a new image that stands still in the middle of its layer. Whoever asked for it closes the gate. */
export async function heldPush(
  of: { port: number; web: Authority; crane: Crane },
  login: Login,
  name: string,
): Promise<{ push: Promise<Ran>; gate: Gate }> {
  const gate = await Gate.before(of.port, of.web, 'PATCH');
  const args = ['append', '-f', await of.crane.layer(300_000), '-t', `${gate.host}/${name}`];
  const push = of.crane.run(args, { host: gate.host, login });
  const ended = push.then(({ stderr }) => Promise.reject(new Error(`the push was over before it was held: ${stderr}`)));
  await Promise.race([gate.arrived, ended]);
  ended.catch(() => undefined); // it ends later, as it should
  return { push, gate };
}

/** Host and all other headers stay as they are, so the registry's addresses lead back here. */
function forward(incoming: IncomingMessage, answer: ServerResponse, port: number, web: Authority): void {
  const { method, url: path, headers } = incoming;
  const ca = web.pair.certificate;
  const onward = request({ host: 'localhost', port, method, path, headers, ca, agent: false }, response => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
  });
  onward.once('error', () => answer.destroy());
  incoming.pipe(onward);
}
