import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { OwnRegistryIssuer } from './own-registry-issuer.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

/** How many verifiers are of which key, by the metric. */
async function verifiers(): Promise<Record<string, number>> {
  const { text } = await site.operator.page('/metrics');
  const found = text.matchAll(/^botmint_verifiers\{key="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, key, count]) => [key, Number(count)]));
}

const Recorded = z.looseObject({
  status: z.looseObject({
    issued: z.looseObject({ inputs: z.looseObject({ robot: z.looseObject({ verifierKey: z.number() }) }) }),
  }),
});

/** The number of the key that the verifier of a robot was made with. */
async function keyOf(namespace: string, name: string): Promise<number> {
  return Recorded.parse(await site.robot(namespace, name)).status.issued.inputs.robot.verifierKey;
}

test('a key for verifiers that is added while the operator runs changes no secret and turns nobody away', async () => {
  const namespace = await site.namespace();
  const hub = await OwnRegistryIssuer.make(site, namespace);
  const names = ['ci', 'cd'];
  const logins = [await hub.issued(namespace, 'ci'), await hub.issued(namespace, 'cd')];
  const old = await keyOf(namespace, 'ci');
  const edit = (data: object) => site.api.patch('/api/v1/namespaces/botmint-system/secrets/botmint-operator', { data });
  await edit({ [`verifier-${old + 1}.key`]: randomBytes(32).toString('base64') });
  const answers: boolean[] = [];
  const isDone = async () => {
    for (const login of logins) answers.push(await hub.letsIn(login));
    const keys = await Promise.all(names.map(name => keyOf(namespace, name)));
    return keys.every(key => key === old + 1);
  };
  await eventually('both verifiers are of the new key', isDone, { everyMilliseconds: 200 });
  expect(answers).not.toContain(false);
  expect((await verifiers())[old + 1]).toBeGreaterThanOrEqual(2);
  for (const [index, name] of names.entries())
    expect((await hub.login(namespace, name)).secret.reveal()).toBe(logins[index]?.secret.reveal());
  await edit({ [`verifier-${old}.key`]: null });
  await site.operator.kill();
  await site.start();
  for (const login of logins) expect(await hub.letsIn(login)).toBe(true);
  expect(Object.keys(await verifiers())).not.toContain(String(old));
});
