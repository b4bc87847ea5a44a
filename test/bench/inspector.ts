import { once } from 'node:events';
import { z } from 'zod';

const Answer = z.object({
  id: z.number().optional(),
  result: z.unknown(),
  error: z.object({ message: z.string() }).optional(),
});
const Evaluated = z.object({ result: z.object({ value: z.unknown() }) });
const Memory = z.object({ heapUsed: z.number(), external: z.number(), arrayBuffers: z.number() });
export type Memory = z.infer<typeof Memory>;

/** The inspector of a Node process: it answers about a program that knows nothing of it. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#answered(Answer.parse(JSON.parse(String(data)))));
  }

  /** `url` is what Node prints when its inspector listens. */
  static async open(url: string): Promise<Inspector> {
    const socket = new WebSocket(url);
    await once(socket, 'open');
    return new Inspector(socket);
  }

  call(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#calls;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** What is in use after everything that is garbage has been collected. Bytes. */
  async memory(): Promise<Memory> {
    await this.call('HeapProfiler.collectGarbage');
    const expression = 'process.memoryUsage()';
    return Memory.parse(
      Evaluated.parse(await this.call('Runtime.evaluate', { expression, returnByValue: true })).result.value,
    );
  }

  close(): void {
    this.#socket.close();
  }

  #answered({ id = 0, result, error }: z.infer<typeof Answer>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`inspector: ${error.message}`));
  }
}
