import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { botToken, botUser, clusterTokenIssuer } from './manifests.ts';
import { OwnRegistryIssuer } from './own-registry-issuer.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'metrics.md'), 'utf8');
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const scrape = async () => (await site.operator.page('/metrics')).text;

/** The rows of the page: name, type and labels. */
function documented(): { name: string; type: string; labels: string[] }[] {
  return [...page.matchAll(/^\| `(botmint_\w+)` \| (\w+) \| ([^|]+) \|/gm)].map(
    ([, name = '', type = '', labels = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
    }),
  );
}

test('docs/metrics.md lists exactly the metrics that an operator serves, with their types', async () => {
  const served = [...(await scrape()).matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  expect(
    documented()
      .map(({ name, type }) => `${name} ${type}`)
      .sort(),
  ).toEqual(served.sort());
});

test('the labels of every series are those of the page', async () => {
  const namespace = await site.namespace();
  await site.apply(botUser('bot') + botToken('token'), namespace);
  await site.ready('bottokens', namespace, 'token', 'Issued');
  const registry = await OwnRegistryIssuer.make(site, namespace);
  const login = await registry.issued(namespace, 'robot');
  expect(await registry.access(login, 'repository:shop/app:pull')).toEqual(['shop/app:pull']);
  const labelsOf = new Map(documented().map(({ name, labels }) => [name, labels]));
  const text = await scrape();
  const series = [...text.matchAll(/^(botmint_\w+?)(_bucket|_sum|_count)?\{(.*)\} /gm)];
  expect(series.length).toBeGreaterThan(20);
  const names = new Set(series.map(([, name]) => name));
  for (const { name, labels } of documented()) {
    if (/robot|registry|verifiers/.test(name))
      expect([name, labels.length > 0 && names.has(name)]).toEqual([name, true]);
  }
  for (const [, name = '', , labels = ''] of series) {
    const seen = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label).filter(label => label !== 'le');
    expect([name, seen.toSorted((a = '', b = '') => a.localeCompare(b))]).toEqual([
      name,
      labelsOf.get(name)?.toSorted((a, b) => a.localeCompare(b)),
    ]);
  }
});

test('a token above a ceiling is counted, and one that the ceiling found issued is told from one that it refused', async () => {
  const namespace = await site.namespace();
  const name = `ceiling-${namespace}`;
  const above = async () => {
    const found = (await scrape()).matchAll(/^botmint_conditions\{(.*ExceedsIssuerLimit.*)\} (\d+)$/gm);
    return Object.fromEntries([...found].map(([, labels, count]) => [/ready="(\w+)"/.exec(labels ?? '')?.[1], count]));
  };
  await site.apply(clusterTokenIssuer(name), namespace);
  await site.apply(botUser('bot', { issuerRef: { kind: 'ClusterTokenIssuer', name } }) + botToken('early'), namespace);
  await site.ready('bottokens', namespace, 'early', 'Issued');
  expect(await above()).toEqual({});
  const path = `/apis/botmint.dev/v1alpha1/clustertokenissuers/${name}`;
  await site.api.patch(path, { spec: { limits: { maxLifetime: '30d' } } });
  await site.ready('bottokens', namespace, 'early', 'ExceedsIssuerLimit');
  await site.apply(botToken('late') + botToken('later'), namespace);
  await site.ready('bottokens', namespace, 'late', 'ExceedsIssuerLimit');
  await site.ready('bottokens', namespace, 'later', 'ExceedsIssuerLimit');
  await eventually('both are counted', async () => {
    const seen = await above();
    return seen.True === '1' && seen.False === '2';
  });
  await site.api.patch(path, { spec: { limits: { maxLifetime: null } } });
  for (const token of ['early', 'late', 'later']) await site.ready('bottokens', namespace, token, 'Issued');
  await eventually('nothing is above a ceiling', async () => Object.keys(await above()).length === 0);
});
