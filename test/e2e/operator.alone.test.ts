import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOwnControlPlane, eventually, sharedCluster } from '../cluster/cluster.ts';
import { FaultProxy, forward, isBackground, isWrite, refuse, type SeenRequest } from '../faults/proxy.ts';
import { botToken, botUser } from './manifests.ts';
import { OperatorProcess } from './operator-process.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

/** Writes of the operator to the cluster, other than Leases and Events, since a request. */
function writesSince(first: number): SeenRequest[] {
  return site.proxy.requests.slice(first).filter(request => isWrite(request) && !isBackground(request));
}

describe('an operator with nothing to do', () => {
  test('writes nothing after a restart, and serves a new token at once', async () => {
    const namespace = await site.namespace();
    const names = Array.from({ length: 30 }, (_, i) => `idle-${i}`);
    await site.apply(botUser('bot') + names.map(name => botToken(name)).join(''), namespace);
    for (const name of names) await site.ready('bottokens', namespace, name, 'Issued');
    await eventually(
      'the bot counts its tokens',
      async () => activeTokens(await site.botUser(namespace, 'bot')) === names.length,
    );
    expect(await site.operator.stop()).toBe(0);
    const first = site.proxy.requests.length;
    await site.start();
    await site.apply(botUser('other') + botToken('live', { botUserRef: { name: 'other' } }), namespace);
    await site.ready('bottokens', namespace, 'live', 'Issued');
    const writes = writesSince(first).map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);
    // The new token's place in the status list is reserved with the first issue, and not before.
    expect(writes.filter(write => !/live| other$|create secrets|configmaps botmint-status-/.test(write))).toEqual([]);
    expect(writes).toContain('patch bottokens live');
    const reads = site.proxy.requests
      .slice(first)
      .filter(({ verb, resource }) => verb === 'get' && resource === 'secrets');
    expect(reads.filter(({ name }) => name.startsWith('idle-'))).toEqual([]);
  });

  test('stops within 10 s of SIGTERM, gives its Leases back, and leaves no replica behind', async () => {
    const began = performance.now();
    expect(await site.operator.stop()).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000); // a promise to the kubelet, not a figure of speed
    const leases = await site.api.list('/apis/coordination.k8s.io/v1/namespaces/botmint-system/leases');
    expect(leases.filter(({ metadata }) => metadata.name.startsWith('botmint-replica-'))).toEqual([]);
    const holders = leases.map(
      lease => z.object({ holderIdentity: z.string().optional() }).parse(lease.spec).holderIdentity,
    );
    expect(holders.filter(holder => holder !== undefined && holder !== '')).toEqual([]);
    await site.start();
  });
});

describe('what it asks of the API server', () => {
  test('is metadata with its own label for every list and watch of Secrets, and full only for Secrets that a spec names or that it made', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token', { secret: { name: 'named' } }), namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    // An edit, so that a full GET happens at all.
    await site.api.patch(`/api/v1/namespaces/${namespace}/secrets/named`, {
      metadata: { annotations: { touched: 'yes' } },
    });
    await eventually('the Secret was read', () => fullReads().some(({ name }) => name === 'named'));
    const collections = site.proxy.requests.filter(
      ({ resource, verb }) => resource === 'secrets' && (verb === 'list' || verb === 'watch'),
    );
    expect(collections.length).toBeGreaterThan(0);
    for (const { headers, query } of collections) {
      expect(headers.accept).toMatch(/as=PartialObjectMetadata(List)?;g=meta\.k8s\.io;v=v1/);
      expect(query.get('labelSelector')).toBe('botmint.dev/managed');
    }
    const named = await namedSecrets();
    for (const { namespace: where, name } of fullReads()) {
      if (where !== 'botmint-system') expect(named).toContain(`${where}/${name}`);
    }
  });

  const fullReads = () =>
    site.proxy.requests.filter(
      ({ resource, verb, headers }) =>
        resource === 'secrets' && verb === 'get' && !String(headers.accept).includes('PartialObjectMetadata'),
    );

  async function namedSecrets(): Promise<string[]> {
    const all = await site.api.list('/apis/botmint.dev/v1alpha1/bottokens');
    return all.map(token => {
      const { secret } = z.object({ secret: z.object({ name: z.string().optional() }) }).parse(token.spec);
      return `${token.metadata.namespace}/${secret.name ?? token.metadata.name}`;
    });
  }
});

