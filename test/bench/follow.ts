import { Agent, request } from 'undici';
import { z } from 'zod';
import { connectionOf } from '../cluster/connect.ts';

const Event = z.object({
  type: z.string(),
  object: z.object({
    metadata: z.object({ name: z.string(), namespace: z.string(), uid: z.string() }),
    status: z.object({ tokenID: z.string().optional() }).optional(),
    data: z.record(z.string(), z.string()).optional(),
  }),
});
export type Event = z.infer<typeof Event>;

/** Follows a collection as the admin does who waits for it: `kubectl get --watch`. Ends with `close`. */
export class Follow {
  readonly #agent: Agent;

  private constructor(agent: Agent) {
    this.#agent = agent;
  }

  /** Resolves when the server has begun to answer; what is there already comes as `ADDED`. */
  static async open(kubeconfig: string, path: string, onEvent: (event: Event) => void): Promise<Follow> {
    const { server, connect, headers } = await connectionOf(kubeconfig);
    const agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 });
    // The server ends a watch after this long; no measurement takes an hour.
    const answer = await request(new URL(`${path}&timeoutSeconds=3600`, server), { dispatcher: agent, headers });
    if (answer.statusCode !== 200) throw new Error(`watch ${path}: ${answer.statusCode}`);
    let begun = '';
    answer.body.setEncoding('utf8').on('data', (text: string) => {
      const lines = (begun + text).split('\n');
      begun = lines.pop() ?? '';
      for (const line of lines) onEvent(Event.parse(JSON.parse(line)));
    });
    answer.body.on('error', () => undefined); // closed by us: whoever still waits has a deadline
    return new Follow(agent);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
