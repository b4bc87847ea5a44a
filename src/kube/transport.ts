import type { Dispatcher } from 'undici';
import { type Clock, delay, systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Counter, Histogram, Metrics } from '../base/metrics.ts';
import type { ClusterConfig } from './credentials.ts';
import { KubeError, Unreachable } from './errors.ts';
import { type Answer, type Exchange, exchange } from './exchange.ts';
import { type Link, Links } from './link.ts';

export interface TransportOptions {
  config: ClusterConfig;
  log: Log;
  metrics: Metrics;
  userAgent: string;
  clock?: Clock;
  /** How often token and certificate files are read again. Default 60 s. */
  renewalMilliseconds?: number;
}

export interface Call {
  verb: string;
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The resource's plural, as a label for metrics. */
  resource: string;
  path: string;
  accept?: string;
  body?: string;
  contentType?: string;
  signal: AbortSignal;
  deadlineMilliseconds?: number | undefined;
}

export interface Stream {
  resource: string;
  path: string;
  accept: string;
  signal: AbortSignal;
  silenceMilliseconds: number;
  onChunk: (chunk: Uint8Array) => void;
}

/** Requests and answers of the API: credentials, deadlines, what may be repeated, typed errors, and metrics of it all. */
export class Transport {
  readonly #basePath: string;
  readonly #userAgent: string;
  readonly #clock: Clock;
  readonly #links: Links;
  readonly #calls: Counter<'verb' | 'resource' | 'code'>;
  readonly #durations: Histogram<'verb'>;

  constructor({ config, log, metrics, userAgent, clock = systemClock, renewalMilliseconds }: TransportOptions) {
    this.#basePath = config.basePath;
    this.#userAgent = userAgent;
    this.#clock = clock;
    this.#links = new Links(config, log, renewalMilliseconds);
    this.#calls = metrics.counter('botmint_api_calls_total', 'Requests to the API server.', [
      'verb',
      'resource',
      'code',
    ]);
    this.#durations = metrics.histogram(
      'botmint_api_call_duration_seconds',
      'How long single requests to the API server took, watches apart.',
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      ['verb'],
    );
  }

  /** The parsed body of a 2xx answer; throws KubeError for any other. */
  async call(call: Call): Promise<unknown> {
    const end = this.#clock.monotonic() + (call.deadlineMilliseconds ?? 30_000);
    const link = await this.#links.current();
    let answer = await this.#send(link, call, end);
    // Refused before it began, so the verb does not matter; the token may have expired, or its file been replaced.
    const other = answer.status === 401 ? await this.#links.other(link) : undefined;
    if (other !== undefined) answer = await this.#send(other, call, end);
    while (answer.status === 429 && (await this.#waited(answer, call, end))) {
      answer = await this.#send(other ?? link, call, end);
    }
    return bodyOf(answer, `${call.verb} ${call.resource}`);
  }

  /** Resolves when the server ended its answer in an orderly way. */
  async stream({ resource, path, accept, signal, silenceMilliseconds, onChunk }: Stream): Promise<void> {
    const link = await this.#links.current();
    const start = (from: Link) => {
      const request = this.#request(from, { method: 'GET', path, accept });
      const name = `watch ${resource}`;
      return this.#counted(
        'watch',
        resource,
        exchange(from.watches, {
          request,
          name,
          signal,
          milliseconds: silenceMilliseconds,
          onChunk,
        }),
      );
    };
    let answer = await start(link);
    const other = answer.status === 401 ? await this.#links.other(link) : undefined;
    if (other !== undefined) answer = await start(other);
    if (answer.status !== 200) throw errorOf(answer);
  }

  close(): Promise<void> {
    return this.#links.close();
  }

  async #send(link: Link, call: Call, end: number): Promise<Answer> {
    try {
      return await this.#sendOnce(link, call, end);
    } catch (error) {
      const again = call.method === 'GET' && error instanceof Unreachable && error.lack === 'connection';
      if (!again || call.signal.aborted) throw error;
      return await this.#sendOnce(link, call, end);
    }
  }

  async #sendOnce(link: Link, call: Call, end: number): Promise<Answer> {
    const started = this.#clock.monotonic();
    const of: Exchange = {
      request: this.#request(link, call),
      name: `${call.verb} ${call.resource}`,
      signal: call.signal,
      milliseconds: Math.max(1, end - started),
    };
    try {
      return await this.#counted(call.verb, call.resource, exchange(link.calls, of));
    } finally {
      this.#durations.observe({ verb: call.verb }, (this.#clock.monotonic() - started) / 1000);
    }
  }

  async #counted(verb: string, resource: string, exchanged: Promise<Answer>): Promise<Answer> {
    let code = 'none';
    try {
      const answer = await exchanged;
      code = `${answer.status}`;
      return answer;
    } finally {
      this.#calls.inc({ verb, resource, code });
    }
  }

  /** Waits as long as the server asked for; false, at once, when the deadline would be over. */
  async #waited(answer: Answer, { signal }: Call, end: number): Promise<boolean> {
    const milliseconds = Math.max(1, answer.retryAfterSeconds ?? 1) * 1000;
    if (this.#clock.monotonic() + milliseconds >= end) return false;
    await delay(milliseconds, signal);
    return true;
  }

  #request(
    link: Link,
    of: Pick<Call, 'method' | 'path' | 'accept' | 'body' | 'contentType'>,
  ): Dispatcher.DispatchOptions {
    const headers = ['accept', of.accept ?? 'application/json', 'user-agent', this.#userAgent, ...link.impersonation];
    if (of.contentType !== undefined) headers.push('content-type', of.contentType);
    if (link.authorization !== undefined) headers.push('authorization', link.authorization.reveal());
    return { method: of.method, path: this.#basePath + of.path, headers, body: of.body ?? null };
  }
}

function bodyOf(answer: Answer, name: string): unknown {
  if (answer.status < 200 || answer.status > 299) throw errorOf(answer);
  const parsed = parsedOf(answer);
  if (parsed === undefined) throw new Unreachable('answer', `${name}: the answer cannot be read`);
  return parsed;
}

function errorOf(answer: Answer): KubeError {
  return KubeError.of(answer.status, parsedOf(answer), answer.retryAfterSeconds);
}

// The parser's own error is dropped on purpose: it quotes what it could not parse.
function parsedOf({ body }: Answer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
