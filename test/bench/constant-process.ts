// A bare HTTPS server as a process of its own, as the operator is one: it sends the same bytes to everybody.
import { once } from 'node:events';
import { createServer } from 'node:https';
import { z } from 'zod';
import { answerLines, Listening } from './server-process.ts';

export const Constant = z.object({
  cert: z.string(),
  key: z.string(),
  body: z.string(),
  headers: z.record(z.string(), z.string()),
});
export type Constant = z.infer<typeof Constant>;

if (import.meta.main) await answerLines(async told => serve(Constant.parse(told)));

async function serve({ cert, key, body, headers }: Constant): Promise<Listening> {
  const bytes = Buffer.from(body);
  const server = createServer({ cert, key }, (_, response) => response.writeHead(200, headers).end(bytes));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Listening.parse(server.address());
}
