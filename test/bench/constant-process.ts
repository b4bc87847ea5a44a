// A bare HTTPS server as a process of its own, as the operator is one: it sends the same bytes to everybody. The first line
// of its standard input is what it serves with.
import { once } from 'node:events';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { z } from 'zod';

export const Constant = z.object({
  cert: z.string(),
  key: z.string(),
  body: z.string(),
  headers: z.record(z.string(), z.string()),
});
export type Constant = z.infer<typeof Constant>;

if (import.meta.main) {
  const first = await createInterface(process.stdin)[Symbol.asyncIterator]().next();
  const { cert, key, body, headers } = Constant.parse(JSON.parse(first.value ?? ''));
  const bytes = Buffer.from(body);
  const server = createServer({ cert, key }, (_, response) => response.writeHead(200, headers).end(bytes));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log(JSON.stringify(server.address()));
}
