import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Client } from '../../src/kube/client.ts';
import { loadConfig } from '../../src/kube/config.ts';
import type { KubeObject, Resource } from '../../src/kube/objects.ts';
import { Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts';
import { Store } from '../../src/kube/store.ts';
import { Api, type Cluster, type ControlPlane, eventually } from '../cluster/cluster.ts';
import { patienceSeconds } from '../cluster/wait.ts';
import { FaultProxy } from '../faults/proxy.ts';
import { clientOf, silent } from './local-server.ts';

/** A client with the rights of a kubeconfig, closed when the test ends. */
export function clientFor(kubeconfigPath: string) {
  return clientOf(loadConfig({ kubeconfig: kubeconfigPath }));
}

/** A proxy that makes faults until the test ends, and a client behind it with rights over everything. */
export async function clientBehindProxy(of: Pick<Cluster | ControlPlane, 'kubeconfigPath' | 'kubectl' | 'tokenFor'>) {
  const proxy = await FaultProxy.start({ kubeconfigPath: of.kubeconfigPath });
  onTestFinished(() => proxy.stop());
  const name = `proxied-${crypto.randomUUID()}`;
  const subject = `--serviceaccount=default:${name}`;
  await of.kubectl(['create', 'serviceaccount', name, '-n', 'default']);
  await of.kubectl(['create', 'clusterrolebinding', name, '--clusterrole=cluster-admin', subject]);
  onTestFinished(async () => {
    await of.kubectl(['delete', 'clusterrolebinding', name, '--wait=false']);
    await of.kubectl(['delete', 'serviceaccount', name, '-n', 'default', '--wait=false']);
  });
  const { token, kubeconfigPath } = await of.tokenFor('default', name);
  await using api = await Api.open(kubeconfigPath);
  await eventually(
    'its rights are in force',
    async () => (await api.call('/api/v1/namespaces?limit=1')).status === 200,
  );
  return { proxy, ...clientFor(await proxy.kubeconfigFor(token)) };
}

/** A reflector that runs until the test ends, and what its store told. */
export async function follow<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: Partial<ReflectorOptions<T>> = {},
) {
  const store = new Store<T>();
  /** Name, and the UIDs before and after, of each change. */
  const changes: { name: string; before: string | undefined; after: string | undefined }[] = [];
  store.onChange(({ before, after }) => {
    const name = (after ?? before)?.metadata.name ?? '';
    changes.push({ name, before: before?.metadata.uid, after: after?.metadata.uid });
  });
  const reflector = new Reflector({ client, resource, store, log: silent, clock: systemClock, ...options });
  const abort = new AbortController();
  const running = reflector.run(abort.signal);
  onTestFinished(async () => {
    abort.abort();
    await running;
  });
  await reflector.whenSynced(AbortSignal.timeout(patienceSeconds * 1000));
  return { store, changes, reflector };
}

/** How many requests of a verb were answered with a code, by the client's own count. */
export async function calls(
  metrics: ReturnType<typeof clientOf>['metrics'],
  verb: string,
  resource: string,
  code = '200',
): Promise<number> {
  const wanted = `botmint_api_calls_total{verb="${verb}",resource="${resource}",code="${code}"} `;
  const line = (await metrics.text()).split('\n').find(each => each.startsWith(wanted));
  return line === undefined ? 0 : Number(line.slice(wanted.length));
}
