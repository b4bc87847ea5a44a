// A bare HTTPS server as a process of its own: to whatever it is asked it answers with a JWT that it signs with jose, and
// does nothing else.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { importPKCS8, SignJWT } from 'jose';
import { z } from 'zod';
import { answerLines, Listening } from './server-process.ts';

export const Signing = z.object({
  cert: z.string(),
  key: z.string(),
  /** PKCS#8 in PEM. */
  signingKey: z.string(),
  /** Protected header and claims, the same for everybody. */
  header: z.looseObject({ alg: z.literal('ES256') }),
  claims: z.record(z.string(), z.unknown()),
});
export type Signing = z.infer<typeof Signing>;

if (import.meta.main) await answerLines(async told => serve(Signing.parse(told)));

async function serve({ cert, key, signingKey, header, claims }: Signing): Promise<Listening> {
  const privateKey = await importPKCS8(signingKey, 'ES256');
  const answer = async (response: ServerResponse) => {
    const token = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
    const body = JSON.stringify({ token });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  const server = createServer({ cert, key }, (_, response) => void answer(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Listening.parse(server.address());
}
