import type { Api } from '../cluster/api.ts';
import { measureIssue } from './issue.ts';
import type { Row } from './report.ts';
import { wishedRobot } from './wished.ts';

const registry = 'bench-registry';

/** A wave of robots, as one of tokens is measured. */
export async function measureRobots(of: Parameters<typeof measureIssue>[0]): Promise<Row[]> {
  await makeRegistry(of.ground.api);
  return measureIssue(of, { wished: wishedRobot(registry), goal: 'ratio ≥ 0.6' });
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
