import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

/** What is asked of a server on this machine, over TLS. */
export interface Load {
  port: number;
  /** Whole requests of HTTP/1.1 as they are sent, in turn. */
  requests: readonly string[];
  /** How many connections; each asks again as soon as it is answered. */
  connections: number;
  seconds: number;
}

/** What came of it: answers, and how long it took. */
export interface Answered {
  answers: number;
  seconds: number;
}

const warmUpSeconds = 0.5;

/**
 * Asks a server for as long as it is told, after a moment that does not count. The client does as little as can be done,
 * because it shares the processor with the server; anything but 200 and 304 ends it. `started` is called when it counts.
 */
export async function load(o: Load, started: () => void = () => {}): Promise<Answered> {
  const open = await Promise.all(Array.from({ length: o.connections }, () => Connection.open(o.port)));
  let next = 0;
  let answers = 0;
  const keepAsking = async (connection: Connection, until: number) => {
    for (; performance.now() < until; answers++) {
      await connection.ask(o.requests[next++ % o.requests.length] ?? '');
    }
  };
  const asked = async (seconds: number) => {
    const until = performance.now() + seconds * 1000;
    await Promise.all(open.map(connection => keepAsking(connection, until)));
  };
  await asked(warmUpSeconds);
  answers = 0;
  started();
  const began = performance.now();
  await asked(o.seconds);
  const seconds = (performance.now() - began) / 1000;
  for (const connection of open) connection.close();
  return { answers, seconds };
}

/** One answer as it came: head, empty line, body. */
export async function ask(port: number, request: string): Promise<string> {
  const connection = await Connection.open(port);
  const answer = await connection.ask(request);
  connection.close();
  return answer;
}

/** One request as it is sent; `fields` beside the host. */
export function requestText(method: string, path: string, fields: Readonly<Record<string, string>>, body = ''): string {
  const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries({ host: 'localhost', ...fields, ...length }).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', body].join('\r\n');
}

/** Keeps its connection, and knows only answers that say how long they are. */
class Connection {
  readonly #socket: TLSSocket;
  #seen = '';
  #waiting: PromiseWithResolvers<string> | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    const fail = (error: Error) => this.#waiting?.reject(error);
    socket.setEncoding('latin1').on('data', (text: string) => this.#take(text));
    socket.on('error', fail).on('close', () => fail(new Error('the server has closed the connection')));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    return new Connection(socket.setNoDelay(true));
  }

  ask(request: string): Promise<string> {
    this.#waiting = Promise.withResolvers();
    this.#socket.write(request);
    return this.#waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#seen += text;
    const head = this.#seen.indexOf('\r\n\r\n');
    if (head < 0) return;
    const isUnchanged = this.#seen.startsWith('HTTP/1.1 304');
    const length = isUnchanged ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(this.#seen)?.[1]);
    if (this.#seen.length < head + 4 + length) return;
    const isExpected = isUnchanged || this.#seen.startsWith('HTTP/1.1 200');
    if (isExpected && this.#seen.length === head + 4 + length) this.#waiting?.resolve(this.#seen);
    else this.#waiting?.reject(new Error(`the answer was ${this.#seen.slice(0, head)}`));
    this.#seen = '';
  }
}
