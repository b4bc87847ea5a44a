import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { botToken, botUser } from './manifests.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const Status = z.object({
  keys: z.array(z.object({ kid: z.string(), state: z.string(), secretName: z.string() })).optional(),
  conditions: z.array(z.object({ reason: z.string() })).optional(),
});

/** An issuer of its own for a test, and what it says of itself. */
async function newIssuer(namespace: string) {
  const name = `issuer-${namespace}`;
  const jwt = { issuerURL: `https://${name}.example.com`, audiences: ['https://a.example.com'] };
  const manifest = {
    apiVersion: 'botmint.dev/v1alpha1',
    kind: 'ClusterTokenIssuer',
    metadata: { name },
    spec: { jwt, allowedNamespaces: { from: 'All' } },
  };
  await site.apply(JSON.stringify(manifest), namespace);
  const path = `/apis/botmint.dev/v1alpha1/clustertokenissuers/${name}`;
  const object = () => site.api.get(path);
  const keys = async () => Status.parse((await object())?.status).keys ?? [];
  const [first, second] = await eventually('two keys', async () => ((await keys()).length === 2 ? keys() : undefined));
  if (first === undefined || second === undefined) throw new Error('two keys that are not there');
  const says = (reason: string) =>
    eventually(`the issuer says ${reason}`, async () => {
      const { conditions = [] } = Status.parse((await object())?.status);
      return conditions.some(condition => condition.reason === reason);
    });
  const bot = botUser('bot', { issuerRef: { kind: 'ClusterTokenIssuer', name } });
  return { name, path, object, keys, first, second, says, bot };
}

const keySecrets = '/api/v1/namespaces/botmint-system/secrets';
const pem = (text: string) => ({ 'key.pem': Buffer.from(text).toString('base64') });

describe('a signing key', () => {
  test('that was edited stalls the issuer and signs nothing; one that was deleted is followed by the next', async () => {
    const namespace = await site.namespace();
    const { name, first, second, says, keys, bot } = await newIssuer(namespace);
    expect([first.state, second.state]).toEqual(['Active', 'Next']);
    await site.api.patch(`${keySecrets}/${first.secretName}`, { data: pem('edited') });
    await says('SigningKeyInvalid');
    await site.apply(bot + botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'IssuerNotReady');
    expect(await site.secret(namespace, 'token')).toBeUndefined();
    await site.api.delete(`${keySecrets}/${first.secretName}`);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    const after = await keys();
    expect(after.map(({ kid, state }) => [kid, state]).slice(0, 2)).toEqual([
      [first.kid, 'Retired'],
      [second.kid, 'Active'],
    ]);
    expect(after[2]?.state).toBe('Next');
    const served = z.object({
      keys: z.array(z.object({ kid: z.string(), kty: z.literal('EC'), d: z.never().optional() })),
    });
    const jwks = served.parse(JSON.parse((await site.fetch(`/issuers/${name}/jwks`)).text));
    expect(jwks.keys.map(({ kid }) => kid).sort()).toEqual(after.map(({ kid }) => kid).sort());
  });

  test('that was put back by hand, without label and annotations, is watched like any other', async () => {
    const namespace = await site.namespace();
    const { first, says } = await newIssuer(namespace);
    const path = `${keySecrets}/${first.secretName}`;
    const before = await site.api.get(path);
    await site.api.patch(path, { metadata: { labels: null, annotations: null }, data: pem('edited') });
    await says('SigningKeyInvalid');
    await site.api.patch(path, { data: before?.data });
    await says('KeysPublished');
  });
});

describe('an issuer that is deleted', () => {
  test('waits for its last credential, and goes with it', async () => {
    const namespace = await site.namespace();
    const { path, object, first, says, bot } = await newIssuer(namespace);
    await site.apply(bot + botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await site.api.delete(path);
    await says('InUse');
    const objects = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}`;
    await Promise.all([site.api.delete(`${objects}/bottokens/token`), site.api.delete(`${objects}/botusers/bot`)]);
    await eventually('it is gone', async () => (await object()) === undefined);
    // The garbage collector follows a kind whose CRD is new only after its next look at the API, up to half a minute later.
    await eventually(
      'its keys are',
      async () => (await site.api.get(`${keySecrets}/${first.secretName}`)) === undefined,
      { seconds: 90 },
    );
  });
});
