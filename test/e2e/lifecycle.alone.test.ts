import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Api } from '../cluster/api.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { botToken, botUser } from './manifests.ts';
import { builtinURL } from './relying-party.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const tokens = (namespace: string, name: string) =>
  `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/${name}`;
const botUsers = (namespace: string, name: string) =>
  `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/botusers/${name}`;

async function held(namespace: string, secret: string, key = 'BUF_TOKEN'): Promise<string> {
  return eventually(`Secret ${secret} holds ${key}`, async () => (await site.values(namespace, secret))?.[key]);
}

async function messageOf(
  kind: 'bottokens' | 'botusers',
  namespace: string,
  name: string,
  reason: string,
): Promise<string> {
  const object = await site.ready(kind, namespace, name, reason);
  const { conditions } = Status.parse(object.status);
  return conditions.find(({ type }) => type === 'Ready')?.message ?? '';
}

const Status = z.object({
  conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string() })),
  tokenID: z.string().optional(),
  revision: z.number().optional(),
});

async function stateOf(namespace: string, name: string): Promise<string> {
  const { conditions } = Status.parse((await site.token(namespace, name))?.status);
  return conditions
    .filter(({ status }) => status === 'True')
    .map(({ type }) => type)
    .join();
}

async function keySet() {
  const discovery = z
    .object({ jwks_uri: z.string() })
    .parse(JSON.parse((await site.fetch('/.well-known/openid-configuration')).text));
  return createLocalJWKSet(JSON.parse((await site.fetch(new URL(discovery.jwks_uri).pathname)).text));
}

