import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the ports that systems hand out for outgoing connections (Linux: from 32768, macOS: from 49152), so that a
// component that is restarted finds its port free: nobody's outgoing connection has taken it meanwhile.
const lowest = 20_000;
const highest = 32_000;

/**
 * So many different ports on 127.0.0.1 that were free a moment ago. Another process may take one before it is used:
 * whoever starts a server has to be ready to ask again.
 */
export async function freePorts(
  count: number,
  isFree: (port: number) => Promise<boolean> = canListen,
): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries > 1_000) throw new Error(`no free port between ${lowest} and ${highest} on 127.0.0.1`);
    const port = randomInt(lowest, highest);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