describe('secret bytes', () => {
  test('are in the Secret and nowhere else', async () => {
    const namespace = await site.namespace();
    await site.apply(policy(namespace), namespace);
    const probe = { metadata: { name: 'probe', labels: { quote: namespace } }, data: { BUF_TOKEN: 'eA==' } };
    const dryRun = { method: 'POST' as const, body: probe };
    await eventually(
      'the policy is in force',
      async () => (await site.api.call(`/api/v1/namespaces/${namespace}/secrets?dryRun=All`, dryRun)).status !== 201,
    );
    await site.apply(
      botUser('bot') + botToken('refused', { secret: { labels: { quote: namespace } } }) + botToken('token'),
      namespace,
    );
    await site.ready('bottokens', namespace, 'token', 'Issued');
    const refused = await eventually('a refusal', async () => {
      const object = await site.token(namespace, 'refused');
      return JSON.stringify(object?.status).includes('WriteRefused') ? object : undefined;
    });
    expect(JSON.stringify(refused.status)).toContain('[redacted]');
    // Values that come back through an unknown outcome, too.
    site.rule = request =>
      request.resource === 'secrets' && request.verb === 'create'
        ? refuse(500, 'InternalError', { message: request.body })
        : forward;
    await site.apply(botToken('failing'), namespace);
    await eventually('a failing write', () =>
      site.proxy.requests.some(({ resource, status }) => resource === 'secrets' && status === 500),
    );
    site.rule = () => forward;
    await site.ready('bottokens', namespace, 'failing', 'Issued');
    const minted = site.mintedTokens();
    const keys = (await site.api.list('/api/v1/namespaces/botmint-system/secrets')).flatMap(secret =>
      Object.values(z.record(z.string(), z.string()).parse(secret.data ?? {})),
    );
    const events = await site.api.list(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
    const objects = [
      ...(await site.api.list(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens`)),
      ...events,
    ];
    const metadata = (await site.api.list(`/api/v1/namespaces/${namespace}/secrets`)).map(secret => secret.metadata);
    const places = {
      log: site.operator.output,
      metrics: (await site.operator.page('/metrics')).text,
      objects: JSON.stringify(objects),
      metadata: JSON.stringify(metadata),
      health: (await site.operator.page('/readyz')).text,
    };
    expect(minted.length).toBeGreaterThan(2);
    for (const [place, text] of Object.entries(places)) {
      for (const token of minted) {
        // The signature is what makes it a credential; its base64 form is what a body holds.
        const signature = token.split('.')[2] ?? '';
        expect(text.includes(signature), place).toBe(false);
        expect(text.includes(Buffer.from(token).toString('base64').slice(-60)), place).toBe(false);
      }
      for (const key of keys) expect(text.includes(key), place).toBe(false);
    }
  });

  /** An admission policy that quotes what it refuses. */
  const policy = (namespace: string) =>
    [
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: namespace },
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] }],
          },
          matchConditions: [
            {
              name: 'ours',
              expression: `has(object.metadata.labels) && 'quote' in object.metadata.labels && object.metadata.labels['quote'] == '${namespace}'`,
            },
          ],
          validations: [{ expression: 'false', messageExpression: "'no: ' + string(object.data['BUF_TOKEN'])" }],
        },
      },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: namespace },
        spec: { policyName: namespace, validationActions: ['Deny'] },
      },
    ]
      .map(object => `---\n${JSON.stringify(object)}\n`)
      .join('');
});

describe('metrics', () => {
  test('show what was issued and when it ends, and forget what is gone', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    const series = `botmint_token_expiry_timestamp_seconds{namespace="${namespace}",name="token"}`;
    const text = async () => (await site.operator.page('/metrics')).text;
    await eventually('the expiry is shown', async () => (await text()).includes(series));
    const shown = await text();
    for (const name of [
      'botmint_tokens_issued_total',
      'botmint_queue_depth',
      'botmint_reconcile_duration_seconds',
      'botmint_api_calls_total',
    ]) {
      expect(shown).toContain(name);
    }
    await site.api.delete(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`);
    await eventually('the series is gone', async () => !(await text()).includes(series));
    expect(await site.operator.page('/healthz')).toMatchObject({ status: 200 });
    expect(await site.operator.page('/readyz')).toMatchObject({ status: 200 });
  });
});

describe('two operators at once on the same shards', () => {
  test('never leave two live tokens, and the live one is in the Secret', async () => {
    await using proxy = await FaultProxy.start({ kubeconfigPath: site.kubeconfigPath, leasePrefix: 'second-' });
    await using second = await OperatorProcess.start({
      kubeconfig: await proxy.kubeconfigFor(await site.operatorToken()),
    });
    const namespace = await site.namespace();
    const names = Array.from({ length: 20 }, (_, i) => `token-${i}`);
    const first = site.proxy.requests.length;
    await site.apply(botUser('bot') + names.map(name => botToken(name)).join(''), namespace);
    for (const name of names) await site.ready('bottokens', namespace, name, 'Issued');
    expect(second.hasEnded).toBe(false);
    const minted = [...site.mintedTokens(first), ...site.mintedTokens(0, proxy.requests)];
    const live: string[] = [];
    for (const one of minted) if ((await site.introspect(one)).active) live.push(one);
    const inSecrets = await Promise.all(names.map(async name => (await site.values(namespace, name))?.BUF_TOKEN));
    expect(new Set(live)).toEqual(new Set(inSecrets));
    expect(live).toHaveLength(names.length);
    // Both worked: else this would show nothing.
    expect(proxy.requests.some(request => isWrite(request) && !isBackground(request))).toBe(true);
  });
});

describeOwnControlPlane('a replica whose caches are too old', () => {
  test('refuses to answer instead of answering wrong', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token'), namespace);
    const token = (await eventually('the token', async () => (await site.values(namespace, 'token'))?.BUF_TOKEN)) ?? '';
    expect(await site.introspect(token)).toMatchObject({ active: true });
    site.rule = ({ verb }) => (verb === 'watch' || verb === 'list' ? refuse(503, 'ServiceUnavailable') : forward);
    site.proxy.disconnect();
    await eventually('503', async () => (await site.fetch('/issuers/builtin/introspect', form(token))).status === 503, {
      everyMilliseconds: 500,
    });
    site.rule = () => forward;
    await eventually('it answers again', async () => (await site.introspect(token)).active, {
      everyMilliseconds: 200,
    });
  });

  const form = (token: string) => ({
    method: 'POST' as const,
    headers: { authorization: 'Bearer x', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ token }).toString(),
  });
});

describeOwnControlPlane('an object that a newer version wrote', () => {
  test('is left alone and says so, and others are served', async () => {
    const namespace = await site.namespace();
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bottokens.botmint.dev';
    const before = Versions.parse((await site.api.get(path))?.spec);
    const newer = Versions.parse(
      JSON.parse(JSON.stringify(before).replace('"Opaque","kubernetes.io', '"Newer","Opaque","kubernetes.io')),
    );
    await site.api.patch(path, { spec: newer });
    const manifest = botToken('newer', { secret: { type: 'Newer' } });
    await eventually('the newer CRD is served', () => site.apply(botUser('bot') + manifest, namespace));
    const status = async () => JSON.stringify((await site.token(namespace, 'newer'))?.status);
    await eventually('it says so', async () => (await status()).includes('UnknownFormat'));
    await site.apply(botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await site.secret(namespace, 'newer')).toBeUndefined();
    const writes = site.proxy.requests.filter(
      request => isWrite(request) && !isBackground(request) && request.name === 'newer' && Number(request.status) < 300,
    );
    expect(writes.map(({ subresource }) => subresource)).toEqual(['status']); // once, not at every look
    await site.api.delete(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/newer`);
    await site.api.patch(path, { spec: before });
  });

  test('ends when it is deleted, though it was served before, and blocks no namespace', async () => {
    const namespace = await site.namespace();
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bottokens.botmint.dev';
    const before = Versions.parse((await site.api.get(path))?.spec);
    const newer = Versions.parse(JSON.parse(JSON.stringify(before).replaceAll('"JSON"]', '"JSON","Newer"]')));
    await site.apply(botUser('bot') + botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    const token = (await site.values(namespace, 'token'))?.BUF_TOKEN ?? '';
    await site.api.patch(path, { spec: newer });
    const data = [{ key: 'BUF_TOKEN', format: 'Newer' }];
    await eventually('the newer CRD is served', () =>
      site.api.patch(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/token`, {
        spec: { secret: { data } },
      }),
    );
    await site.ready('bottokens', namespace, 'token', 'UnknownFormat');
    expect((await site.values(namespace, 'token'))?.BUF_TOKEN).toBe(token);
    await site.api.delete(`/api/v1/namespaces/${namespace}`);
    await eventually(
      'the namespace is gone',
      async () => (await site.api.get(`/api/v1/namespaces/${namespace}`)) === undefined,
    );
    expect(await site.introspect(token)).toEqual({ active: false });
    await site.api.patch(path, { spec: before });
  });

  const Versions = z.object({ versions: z.array(z.looseObject({})) });
});

function activeTokens(botUser: unknown): number | undefined {
  return z.object({ status: z.object({ activeTokens: z.number() }) }).safeParse(botUser).data?.status.activeTokens;
}
