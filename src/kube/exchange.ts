import type { Dispatcher } from 'undici';
import { Unreachable } from './errors.ts';

export interface Exchange {
  request: Dispatcher.DispatchOptions;
  /** What it is called in messages, as 'list secrets'. */
  name: string;
  signal: AbortSignal;
  /** Without `onChunk` for the whole answer, with it for each silence: how long to wait. */
  milliseconds: number;
  /** Takes the pieces of an answer with status 200 instead of having them collected. */
  onChunk?: (chunk: Uint8Array) => void;
}

export interface Answer {
  status: number;
  retryAfterSeconds: number | undefined;
  /** Empty when `onChunk` took it. */
  body: Buffer;
}

/**
 * One HTTP request and its answer. Throws the signal's reason when that aborts first, what `onChunk` throws, and
 * Unreachable for everything that is no complete answer; a request that is given up is cut off.
 */
export function exchange(through: Dispatcher, of: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (of.signal.aborted) reject(of.signal.reason);
    else through.dispatch(of.request, new Exchanging(of, resolve, reject));
  });
}

/** Undici's lowest interface, because it costs half the CPU of `request`: no stream is made for an answer of 2 KB. */
class Exchanging implements Dispatcher.DispatchHandler {
  readonly #of: Exchange;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #ended = false;
  #status = 0;
  #retryAfterSeconds: number | undefined;

  constructor(of: Exchange, resolve: (answer: Answer) => void, reject: (error: unknown) => void) {
    this.#of = of;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(this.#late, of.milliseconds);
    of.signal.addEventListener('abort', this.#aborted, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It may have been given up while it waited for a free connection.
    if (this.#ended) controller.abort(new Error('given up'));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>): void {
    this.#status = status;
    this.#retryAfterSeconds = seconds(headers['retry-after']);
    if (this.#of.onChunk !== undefined) this.#timer.refresh();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    if (this.#of.onChunk === undefined || this.#status !== 200) {
      this.#chunks.push(chunk);
      return;
    }
    this.#timer.refresh();
    try {
      this.#of.onChunk(chunk);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  onResponseEnd(): void {
    if (!this.#end()) return;
    const [first, second] = this.#chunks;
    const body = first !== undefined && second === undefined ? first : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, retryAfterSeconds: this.#retryAfterSeconds, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#end()) this.#reject(new Unreachable('connection', `${this.#of.name}: ${wordsOf(error)}`));
  }

  readonly #late = (): void => {
    const seconds = Math.round(this.#of.milliseconds / 100) / 10;
    this.#giveUp(new Unreachable('deadline', `${this.#of.name}: no answer within ${seconds} s`));
  };

  readonly #aborted = (): void => this.#giveUp(this.#of.signal.reason);

  #giveUp(error: unknown): void {
    if (!this.#end()) return;
    this.#reject(error);
    this.#controller?.abort(new Error('given up'));
  }

  /** False when it had ended before. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#of.signal.removeEventListener('abort', this.#aborted);
    return true;
  }
}

/** Code and message only: errors of the network layer carry sockets, headers and bodies, and so tokens. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (error instanceof AggregateError) return `${code}: ${error.errors.map(wordsOf).join(', ')}`;
  return error.message === '' || error.message.includes(code) ? error.message || code : `${code}: ${error.message}`;
}

function seconds(header: unknown): number | undefined {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}