describe('a token', () => {
  test('is in the Secret, and verifies with the published keys for whoever knows only the issuer', async () => {
    const namespace = await site.namespace();
    await site.apply(
      botUser('bot', { identities: [{ service: 'github', id: 'acme-bot' }] }) + botToken('token', { scopes: ['a:b'] }),
      namespace,
    );
    const token = await held(namespace, 'token');
    const keys = await keySet();
    const options = { issuer: builtinURL, audience: builtinURL, algorithms: ['ES256'], typ: 'bot+jwt' };
    const { payload } = await jwtVerify(token, keys, options);
    expect(payload).toMatchObject({
      sub: `bot:${namespace}:bot`,
      scope: 'a:b',
      identities: [{ service: 'github', id: 'acme-bot' }],
    });
    const [head, body, signature = ''] = token.split('.');
    const tampered = `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    await expect(jwtVerify(tampered, keys, options)).rejects.toThrow('signature verification failed');
    await expect(jwtVerify(token, keys, { ...options, audience: 'https://other.example.com' })).rejects.toThrow(
      '"aud"',
    );
    const late = new Date(((payload.exp ?? 0) + 1) * 1000);
    await expect(jwtVerify(token, keys, { ...options, currentDate: late })).rejects.toThrow('"exp"');
    expect(await site.introspect(token)).toMatchObject({ active: true, jti: payload.jti });
    expect(await site.introspect(tampered)).toEqual({ active: false });
  });

  test('waits for its BotUser and for the issuer, and goes on by itself', async () => {
    const namespace = await site.namespace();
    const issuer = `late-${namespace}`;
    await site.apply(botToken('token'), namespace);
    expect(await messageOf('bottokens', namespace, 'token', 'BotUserNotFound')).toContain(
      `BotUser bot in namespace ${namespace}`,
    );
    expect(await stateOf(namespace, 'token')).toBe('Reconciling');
    await site.apply(botUser('bot', { issuerRef: { kind: 'ClusterTokenIssuer', name: issuer } }), namespace);
    expect(await messageOf('bottokens', namespace, 'token', 'IssuerNotFound')).toContain(issuer);
    await site.apply(clusterTokenIssuer(issuer, { allowedNamespaces: { from: 'All' } }), namespace);
    const token = await held(namespace, 'token');
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await site.introspect(token)).toEqual({ active: false }); // not of that issuer
  });

  test('lives beside another one of its bot, and is revoked alone', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('one') + botToken('two'), namespace);
    const [one, two] = [await held(namespace, 'one'), await held(namespace, 'two')];
    await site.api.patch(tokens(namespace, 'one'), { spec: { revoked: true } });
    await eventually('one is inactive', async () => !(await site.introspect(one)).active);
    await site.ready('bottokens', namespace, 'one', 'Revoked');
    expect(await site.secret(namespace, 'one')).toBeUndefined();
    expect(await site.introspect(two)).toMatchObject({ active: true });
    await site.api.delete(tokens(namespace, 'two'));
    expect(await site.introspect(two)).toEqual({ active: false });
  });

  test('is found by its id, and no other is', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('one') + botToken('two'), namespace);
    const { jti = '' } = decodeJwt(await held(namespace, 'one'));
    for (const name of ['one', 'two']) await site.ready('bottokens', namespace, name, 'Issued');
    const everywhere = '/apis/botmint.dev/v1alpha1/bottokens';
    const selector = encodeURIComponent(`status.tokenID=${jti}`);
    const found = await site.api.list(`${everywhere}?fieldSelector=${selector}`);
    expect(found.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([`${namespace}/one`]);
  });

  test('opens nothing at the API server: a bot cannot manage its own tokens', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token'), namespace);
    await using bot = await Api.open(await site.proxy.kubeconfigFor(await held(namespace, 'token')));
    const path = tokens(namespace, 'token');
    const merge = { 'content-type': 'application/merge-patch+json' };
    const answers = [
      await bot.call(path),
      await bot.call(path, { method: 'PATCH', body: { spec: { revoked: true } }, headers: merge }),
      await bot.call(path, { method: 'DELETE' }),
      await bot.call(tokens(namespace, ''), { method: 'POST', body: await site.token(namespace, 'token') }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
    // The same way is open to who is known there.
    await using operator = await Api.open(await site.proxy.kubeconfigFor(await site.operatorToken()));
    expect((await operator.call(path)).status).toBe(200);
  });

  test('ends with its bot, says so, and comes back with a new one under the same name', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token'), namespace);
    const old = await held(namespace, 'token');
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await site.api.delete(botUsers(namespace, 'bot'));
    await site.ready('bottokens', namespace, 'token', 'BotUserNotFound');
    expect(await site.introspect(old)).toEqual({ active: false });
    await site.apply(botUser('bot'), namespace);
    const token = await held(namespace, 'token');
    expect(await site.introspect(token)).toMatchObject({ active: true });
    expect(await site.introspect(old)).toEqual({ active: false });
  });

  test('is replaced when its wish changes, and the old one ends as the change says', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token', { scopes: ['a', 'b'] }), namespace);
    const first = await held(namespace, 'token');
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await site.api.patch(tokens(namespace, 'token'), { spec: { scopes: ['a', 'b', 'c'] } });
    const second = await eventually('a second token', async () => other(first, await held(namespace, 'token')));
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await site.introspect(first)).toMatchObject({ active: true }); // widened: it lives on for a while
    await site.api.patch(tokens(namespace, 'token'), { spec: { scopes: ['a'] } });
    const third = await eventually('a third token', async () => other(second, await held(namespace, 'token')));
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await site.introspect(second)).toEqual({ active: false }); // narrowed: what it may is no longer wanted
    expect(await site.introspect(third)).toMatchObject({ active: true });
  });
});

describe('the Secret', () => {
  test('is made to measure, follows its template with the same credential, and gets back what was stripped', async () => {
    const namespace = await site.namespace();
    const data = [
      { key: 'token', template: '$(token)' },
      { key: '.netrc', template: 'login $(username) password $(token)' },
      { key: 'token.json', format: 'JSON' },
    ];
    await site.apply(
      botUser('bot') + botToken('token', { secret: { name: 'made', data, labels: { team: 'a' } } }),
      namespace,
    );
    const token = await held(namespace, 'made', 'token');
    expect(await held(namespace, 'made', '.netrc')).toBe(`login bot password ${token}`);
    expect(JSON.parse(await held(namespace, 'made', 'token.json'))).toMatchObject({ name: 'bot', secret: token });
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await site.api.patch(tokens(namespace, 'token'), {
      spec: { secret: { data: [{ key: 'other', template: 'x $(token)' }], labels: { team: 'b' } } },
    });
    await eventually('other entries', async () => (await site.values(namespace, 'made'))?.other === `x ${token}`);
    expect(Object.keys((await site.values(namespace, 'made')) ?? {})).toEqual(['other']);
    await site.api.patch(`/api/v1/namespaces/${namespace}/secrets/made`, {
      metadata: { labels: null, annotations: null, ownerReferences: null },
    });
    const secret = await eventually('the marks are back', async () => {
      const seen = await site.secret(namespace, 'made');
      return seen?.metadata.labels?.['botmint.dev/managed'] === 'credential' ? seen : undefined;
    });
    expect(secret.metadata.labels).toEqual({ 'botmint.dev/managed': 'credential', team: 'b' });
    expect(await held(namespace, 'made', 'other')).toBe(`x ${token}`);
    expect(await site.introspect(token)).toMatchObject({ active: true });
  });

  test('is left alone when it is not ours, byte for byte, and the token goes on when it goes', async () => {
    const namespace = await site.namespace();
    const foreign = { metadata: { name: 'token' }, data: { mine: 'bWluZQ==' } };
    const before = await site.api.create(`/api/v1/namespaces/${namespace}/secrets`, foreign);
    await site.apply(botUser('bot') + botToken('token'), namespace);
    expect(await messageOf('bottokens', namespace, 'token', 'SecretNotOwned')).toContain('Secret token');
    expect(await stateOf(namespace, 'token')).toBe('Stalled');
    expect(await site.secret(namespace, 'token')).toEqual(before);
    await site.api.delete(`/api/v1/namespaces/${namespace}/secrets/token`);
    await site.ready('bottokens', namespace, 'token', 'Issued');
  });

  test('belongs to one token: the other names the holder, and takes over when that goes', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('first', { secret: { name: 'shared' } }), namespace);
    await site.ready('bottokens', namespace, 'first', 'Issued');
    await site.apply(botToken('second', { secret: { name: 'shared' } }), namespace);
    expect(await messageOf('bottokens', namespace, 'second', 'SecretInUse')).toContain('BotToken/first');
    expect(await stateOf(namespace, 'second')).toBe('Stalled');
    await site.api.delete(tokens(namespace, 'first'));
    await site.ready('bottokens', namespace, 'second', 'Issued');
  });

  test('is made again when it was deleted or edited, and the lost credential lives out its overlap', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token'), namespace);
    const first = await held(namespace, 'token');
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await site.api.delete(`/api/v1/namespaces/${namespace}/secrets/token`);
    const second = await eventually('a second token', async () =>
      other(first, (await site.values(namespace, 'token'))?.BUF_TOKEN),
    );
    await site.ready('bottokens', namespace, 'token', 'Issued');
    await site.api.patch(`/api/v1/namespaces/${namespace}/secrets/token`, { data: { BUF_TOKEN: 'ZWRpdGVk' } });
    await eventually(
      'a third token',
      async () => (await held(namespace, 'token')).startsWith('ey') && other(second, await held(namespace, 'token')),
    );
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(await site.introspect(first)).toMatchObject({ active: true });
    expect(await site.introspect(second)).toMatchObject({ active: true });
  });
});

describe('what cannot be served says so', () => {
  test('a username that an older BotUser has', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('older', { username: 'same' }), namespace);
    const { metadata } = await site.ready('botusers', namespace, 'older', 'Available');
    const made = Date.parse(String(metadata.creationTimestamp));
    await eventually('another second', () => Date.now() >= made + 1000); // creation times are whole seconds
    await site.apply(
      botUser('younger', { username: 'same' }) + botToken('token', { botUserRef: { name: 'younger' } }),
      namespace,
    );
    expect(await messageOf('botusers', namespace, 'younger', 'UsernameTaken')).toContain('older');
    await site.ready('bottokens', namespace, 'token', 'BotUserNotReady');
    await site.api.delete(botUsers(namespace, 'older'));
    await site.ready('bottokens', namespace, 'token', 'Issued');
  });

  test('a wish above the ceilings of the issuer, and a namespace that it does not allow', async () => {
    const namespace = await site.namespace();
    const issuer = `capped-${namespace}`;
    const selector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
    const limits = { maxLifetime: '1d', scopes: ['orders:*'], identities: ['github/{namespace}-*'] };
    await site.apply(
      clusterTokenIssuer(issuer, { allowedNamespaces: { from: 'Selector', selector }, limits }),
      namespace,
    );
    const issuerRef = { kind: 'ClusterTokenIssuer', name: issuer };
    await site.apply(
      botUser('bot', { issuerRef, identities: [{ service: 'github', id: `${namespace}-x` }] }),
      namespace,
    );
    await site.apply(
      botToken('long') +
        botToken('never', { expiresIn: 'never' }) +
        botToken('wide', { expiresIn: '1h', scopes: ['orders:read', 'admin'] }),
      namespace,
    );
    await site.apply(botToken('fits', { expiresIn: '1h', scopes: ['orders:read'] }), namespace);
    expect(await messageOf('bottokens', namespace, 'long', 'ExceedsIssuerLimit')).toMatch(
      /spec\.expiresIn asks for 90d.*maxLifetime 1d/,
    );
    expect(await messageOf('bottokens', namespace, 'never', 'ExceedsIssuerLimit')).toContain('never');
    expect(await messageOf('bottokens', namespace, 'wide', 'ExceedsIssuerLimit')).toMatch(
      /spec\.scopes asks for admin.*orders:\*/,
    );
    await site.ready('bottokens', namespace, 'fits', 'Issued');
    const elsewhere = await site.namespace();
    await site.apply(botUser('bot', { issuerRef }), elsewhere);
    expect(await messageOf('botusers', elsewhere, 'bot', 'NamespaceNotAllowed')).toContain(elsewhere);
    await site.api.patch(`/apis/botmint.dev/v1alpha1/clustertokenissuers/${issuer}`, {
      spec: { limits: { maxLifetime: '100d' } },
    });
    await site.ready('bottokens', namespace, 'long', 'Issued');
  });

  test('a Secret that a quota or a policy refuses: in the words of the API server, without the values, and once', async () => {
    const namespace = await site.namespace();
    await site.api.create(`/api/v1/namespaces/${namespace}/resourcequotas`, {
      metadata: { name: 'none' },
      spec: { hard: { secrets: '0' } },
    });
    await eventually('the quota is in force', async () => {
      const quota = await site.api.get(`/api/v1/namespaces/${namespace}/resourcequotas/none`);
      return z.object({ status: z.object({ hard: z.object({ secrets: z.literal('0') }) }) }).safeParse(quota).success;
    });
    await site.apply(botUser('bot') + botToken('token'), namespace);
    expect(await messageOf('bottokens', namespace, 'token', 'WriteRefused')).toContain('exceeded quota');
    expect(await stateOf(namespace, 'token')).toBe('Reconciling');
    await site.api.delete(`/api/v1/namespaces/${namespace}/resourcequotas/none`);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    expect(Status.parse((await site.token(namespace, 'token'))?.status).revision).toBe(1);
  });

  test('a Secret that a policy does not let go: a revocation and a deletion wait for it, and are carried out when it does', async () => {
    const namespace = await site.namespace();
    const kept = { secret: { labels: { keep: namespace } } };
    await site.apply(botUser('bot') + botToken('revoked', kept) + botToken('deleted', kept), namespace);
    const secrets = [await held(namespace, 'revoked'), await held(namespace, 'deleted')];
    await site.ready('bottokens', namespace, 'revoked', 'Issued');
    await site.ready('bottokens', namespace, 'deleted', 'Issued');
    await site.apply(keepingSecrets(namespace), namespace);
    const dryRun = { method: 'DELETE' as const, body: { dryRun: ['All'] } };
    await eventually('the policy is in force', async () => {
      const { status } = await site.api.call(`/api/v1/namespaces/${namespace}/secrets/revoked`, dryRun);
      return status === 422;
    });
    await site.api.patch(tokens(namespace, 'revoked'), { spec: { revoked: true } });
    const deletion = site.kubectl(['delete', 'bottoken', 'deleted', '-n', namespace, '--wait=false']);
    for (const name of ['revoked', 'deleted']) {
      expect(await messageOf('bottokens', namespace, name, 'WriteRefused')).toMatch(/refused to delete Secret .*keep/);
      expect(await stateOf(namespace, name)).toBe('Reconciling');
      expect(await site.secret(namespace, name)).toBeDefined();
    }
    await deletion;
    for (const token of secrets) expect(await site.introspect(token)).toEqual({ active: false });
    const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';
    await site.api.delete(`${bindings}/${namespace}`);
    await site.ready('bottokens', namespace, 'revoked', 'Revoked');
    await eventually('the deleted one is gone', async () => (await site.token(namespace, 'deleted')) === undefined);
    for (const name of ['revoked', 'deleted']) expect(await site.secret(namespace, name)).toBeUndefined();
  });

  test('a record in a form that nobody knows: it is left alone', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot') + botToken('token'), namespace);
    await site.ready('bottokens', namespace, 'token', 'Issued');
    const before = await site.secret(namespace, 'token');
    await site.api.patch(`${tokens(namespace, 'token')}/status`, { status: { issued: { inputs: { format: 99 } } } });
    await site.api.patch(tokens(namespace, 'token'), { spec: { scopes: ['more'] } });
    await messageOf('bottokens', namespace, 'token', 'UnknownFormat');
    expect(await stateOf(namespace, 'token')).toBe('Stalled');
    expect(await site.secret(namespace, 'token')).toEqual(before);
  });
});

function other(old: string, seen: string | undefined): string | undefined {
  return seen === undefined || seen === old ? undefined : seen;
}

function clusterTokenIssuer(name: string, extra: object): string {
  const jwt = { issuerURL: `https://${name}.example.com`, audiences: [`https://${name}.example.com`] };
  return `---\n${JSON.stringify({ apiVersion: 'botmint.dev/v1alpha1', kind: 'ClusterTokenIssuer', metadata: { name }, spec: { jwt, ...extra } })}\n`;
}

/** An admission policy that lets nobody delete the Secrets with a label of this value. */
function keepingSecrets(value: string): string {
  const group = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name: value } };
  const policy = {
    ...group,
    kind: 'ValidatingAdmissionPolicy',
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['DELETE'], resources: ['secrets'] }],
      },
      matchConditions: [
        {
          name: 'kept',
          expression: `has(oldObject.metadata.labels) && oldObject.metadata.labels.?keep == optional.of('${value}')`,
        },
      ],
      validations: [{ expression: 'false', message: 'these are to keep' }],
    },
  };
  const spec = { policyName: value, validationActions: ['Deny'] };
  const binding = { ...group, kind: 'ValidatingAdmissionPolicyBinding', spec };
  return [policy, binding].map(object => `---\n${JSON.stringify(object)}\n`).join('');
}
