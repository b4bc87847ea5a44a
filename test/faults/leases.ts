import { z } from 'zod';
import type { Target } from './requests.ts';

// A second operator gets Leases of its own by another name: its names have a prefix at the API server, and it sees
// neither the prefix nor the Leases of others. So two operators can hold the same shard at the same time, which is what
// the exactly-once tests need and what Leases are there to prevent.

const meta = z.looseObject({ name: z.string() });
const named = z.looseObject({ metadata: meta });
const list = z.looseObject({ items: z.array(named) });
const event = z.looseObject({ type: z.string(), object: z.looseObject({ kind: z.string().optional() }) });
const status = z.looseObject({ kind: z.literal('Status'), message: z.string().optional() });

/** True for the requests whose names are mapped. */
export function concernsLeases(target: Target): boolean {
  return target.group === 'coordination.k8s.io' && target.resource === 'leases';
}

/** The request line as the API server gets it. */
export function prefixedURL(url: string, target: Target, prefix: string): string {
  const { pathname, searchParams } = new URL(url, 'https://proxy');
  const path = target.name === '' ? pathname : pathname.replace(/\/leases\//, `/leases/${prefix}`);
  const selector = searchParams.get('fieldSelector');
  if (selector !== null)
    searchParams.set('fieldSelector', selector.replace('metadata.name=', `metadata.name=${prefix}`));
  return searchParams.size === 0 ? path : `${path}?${searchParams.toString()}`;
}

/** The body of a write as the API server gets it. A patch without a name stays as it is. */
export function prefixedBody(body: string, prefix: string): string {
  const parsed = named.safeParse(parse(body));
  return parsed.success ? JSON.stringify(renamed(parsed.data, name => `${prefix}${name}`)) : body;
}

/** An answer, an object or a list of them, as the client gets it: without the prefix, and without the Leases of others. */
export function plainAnswer(body: string, prefix: string): string {
  const value = parse(body);
  const [many, one, refused] = [list.safeParse(value), named.safeParse(value), status.safeParse(value)];
  if (many.success) {
    const items = many.data.items.filter(item => item.metadata.name.startsWith(prefix));
    return JSON.stringify({ ...many.data, items: items.map(item => plain(item, prefix)) });
  }
  if (one.success) return JSON.stringify(plain(one.data, prefix));
  return refused.success ? body.replaceAll(prefix, '') : body;
}

/** A line of a watch as the client gets it; undefined when it is about a Lease of somebody else. */
export function plainEvent(line: string, prefix: string): string | undefined {
  const parsed = event.safeParse(parse(line));
  if (!parsed.success || parsed.data.type === 'BOOKMARK' || parsed.data.type === 'ERROR') return line;
  const object = named.parse(parsed.data.object);
  if (!object.metadata.name.startsWith(prefix)) return undefined;
  return `${JSON.stringify({ ...parsed.data, object: plain(object, prefix) })}\n`;
}

type Named = z.infer<typeof named>;

function plain(object: Named, prefix: string): Named {
  return renamed(object, name => (name.startsWith(prefix) ? name.slice(prefix.length) : name));
}

function renamed(object: Named, rename: (name: string) => string): Named {
  return { ...object, metadata: { ...object.metadata, name: rename(object.metadata.name) } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // an empty body, or not JSON: it is passed on as it is
  }
}
