import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { ShardDraft, shardName } from '../../src/controllers/status-shard.ts';
import { StatusList } from '../../src/issuers/jwt/status-list.ts';
import { eventually } from '../cluster/wait.ts';
import type { Constant } from './constant-process.ts';
import type { Ground } from './ground.ts';
import { ask, load, requestText } from './load.ts';
import { median, type Row, ratio } from './report.ts';
import { Listening, ServerProcess } from './server-process.ts';

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
  await using bareServer = new ServerProcess('constant-process.ts');
  const floor = Listening.parse(await bareServer.tell(await constantLike(ground, own)));
  const [served, confirmed, bare]: [number[], number[], number[]] = [[], [], []];
  // In turns: whatever else the machine does, it does to all of them.
  for (let turn = 0; turn < 3; turn++) {
    served.push(await requestsPerSecond(operator.port, {}, seconds / 3));
    bare.push(await requestsPerSecond(floor.port, {}, seconds / 3));
    confirmed.push(await requestsPerSecond(operator.port, { 'if-none-match': etag }, seconds / 3));
  }
  const unchanged = await answered(operator.port, { 'if-none-match': etag });
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
    const text = await ask(port, requestText('GET', path, headers));
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

/** With the operator's own certificate, so that TLS costs both the same. */
async function constantLike({ api }: Ground, { headers, body }: Answer): Promise<Constant> {
  const secret = await api.get(`/api/v1/namespaces/${namespace}/secrets/botmint-tls`);
  const { 'tls.crt': cert, 'tls.key': key } = TLS.parse(secret?.data);
  const [text, pem] = [cert, key].map(value => Buffer.from(value, 'base64').toString());
  const { connection: _, date: __, ...same } = headers;
  return { cert: text ?? '', key: pem ?? '', body, headers: same };
}

const TLS = z.object({ 'tls.crt': z.string(), 'tls.key': z.string() });

async function requestsPerSecond(port: number, headers: Record<string, string>, seconds: number): Promise<number> {
  const answered = await load({ port, requests: [requestText('GET', path, headers)], connections, seconds });
  return answered.answers / answered.seconds;
}
