import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import { Pool } from 'undici';
import { z } from 'zod';
import { ShardDraft, shardName } from '../../src/controllers/status-shard.ts';
import { StatusList } from '../../src/issuers/jwt/status-list.ts';
import { eventually } from '../cluster/wait.ts';
import type { Constant } from './constant-process.ts';
import type { Ground } from './ground.ts';
import { type Row, ratio } from './report.ts';

const namespace = 'botmint-system';
/** A number that no list would be given by lot. */
const list = 2 ** 31;
const path = `/issuers/builtin/status/${list}`;
/** How many of these tokens are revoked is what the size of a list hangs on; spread as random indexes are. */
const tokens = 100_000;
const revoked = 1_000;
const connections = 16;

/** A list of many tokens, asked for over TLS again and again: by the operator, and by a server that knows nothing but the answer. */
export async function measureStatusList(o: {
  ground: Ground;
  quick: boolean;
  say: (line: string) => void;
}): Promise<Row[]> {
  const { ground, quick, say } = o;
  const seconds = quick ? 3 : 15;
  say(`status-list: ${tokens} tokens, ${revoked} of them revoked; asked for during ${seconds} s, three times each`);
  const operator = await ground.operator();
  await makeList(ground);
  const own = await answered(operator.port);
  const { etag = '' } = own.headers;
  const floor = await bareServer(ground, own);
  const [served, confirmed, bare]: [number[], number[], number[]] = [[], [], []];
  // In turns: whatever else the machine does, it does to all of them.
  for (let turn = 0; turn < 3; turn++) {
    served.push(await requestsPerSecond(operator.port, {}, seconds / 3));
    bare.push(await requestsPerSecond(floor.port, {}, seconds / 3));
    confirmed.push(await requestsPerSecond(operator.port, { 'if-none-match': etag }, seconds / 3));
  }
  const unchanged = await answered(operator.port, { 'if-none-match': etag });
  floor.process.kill();
  await operator.stop();
  await ground.api.delete(`/api/v1/namespaces/${namespace}/configmaps/${shardName(list)}`);
  const rows: [string, number[]][] = [
    ['status lists a second', served],
    ['status lists a second, unchanged (304)', confirmed],
  ];
  return [
    ...rows.map(([figure, rates]) => ({
      figure,
      botmint: median(rates).toFixed(0),
      floor: median(bare).toFixed(0),
      ratio: ratio(median(rates), median(bare)),
    })),
    { figure: `bytes of a status list, ${tokens} tokens, ${revoked} revoked`, botmint: String(own.bytes) },
    { figure: 'bytes of the answer that it is unchanged', botmint: String(unchanged.bytes) },
  ];
}

/** What the operator itself would have written: no token is needed for it. */
async function makeList({ api }: Ground): Promise<void> {
  const found = await api.get('/apis/botmint.dev/v1alpha1/clustertokenissuers/builtin');
  if (found === undefined) throw new Error('there is no ClusterTokenIssuer builtin');
  const draft = new ShardDraft({ statuses: StatusList.of('VALID'), held: new Map(), closed: new Set() });
  const chosen = new Set<number>();
  while (chosen.size < revoked) chosen.add(randomInt(tokens));
  draft.set([...chosen].map(idx => [idx, 'INVALID'] as const));
  await api.create(`/api/v1/namespaces/${namespace}/configmaps`, draft.body(found, list, namespace));
}

interface Answer {
  headers: Record<string, string>;
  body: string;
  /** Of head and body together; TLS adds a little to each. */
  bytes: number;
}

/** One answer, byte by byte, once the operator has the list. */
function answered(port: number, headers: Record<string, string> = {}): Promise<Answer> {
  return eventually('the operator serves the list', async () => {
    const text = await exchange(port, headers);
    const [head = '', body = ''] = text.split('\r\n\r\n', 2);
    if (!/^HTTP\/1.1 (200|304)/.test(head)) throw new Error(head.slice(0, 100));
    const lines = head.split('\r\n').slice(1);
    const pairs = lines.map(line => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 2),
    ]);
    return { headers: Object.fromEntries(pairs), body, bytes: Buffer.byteLength(text) };
  });
}

async function exchange(port: number, headers: Record<string, string>): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.write(['GET ' + path + ' HTTP/1.1', ...lines, '', ''].join('\r\n'));
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return text;
}

/** With the operator's own certificate, so that TLS costs both the same. */
async function bareServer(
  { api }: Ground,
  { headers, body }: Answer,
): Promise<{ process: ChildProcess; port: number }> {
  const secret = await api.get(`/api/v1/namespaces/${namespace}/secrets/botmint-tls`);
  const { 'tls.crt': cert, 'tls.key': key } = TLS.parse(secret?.data);
  const [text, pem] = [cert, key].map(value => Buffer.from(value, 'base64').toString());
  const { connection: _, date: __, ...same } = headers;
  const constant: Constant = { cert: text ?? '', key: pem ?? '', body, headers: same };
  const program = join(import.meta.dirname, 'constant-process.ts');
  const child = spawn(process.execPath, [program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  });
  child.stdin.write(`${JSON.stringify(constant)}\n`);
  const [line] = await once(createInterface(child.stdout), 'line');
  return { process: child, port: z.object({ port: z.number() }).parse(JSON.parse(String(line))).port };
}

const TLS = z.object({ 'tls.crt': z.string(), 'tls.key': z.string() });

/** Each connection asks again as soon as it is answered. */
async function requestsPerSecond(port: number, headers: Record<string, string>, seconds: number): Promise<number> {
  const pool = new Pool(`https://127.0.0.1:${port}`, { connections, connect: { rejectUnauthorized: false } });
  let count = 0;
  const ask = async (until: number) => {
    for (; performance.now() < until; count++) {
      const { statusCode, body } = await pool.request({ method: 'GET', path, headers });
      if (statusCode !== 200 && statusCode !== 304) throw new Error(`the answer was ${statusCode}`);
      await body.dump();
    }
  };
  await Promise.all(Array.from({ length: connections }, () => ask(performance.now() + 500))); // warm, and connected
  count = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, () => ask(began + seconds * 1000)));
  const rate = (count * 1000) / (performance.now() - began);
  await pool.destroy();
  return rate;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
