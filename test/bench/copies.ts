import { z } from 'zod';
import type { Api, KubeObject } from '../cluster/api.ts';
import { eventually } from '../cluster/wait.ts';
import { perObject, total } from './calls.ts';
import { type OperatorCost, operatorCost } from './cost.ts';
import { resourceVersionMark } from './floor.ts';
import { FloorClient } from './floor-client.ts';
import { Follow } from './follow.ts';
import type { Ground } from './ground.ts';
import { apply, clear, makeNamespaces, tokensPath } from './objects.ts';
import { median, type Row, ratio } from './report.ts';
import { wishedToken } from './wished.ts';

const copies = 100;
const name = 'copied';
const key = 'BUF_TOKEN';
const copiesPath = '/api/v1/secrets?labelSelector=botmint.dev/managed%3Dcopy';

interface Setting {
  ground: Ground;
  quick: boolean;
  say: (line: string) => void;
}

/** Where the Secret is, and what the copies looked like with each of its values, oldest first. */
interface Copied {
  source: string;
  values: KubeObject[];
}

/** How long it takes until all copies of one Secret hold the rotated value, and a bare client that writes them. */
export async function measureCopies({ ground, quick, say }: Setting): Promise<Row[]> {
  const { api } = ground;
  const rounds = quick ? 3 : 10;
  const namespaces = await makeNamespaces(api, 'copies', 1 + copies);
  const [source = '', ...takers] = namespaces;
  for (const taker of takers) await accept(api, taker, source);
  say(`copies: ${copies} copies of one Secret, which is rotated ${rounds} times`);
  const operator = await ground.operator();
  const copied: Copied = { source, values: [await firstCopy(api, source)] };
  await rotated(ground, copied); // warm
  const times: number[] = [];
  const cost = await operatorCost({ ground, operator, count: rounds }, async start => {
    start();
    const from = performance.now();
    while (times.length < rounds) times.push(await rotated(ground, copied));
    return { from, to: performance.now() };
  });
  await operator.stop();
  say('copies: the bare client writes them');
  const bare = await rewritten(ground, copied, rounds);
  await clear(api, namespaces);
  return rowsOf(times, bare, cost);
}

/** The labels by which a namespace is selected, and agrees. */
async function accept(api: Api, taker: string, source: string): Promise<void> {
  const labels = { from: source, [`accept.botmint.dev/${source}`]: 'true' };
  await api.patch(`/api/v1/namespaces/${taker}`, { metadata: { labels } });
}

/** One of the copies, when all are there. */
async function firstCopy(api: Api, source: string): Promise<KubeObject> {
  const { spec, ...wished } = wishedToken({ rotation: { overlap: '0s' } });
  const secret = { copies: { namespaceSelector: { matchLabels: { from: source } } } };
  await apply(api, 'copies', { namespace: source, name }, { ...wished, spec: { ...spec, secret } });
  return eventually('the copies', async () => {
    const found = await api.list(copiesPath);
    return found.length === copies ? found[0] : undefined;
  });
}

/** Milliseconds from the sending of the annotation until the last copy. It is over when that is recorded. */
async function rotated(ground: Ground, copied: Copied): Promise<number> {
  const { api } = ground;
  const path = `${tokensPath(copied.source)}/${name}`;
  const round = copied.values.length;
  const annotations = { 'botmint.dev/rotate': String(round) };
  const milliseconds = await untilChanged(ground, copied.values.at(-1), () =>
    api.patch(path, { metadata: { annotations } }),
  );
  const isRecorded = async () => Recorded.parse((await api.get(path))?.status).revision > round;
  await eventually('the record of the rotation', isRecorded);
  copied.values.push(...(await api.list(copiesPath)).slice(0, 1));
  return milliseconds;
}

const Recorded = z.object({ revision: z.number() });

/** The same by a bare client, which writes the last two values in turn. */
async function rewritten(ground: Ground, { values }: Copied, rounds: number): Promise<number[]> {
  await using client = new FloorClient(ground.kubeconfig, null);
  const times: number[] = [];
  let [next, now] = values.slice(-2);
  for (let round = 0; round <= rounds; round++) {
    const marks = { annotations: next?.metadata.annotations, resourceVersion: resourceVersionMark };
    const text = JSON.stringify({ metadata: marks, data: next?.data });
    const secrets = (await ground.api.list(copiesPath)).map(copy => ({
      namespace: copy.metadata.namespace ?? '',
      name,
      resourceVersion: copy.metadata.resourceVersion,
    }));
    times.push(await untilChanged(ground, now, () => client.rewrite(secrets, text)));
    [next, now] = [now, next];
  }
  return times.slice(1); // the first one is to be warm
}

/** Milliseconds until a watch has shown every copy with another value than before. */
async function untilChanged(
  { plane }: Ground,
  before: KubeObject | undefined,
  act: () => Promise<unknown>,
): Promise<number> {
  const old = Held.parse(before).data[key];
  const changed = new Set<string>();
  let last = 0;
  await using _ = await Follow.open(plane.kubeconfigPath, copiesPath, ({ object: { metadata, data } }) => {
    if (data?.[key] === old || changed.has(metadata.namespace)) return;
    changed.add(metadata.namespace);
    last = performance.now();
  });
  const began = performance.now();
  await act();
  await eventually('all copies hold another value', () => changed.size === copies);
  return last - began;
}

const Held = z.object({ data: z.record(z.string(), z.string()) });

function rowsOf(times: readonly number[], bare: readonly number[], cost: OperatorCost): Row[] {
  const rounds = times.length;
  return [
    {
      figure: `ms until ${copies} copies of a Secret hold its new value, p50 of ${rounds}`,
      botmint: median(times).toFixed(0),
      floor: median(bare).toFixed(0),
      ratio: ratio(median(times), median(bare)),
    },
    {
      figure: `the longest of these`,
      botmint: Math.max(...times).toFixed(0),
      floor: Math.max(...bare).toFixed(0),
      ratio: ratio(Math.max(...times), Math.max(...bare)),
    },
    {
      figure: `API calls per rotation with ${copies} copies (${perObject(cost.calls, rounds)})`,
      botmint: (total(cost.calls) / rounds).toFixed(1),
      floor: String(copies),
    },
    { figure: `ms of own CPU per rotation with ${copies} copies, until quiet`, botmint: cost.cpu.toFixed(0) },
  ];
}
