import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** Faults of all watches of one resource. */
export class Watches {
  readonly #open = new Set<WatchStream>();
  #held = 0;

  /** How many are open. */
  get count(): number {
    return this.#open.size;
  }

  /** Cuts each open watch in the middle of the next line that comes. */
  cut(): void {
    for (const stream of this.#open) stream.cut();
  }

  /** No more bytes on the watches that are open now; their connections stay open. */
  silence(): void {
    for (const stream of this.#open) stream.silence();
  }

  /**
   * From now on, also on watches that are opened later, an event comes only when so many later ones have happened;
   * bookmarks count. `Infinity` holds everything. Order stays, nothing is lost.
   */
  hold(events: number): void {
    this.#held = events;
    for (const stream of this.#open) stream.hold(events);
  }

  /** Gives out what is held back and holds nothing any more. */
  release(): void {
    this.hold(0);
  }

  /** For the proxy: a watch begins; it belongs here until its connection closes. */
  add(response: ServerResponse): WatchStream {
    const stream = new WatchStream(response, this.#held);
    this.#open.add(stream);
    response.on('close', () => this.#open.delete(stream));
    return stream;
  }
}

/** One watch on its way to the client, line by line. */
export class WatchStream {
  readonly #response: ServerResponse;
  readonly #waiting: Buffer[] = [];
  #held: number;
  #next: 'give' | 'cut' | 'swallow' = 'give';
  #ended = false;

  constructor(response: ServerResponse, held: number) {
    this.#response = response;
    this.#held = held;
  }

  cut(): void {
    this.#next = 'cut';
  }

  silence(): void {
    this.#next = 'swallow';
  }

  hold(events: number): void {
    this.#held = events;
    this.#flush();
  }

  /** Takes a line with its line break; resolves when the client can take more. */
  async push(line: Buffer): Promise<void> {
    if (this.#next === 'swallow') return;
    if (this.#next === 'cut') return this.#cutIn(line);
    this.#waiting.push(line);
    this.#flush();
    if (this.#response.writableNeedDrain) {
      await Promise.race([once(this.#response, 'drain'), once(this.#response, 'close')]);
    }
  }

  /** The API server has ended the watch. */
  end(): void {
    this.#ended = true;
    this.#flush();
  }

  #cutIn(line: Buffer): void {
    this.#next = 'swallow';
    this.#response.write(line.subarray(0, line.length / 2), () => this.#response.destroy());
  }

  #flush(): void {
    if (this.#next === 'swallow') return;
    while (this.#waiting.length > this.#held) this.#response.write(this.#waiting.shift());
    if (this.#ended && this.#waiting.length === 0) this.#response.end();
  }
}

/** The lines of a stream, each with its line break; a rest without one comes last. */
export async function* lines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n')) {
      yield rest.subarray(0, end + 1);
      rest = rest.subarray(end + 1);
    }
  }
  if (rest.length > 0) yield rest;
}
