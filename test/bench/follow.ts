import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { type Connection, connectionOf } from '../cluster/connect.ts';

const List = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const Event = z.object({
  type: z.string(),
  object: z.object({
    metadata: z.object({
      name: z.string(),
      namespace: z.string(),
      uid: z.string(),
      resourceVersion: z.string(),
    }),
    status: z
      .object({
        tokenID: z.string().optional(),
        revision: z.number().optional(),
        previous: z.array(z.unknown()).optional(),
      })
      .optional(),
    data: z.record(z.string(), z.string()).optional(),
  }),
});
export type Event = z.infer<typeof Event>;
export type SeenStatus = NonNullable<Event['object']['status']>;

/**
 * Follows a collection as the admin does who waits for it: `kubectl get --watch`. The API server ends a watch whose
 * client is slow, which it may be on a busy machine: then it goes on from where it was. Ends with `close`.
 */
export class Follow {
  readonly #agent: Agent;
  readonly #ask: (query: string) => Promise<Dispatcher.ResponseData>;
  readonly #onEvent: (event: Event) => void;
  #resourceVersion = '0';
  #ended: Promise<void> | undefined;
  #closed = false;

  private constructor({ server, connect, headers }: Connection, path: string, onEvent: (event: Event) => void) {
    const agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 });
    this.#agent = agent;
    this.#onEvent = onEvent;
    this.#ask = async query => {
      const answer = await request(new URL(`${path}&${query}`, server), { dispatcher: agent, headers });
      if (answer.statusCode !== 200) throw new Error(`GET ${path}&${query}: ${answer.statusCode}`);
      return answer;
    };
  }

  /** Everything that happens from now on in the collection with this path and query. */
  static async open(kubeconfig: string, path: string, onEvent: (event: Event) => void): Promise<Follow> {
    const follow = new Follow(await connectionOf(kubeconfig), path, onEvent);
    const list = await follow.#ask('limit=1');
    follow.#resourceVersion = List.parse(await list.body.json()).metadata.resourceVersion;
    const first = await follow.#watch();
    follow.#ended = follow.#run(first);
    return follow;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#agent.destroy();
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #watch(): Promise<Dispatcher.ResponseData> {
    return this.#ask(`watch=true&resourceVersion=${this.#resourceVersion}`);
  }

  async #run(first: Dispatcher.ResponseData): Promise<void> {
    try {
      for (let answer = first; ; answer = await this.#watch()) await this.#read(answer);
    } catch (error) {
      if (!this.#closed) throw error;
    }
  }

  async #read({ body }: Dispatcher.ResponseData): Promise<void> {
    let begun = '';
    for await (const text of body.setEncoding('utf8')) {
      const lines = (begun + text).split('\n');
      begun = lines.pop() ?? '';
      for (const line of lines) {
        const event = Event.parse(JSON.parse(line));
        this.#resourceVersion = event.object.metadata.resourceVersion;
        this.#onEvent(event);
      }
    }
  }
}
