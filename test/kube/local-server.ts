import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { Client } from '../../src/kube/client.ts';
import type { ClusterConfig, Credentials } from '../../src/kube/credentials.ts';

export interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

type Answering = (request: Seen, response: ServerResponse) => void;

/** A plain HTTP server that answers its requests one after the other as the test says, the last way for all that follow. */
export async function localServer(...answers: Answering[]) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const take = (body: string) => {
      const { method, url, headers } = request;
      const one = { method, url, headers, body };
      seen.push(one);
      const answering = answers[Math.min(seen.length, answers.length) - 1];
      answering?.(one, response);
    };
    // Who leaves before the request is here altogether has asked nothing.
    void read(request).then(take, () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return { origin: `http://127.0.0.1:${address.port}`, seen, server };
}

/** For tests that look at what happened, not at what was said about it. */
export const silent = pino({ level: 'silent' });

export const noTLS = { ca: undefined, cert: undefined, key: undefined, serverName: undefined, insecure: false };

/** Where a test's server is, with a token that may change. */
export function configOf(origin: string, token: () => string | undefined = () => undefined): ClusterConfig {
  const credentials = (): Promise<Credentials> => {
    const text = token();
    const authorization = text === undefined ? undefined : new SecretValue(`Bearer ${text}`);
    return Promise.resolve({ authorization, impersonation: [], tls: noTLS });
  };
  return { origin, basePath: '', namespace: undefined, credentials };
}

export function clientOf(config: ClusterConfig): { client: Client; metrics: Metrics } {
  const metrics = new Metrics();
  const client = new Client({ config, log: silent, metrics, userAgent: 'botmint/test' });
  onTestFinished(() => client.close());
  return { client, metrics };
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answering {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

/** Takes the request and cuts the connection. */
export function cut(_: Seen, response: ServerResponse): void {
  response.socket?.destroy();
}

/** Takes the request and says nothing. */
export function silence(): void {
  // Nothing: the connection stays open.
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
