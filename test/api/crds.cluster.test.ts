import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { kinds } from '../../src/api/kinds.ts';
import { apiVersion, group } from '../../src/api/names.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { Samples } from './on-server.ts';
import { bot, robot, token } from './sample.ts';

const cluster = sharedCluster();
const crds = join(import.meta.dirname, '..', '..', 'crds');

describe('the API server takes every CRD', () => {
  test.each(readdirSync(crds))('%s without a warning', async file => {
    const crd = parse(readFileSync(join(crds, file), 'utf8'));
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
    const answer = await (await cluster.api()).call(
      `${path}?fieldManager=test&force=true&dryRun=All&fieldValidation=Strict`,
      {
        method: 'PATCH',
        body: crd,
        headers: { 'content-type': 'application/apply-patch+yaml' },
      },
    );
    expect(answer.status).toBe(200);
    expect(answer.headers.warning).toBeUndefined();
  });

  test.each(kinds)('$kind is structural and served', async ({ plural }) => {
    const crd = await (await cluster.api()).get(
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${group}`,
    );
    const conditions = z.object({
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }),
    });
    const held = conditions.parse(crd).status.conditions.filter(({ status }) => status === 'True');
    expect(held.map(({ type }) => type).toSorted()).toEqual(['Established', 'NamesAccepted']);
  });
});

describe('kubectl', () => {
  const schema: z.ZodType<Explained> = z.object({
    description: z.string().optional(),
    get properties() {
      return z.record(z.string(), schema).optional();
    },
    get items() {
      return schema.optional();
    },
  });

  const openAPI = z.object({ components: z.object({ schemas: z.record(z.string(), z.unknown()) }) });
  const schemaOf = async (kind: string) => {
    const answer = await (await cluster.api()).call(`/openapi/v3/apis/${apiVersion}`);
    return openAPI.parse(answer.body).components.schemas[`dev.botmint.v1alpha1.${kind}`];
  };

  beforeAll(async () => {
    // The API server serves a kind a moment before it says what is in it.
    for (const { kind } of kinds) await eventually(`${kind} is explained`, () => schemaOf(kind));
  });

  test.each(kinds)('explains every field of a $kind', async ({ kind }) => {
    const published = schema.parse(await schemaOf(kind));
    const { spec, status } = published.properties ?? {};
    expect(published.description).toBeTruthy();
    expect([...unexplained(spec, 'spec'), ...unexplained(status, 'status')]).toEqual([]);
    expect(Object.keys(spec?.properties ?? {}).length).toBeGreaterThan(2);
  });

  test('explain teaches what to write', async () => {
    expect(await cluster.kubectl(['explain', 'bottoken.spec', '--recursive'])).toMatch(
      /expiresIn\s+<string> -required-/,
    );
    expect((await cluster.kubectl(['explain', 'bottoken.spec.expiresIn'])).replace(/\s+/g, ' ')).toContain(
      'such as `90d`',
    );
  });

  test('knows the short names, the category, the columns and the fields to select by', async () => {
    const namespace = await cluster.namespace();
    const samples = new Samples(cluster, namespace);
    await samples.create(bot({ issuerRef: { kind: 'ClusterTokenIssuer', name: 'nowhere' } }, 'listed'));
    await samples.create(token({ botUserRef: { name: 'listed' }, label: 'Listed' }, 'listed'));
    const get = (...args: string[]) => cluster.kubectl(['get', '-n', namespace, ...args]);
    expect(await get('bots', '-o', 'wide')).toMatch(/^NAME +USERNAME +ISSUER +TOKENS +READY +REASON +CREATED BY +AGE/);
    expect(await get('bt')).toMatch(/^NAME +BOT +READY +REASON +EXPIRES +LABEL +AGE/);
    expect(await get('botmint', '--field-selector=metadata.name=listed', '-o', 'name')).toContain(
      'bottoken.botmint.dev/listed',
    );
    expect(await get('bt', '--field-selector=spec.botUserRef.name=listed', '-o', 'name')).toBe(
      'bottoken.botmint.dev/listed\n',
    );
    expect(await get('bot', '--field-selector=spec.issuerRef.name=nowhere', '-o', 'name')).toBe(
      'botuser.botmint.dev/listed\n',
    );
    expect(await get('bt', '--field-selector=status.tokenID=none', '-o', 'name')).toBe('');
    await samples.create(robot({}, 'listed'));
    expect(await get('robots')).toMatch(/^NAME +FULL NAME +ENABLED +READY +REASON +CREATED +EXPIRES +DESCRIPTION +AGE/);
    expect(await get('robot', '-o', 'wide')).toMatch(/DESCRIPTION +PERMISSIONS +LAST USED +CREATED BY +AGE/);
    expect(await get('robot', '--field-selector=spec.issuerRef.name=registry', '-o', 'name')).toBe(
      'robotaccount.botmint.dev/listed\n',
    );
    await cluster.kubectl(['get', 'cti']);
  });
});

test('the examples can be applied as they are', async () => {
  const examples = join(import.meta.dirname, '..', 'examples');
  const applied = await cluster.kubectl([
    'apply',
    '--server-side',
    '--dry-run=server',
    '-n',
    'default',
    '-f',
    examples,
  ]);
  expect(applied.trim().split('\n')).toHaveLength(8);
});

interface Explained {
  description?: string | undefined;
  properties?: Record<string, Explained> | undefined;
  items?: Explained | undefined;
}

function unexplained(node: Explained | undefined, path: string): string[] {
  if (node === undefined) return [path];
  const below = Object.entries(node.properties ?? node.items?.properties ?? {});
  return [
    ...(node.description ? [] : [path]),
    ...below.flatMap(([name, child]) => unexplained(child, `${path}.${name}`)),
  ];
}
