import type { Api } from '../cluster/api.ts';
import { footprint, memoryRow } from './idle.ts';
import { measureIssue } from './issue.ts';
import { issuedWave } from './issued-wave.ts';
import { clear, makeNamespaces } from './objects.ts';
import type { Row } from './report.ts';
import { wishedRobot } from './wished.ts';

const registry = 'bench-registry';
const wished = wishedRobot(registry);

type Setting = Parameters<typeof measureIssue>[0];

/** A wave of robots, as one of tokens is measured; then the memory that very many of them take. */
export async function measureRobots(of: Setting): Promise<Row[]> {
  await makeRegistry(of.ground.api);
  const issued = await measureIssue(of, { wished, goal: 'ratio ≥ 0.6' });
  return [...issued, await measureMemory(of)];
}

async function measureMemory({ ground, sizes, say }: Setting): Promise<Row> {
  const count = sizes.idle.at(-1) ?? 0;
  say(`memory: the operator issues ${count} robots`);
  const namespaces = await makeNamespaces(ground.api, 'robots', sizes.namespaces);
  const operator = await ground.operator();
  await issuedWave({ ground, name: 'robots', namespaces, count, wished });
  await operator.quiet();
  await operator.stop();
  const what = `${count} idle robots`;
  const row = memoryRow(what, await footprint({ ground, options: { sizes }, say }, what));
  await clear(ground.api, namespaces);
  return row;
}

/** An issuer of type registry for every namespace. */
async function makeRegistry(api: Api): Promise<void> {
  await api.create('/apis/botmint.dev/v1alpha1/clustertokenissuers', {
    apiVersion: 'botmint.dev/v1alpha1',
    kind: 'ClusterTokenIssuer',
    metadata: { name: registry },
    spec: {
      registry: { service: 'registry.example.com', issuer: 'botmint', host: 'registry.example.com' },
      allowedNamespaces: { from: 'All' },
      limits: { usernames: ['*'], projects: ['*'], permissions: ['*'] },
    },
  });
}
