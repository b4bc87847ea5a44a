import { z } from 'zod';
import type { Api } from '../cluster/api.ts';
import { eventually } from '../cluster/wait.ts';
import { inFlight } from './in-flight.ts';
import { type Plural, plurals, type Wished, wishedToken } from './wished.ts';

/** How many requests are on their way at the same time, in waves of both the bare client and the bench itself. */
export const requestsInFlight = 32;

const group = '/apis/botmint.dev/v1alpha1';
const finalizer = 'botmint.dev/revoke';
const waveLabel = 'bench';

/** An object that was applied and that nobody has touched yet. */
export interface Applied {
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: string;
}

export function objectsPath(plural: Plural, namespace: string): string {
  return `${group}/namespaces/${namespace}/${plural}`;
}

export function tokensPath(namespace: string): string {
  return objectsPath('bottokens', namespace);
}

export function secretsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/secrets`;
}

function botUsersPath(namespace: string): string {
  return `${group}/namespaces/${namespace}/botusers`;
}

/** Path and query of the objects of one wave, in all namespaces. */
export function wavePath(wave: string, plural: Plural = 'bottokens'): string {
  return `${group}/${plural}?labelSelector=${waveLabel}%3D${wave}`;
}

/** Namespaces `<prefix>-<n>`, each with a BotUser `bot`. */
export async function makeNamespaces(api: Api, prefix: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
  await inFlight(names, requestsInFlight, async name => {
    await api.create('/api/v1/namespaces', { metadata: { name } });
    await makeBot(api, name, 'bot');
  });
  return names;
}

/** One more BotUser in a namespace. */
export async function makeBot(api: Api, namespace: string, name: string): Promise<void> {
  await api.create(botUsersPath(namespace), {
    apiVersion: 'botmint.dev/v1alpha1',
    kind: 'BotUser',
    metadata: { name },
    spec: { issuerRef: { kind: 'ClusterTokenIssuer', name: 'builtin' }, description: 'Bot of the benchmark' },
  });
}

/** Applies one object. */
export async function apply(
  api: Api,
  wave: string,
  { namespace, name }: { namespace: string; name: string },
  { plural, kind, spec }: Wished = wishedToken(),
): Promise<Applied> {
  const { metadata } = await api.create(objectsPath(plural, namespace), {
    apiVersion: 'botmint.dev/v1alpha1',
    kind,
    metadata: { name, labels: { [waveLabel]: wave } },
    spec,
  });
  return { namespace, name, uid: metadata.uid, resourceVersion: metadata.resourceVersion };
}

/** Applies so many objects, spread evenly over the namespaces. */
export function applyAll(
  api: Api,
  wave: string,
  namespaces: readonly string[],
  count: number,
  wished?: Wished,
): Promise<Applied[]> {
  const numbers = Array.from({ length: count }, (_, n) => n);
  return inFlight(numbers, requestsInFlight, n => {
    const namespace = namespaces[n % namespaces.length] ?? 'default';
    return apply(api, wave, { namespace, name: `${wave}-${String(n).padStart(5, '0')}` }, wished);
  });
}

export async function tokenCount(api: Api): Promise<number> {
  return (await api.list(`${group}/bottokens`)).length;
}

/** How many tokens all BotUsers together say that they have. */
export async function activeTokens(api: Api): Promise<number> {
  const counts = (await api.list(`${group}/botusers`)).map(
    ({ status }) => Counted.safeParse(status).data?.activeTokens,
  );
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

const Counted = z.object({ activeTokens: z.number() });

/** Takes away these namespaces as if nothing had ever been issued in them, and waits for that; no operator may run. */
export async function clear(api: Api, namespaces: readonly string[]): Promise<void> {
  for (const namespace of namespaces) {
    for (const path of [...plurals.map(each => objectsPath(each, namespace)), botUsersPath(namespace)]) {
      await inFlight(await api.list(path), requestsInFlight, async ({ metadata: { name, finalizers } }) => {
        if (finalizers?.includes(finalizer)) await api.patch(`${path}/${name}`, { metadata: { finalizers: null } });
        await api.delete(`${path}/${name}`);
      });
    }
    await api.call(secretsPath(namespace), { method: 'DELETE' });
    await api.call(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`, { method: 'DELETE' });
    await api.delete(`/api/v1/namespaces/${namespace}`);
  }
  const left = async () => (await api.list('/api/v1/namespaces')).map(({ metadata }) => metadata.name);
  const isGone = async () => !(await left()).some(name => namespaces.includes(name));
  await eventually('the namespaces are gone', isGone, { seconds: 300, everyMilliseconds: 500 });
}
