import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { sharedCluster } from '../cluster/cluster.ts';
import { deployFiles, deployPath, type Manifest, manifestsOf } from './manifests.ts';

const cluster = sharedCluster();
const manifests = deployFiles().flatMap(manifestsOf);

beforeAll(async () => {
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', deployPath('00-namespace.yaml')]);
});

test.each([...deployFiles(), ...deployFiles('options')])(
  'the API server accepts %s as it stands, without a warning',
  async file => {
    const dryRun = ['--server-side', '--force-conflicts', '--dry-run=server'];
    const strict = ['--validate=strict', '--warnings-as-errors'];
    const said = await cluster.kubectl(['apply', ...dryRun, ...strict, '-f', deployPath(file)]);
    expect(said.trim().split('\n')).toHaveLength(manifestsOf(file).length);
  },
);

test('a field that does not exist would be refused', async () => {
  const input = JSON.stringify({ ...serviceAccount(), autoMountServiceAccountToken: false });
  const dryRun = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict'];
  await expect(cluster.kubectl([...dryRun, '-f', '-'], { input })).rejects.toThrow('autoMountServiceAccountToken');
});

function serviceAccount(): Manifest {
  const found = manifests.find(({ kind }) => kind === 'ServiceAccount');
  if (found === undefined) throw new Error('no ServiceAccount');
  return found;
}

const withTemplate = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string() })) }),
    }),
  }),
});
const templates = manifests
  .filter(({ spec }) => typeof spec === 'object' && spec !== null && 'template' in spec)
  .map(each => ({ name: `${each.kind}/${each.metadata.name}`, ...withTemplate.parse(each).spec.template }));

async function tryPod(spec: object) {
  const namespace = await cluster.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`;
  const answer = await (await cluster.api()).call(path, {
    method: 'POST',
    body: { metadata: { name: 'tried' }, spec },
  });
  return { status: answer.status, warning: answer.headers.warning, text: JSON.stringify(answer.body) };
}

test.each(templates)('a Pod of $name passes where Pod Security `restricted` is enforced', async ({ spec }) => {
  expect(await tryPod(spec)).toMatchObject({ status: 201, warning: undefined });
});

test.each(templates)(
  '$name keeps to what Pod Security does not ask for: a root file system that nobody writes',
  ({ spec }) => {
    for (const container of spec.containers) {
      expect(container).toMatchObject({ securityContext: { readOnlyRootFilesystem: true } });
    }
  },
);

test.each(templates)('a Pod of $name that might gain privileges would be refused', async ({ spec }) => {
  const containers = spec.containers.map(container => ({ ...container, securityContext: { privileged: true } }));
  const { status, text } = await tryPod({ ...spec, containers });
  expect([status, text]).toEqual([403, expect.stringContaining('violates PodSecurity')]);
});

test('there is a template to try', () => {
  expect(templates.map(({ name }) => name)).toEqual(['Deployment/botmint']);
});

const selecting = z.looseObject({
  kind: z.string(),
  spec: z.looseObject({
    selector: z.unknown().optional(),
    podSelector: z.unknown().optional(),
  }),
});

test.each(['Service', 'PodDisruptionBudget', 'NetworkPolicy', 'Deployment'])(
  'each %s selects the Pods of the Deployment',
  kind => {
    const labels = templates[0]?.metadata.labels ?? {};
    const selectors = manifests
      .filter(each => each.kind === kind)
      .map(each => selecting.parse(each).spec)
      .map(({ selector, podSelector }) => selector ?? podSelector);
    expect(selectors.length).toBeGreaterThan(0);
    for (const selector of selectors) {
      expect(kind === 'Service' ? { matchLabels: selector } : selector).toEqual({ matchLabels: labels });
    }
  },
);
