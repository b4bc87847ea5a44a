import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type Answer, Api, eventually, sharedCluster } from '../cluster/cluster.ts';
import { deployPath, type Manifest, policyFor } from './manifests.ts';

const cluster = sharedCluster();
const stamp = 'botmint.dev/created-by';

const bot = (name: string, annotations: Record<string, string> = {}) => object('BotUser', name, {}, annotations);

const token = (name: string, spec: object = {}) =>
  object('BotToken', name, { botUserRef: { name: 'robot' }, expiresIn: '30d', ...spec });

const robot = (name: string, spec: object = {}, annotations: Record<string, string> = {}) =>
  object(
    'RobotAccount',
    name,
    {
      issuerRef: { kind: 'ClusterTokenIssuer', name: 'registry' },
      project: 'payments',
      permissions: ['PullArtifacts'],
      expiresIn: '30d',
      ...spec,
    },
    annotations,
  );

function object(kind: string, name: string, spec: object, annotations: Record<string, string> = {}) {
  return { apiVersion: 'botmint.dev/v1alpha1', kind, metadata: { name, annotations }, spec };
}

function path(namespace: string, plural: string, name = ''): string {
  return `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/${plural}${name && `/${name}`}`;
}

/** Somebody with the cluster's role edit in this namespace, or another one. */
async function person(namespace: string, user: string, role = 'edit'): Promise<Api> {
  const rbac = 'rbac.authorization.k8s.io';
  await (await cluster.api()).create(`/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: user },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: rbac, kind: 'User', name: user }],
  });
  const api = await Api.open(await cluster.kubeconfigFor({ user }));
  afterAll(() => api.close());
  return api;
}

/** Applies policies for this namespace alone, and waits until the API server heeds them. */
async function install(policies: Manifest[], inForce: () => Promise<boolean>): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: policies });
  await cluster.kubectl(['apply', '--server-side', '-f', '-'], { input });
  afterAll(() => cluster.kubectl(['delete', '--ignore-not-found', '-f', '-'], { input }));
  await eventually('the policy is in force', inForce);
}

async function tryBot(api: Api, namespace: string, made: object): Promise<Answer> {
  return await api.call(`${path(namespace, 'botusers')}?dryRun=All`, { method: 'POST', body: made });
}

beforeAll(async () => {
  for (const file of ['00-namespace.yaml', 'serviceaccount.yaml', 'rbac.yaml', 'user-roles.yaml']) {
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', deployPath(file)]);
  }
});

const checked = z.looseObject({ status: z.looseObject({ typeChecking: z.looseObject({}) }) });

test.each(['warnings.yaml', 'options/created-by.yaml', 'options/use-issuer.yaml', 'options/restart.yaml'])(
  'the expressions of %s fit the types of the kinds',
  async file => {
    const namespace = await cluster.namespace();
    const policies = policyFor(file, namespace).filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: policies });
    await cluster.kubectl(['apply', '--server-side', '-f', '-'], { input });
    onTestFinished(async () => void (await cluster.kubectl(['delete', '-f', '-'], { input })));
    for (const { metadata } of policies) {
      const at = `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/${metadata.name}`;
      const look = async () => checked.safeParse(await (await cluster.api()).get(at)).data;
      expect((await eventually('the types are checked', look)).status.typeChecking).toEqual({});
    }
  },
);

describe('options/created-by.yaml', () => {
  let namespace: string;
  let alice: Api;
  let bob: Api;

  beforeAll(async () => {
    namespace = await cluster.namespace();
    [alice, bob] = [await person(namespace, 'alice'), await person(namespace, 'bob')];
    await install(policyFor('options/created-by.yaml', namespace), async () => {
      const answer = await tryBot(alice, namespace, bot('tried'));
      return JSON.stringify(answer.body).includes(stamp);
    });
    // The role edit takes in the rights to write and the rights to read one after the other.
    const mayRead = async (api: Api) => (await api.call(path(namespace, 'robotaccounts'))).status === 200;
    await eventually('both may read', async () => (await mayRead(alice)) && (await mayRead(bob)));
    await eventually('bob may write', async () => (await tryBot(bob, namespace, bot('tried'))).status === 201);
  });

  const stampOf = async (plural: string, name: string) =>
    (await bob.get(path(namespace, plural, name)))?.metadata.annotations?.[stamp];

  test('stamps who created a BotUser, a BotToken or a RobotAccount', async () => {
    await alice.create(path(namespace, 'botusers'), bot('stamped'));
    await alice.create(path(namespace, 'bottokens'), token('stamped'));
    await alice.create(path(namespace, 'robotaccounts'), robot('stamped'));
    for (const plural of ['botusers', 'bottokens', 'robotaccounts']) {
      expect([plural, await stampOf(plural, 'stamped')]).toEqual([plural, 'alice']);
    }
  });

  test('overwrites a stamp that somebody brings along', async () => {
    await bob.create(path(namespace, 'botusers'), bot('forged', { [stamp]: 'alice' }));
    expect(await stampOf('botusers', 'forged')).toBe('bob');
  });

  test.each<[string, string | null]>([
    ['changed', 'bob'],
    ['taken off', null],
  ])('keeps the stamp when it is %s', async (how, value) => {
    const name = `kept-${how.replace(' ', '-')}`;
    await alice.create(path(namespace, 'botusers'), bot(name));
    const body = { metadata: { annotations: { [stamp]: value, other: 'edited' } } };
    const patched = await bob.patch(path(namespace, 'botusers', name), body);
    expect(patched.metadata.annotations).toEqual({ [stamp]: 'alice', other: 'edited' });
  });

  test("the operator's finalizer and status go through, and leave the stamp as it is", async () => {
    const { kubeconfigPath } = await cluster.tokenFor('botmint-system', 'botmint');
    const operator = await Api.open(kubeconfigPath);
    afterAll(() => operator.close());
    await alice.create(path(namespace, 'botusers'), bot('operated'));
    const at = path(namespace, 'botusers', 'operated');
    await operator.patch(at, { metadata: { finalizers: ['botmint.dev/revoke'] } });
    const written = await operator.patch(`${at}/status`, { status: { observedGeneration: 1 } });
    expect(written.metadata.annotations?.[stamp]).toBe('alice');
    expect(written.status).toMatchObject({ observedGeneration: 1 });
    await operator.patch(at, { metadata: { finalizers: null } });
    await alice.delete(at);
    expect(await alice.get(at)).toBeUndefined();
  });
});

describe('the check in options/created-by.yaml, with nothing that puts the stamp right', () => {
  let namespace: string;
  let alice: Api;

  beforeAll(async () => {
    namespace = await cluster.namespace();
    alice = await person(namespace, 'alice');
    const checks = policyFor('options/created-by.yaml', namespace).filter(({ kind }) => kind.startsWith('Validating'));
    await install(
      checks,
      async () => (await tryBot(alice, namespace, bot('tried', { [stamp]: 'bob' }))).status === 422,
    );
  });

  test('refuses a forged stamp, with words that say why', async () => {
    const { status, body } = await tryBot(alice, namespace, bot('forged', { [stamp]: 'bob' }));
    expect([status, JSON.stringify(body)]).toEqual([422, expect.stringContaining('cannot be set to anyone else')]);
  });

  test('refuses a stamp on an object that had none', async () => {
    await alice.create(path(namespace, 'botusers'), bot('unstamped'));
    const body = { metadata: { annotations: { [stamp]: 'alice' } } };
    await expect(alice.patch(path(namespace, 'botusers', 'unstamped'), body)).rejects.toThrow('or changed');
  });
});

describe('options/use-issuer.yaml', () => {
  test('lets only those who may use the issuer create a BotUser or a RobotAccount of it', async () => {
    const namespace = await cluster.namespace();
    const [alice, admin] = [await person(namespace, 'alice'), await cluster.api()];
    await install(policyFor('options/use-issuer.yaml', namespace), async () => {
      return (await tryBot(alice, namespace, bot('tried'))).status === 422;
    });
    const refused = await tryBot(alice, namespace, bot('tried'));
    expect(JSON.stringify(refused.body)).toContain('alice may not use the issuer builtin');
    expect((await tryBot(admin, namespace, bot('tried'))).status).toBe(201);
    const tryRobot = (api: Api) =>
      api.call(`${path(namespace, 'robotaccounts')}?dryRun=All`, { method: 'POST', body: robot('tried') });
    expect(JSON.stringify((await tryRobot(alice)).body)).toContain('alice may not use the issuer registry');
    expect((await tryRobot(admin)).status).toBe(201);
  });
});

describe('options/restart.yaml', () => {
  const web = { kind: 'Deployment', name: 'web' };
  let namespace: string;
  let alice: Api; // may write BotTokens, and one DaemonSet

  beforeAll(async () => {
    namespace = await cluster.namespace();
    alice = await person(namespace, 'alice', 'botmint-edit');
    const admin = await cluster.api();
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const rule = { apiGroups: ['apps'], resources: ['daemonsets'], resourceNames: ['agent'], verbs: ['patch'] };
    await admin.create(`${rbac}/roles`, { metadata: { name: 'agent' }, rules: [rule] });
    await admin.create(`${rbac}/rolebindings`, {
      metadata: { name: 'agent' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'agent' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'alice' }],
    });
    await install(policyFor('options/restart.yaml', namespace), async () => {
      const refused = await tryToken(alice, { restart: [web] });
      const allowed = await tryToken(alice, { restart: [{ kind: 'DaemonSet', name: 'agent' }] });
      return JSON.stringify(refused.body).includes('may not patch every workload') && allowed.status === 201;
    });
  });

  const tryToken = (api: Api, spec: object) =>
    api.call(`${path(namespace, 'bottokens')}?dryRun=All`, { method: 'POST', body: token('tried', spec) });

  test.each<[number, object]>([
    [403, { restart: [web] }],
    [403, { restart: [{ kind: 'DaemonSet', name: 'agent' }, web] }],
    [403, { restart: [{ kind: 'StatefulSet', name: 'agent' }] }],
    [201, { restart: [{ kind: 'DaemonSet', name: 'agent' }] }],
    [201, { restart: [] }],
    [201, {}],
  ])('answers %s to who may patch one DaemonSet and writes %j', async (status, spec) => {
    const answer = await tryToken(alice, spec);
    expect(answer.status).toBe(status);
    if (status === 403) expect(JSON.stringify(answer.body)).toContain('alice may not patch every workload');
  });

  test('asks the same of a RobotAccount', async () => {
    const tryRobot = (name: string) => {
      const body = robot('tried', { restart: [{ kind: 'DaemonSet', name }] });
      return alice.call(`${path(namespace, 'robotaccounts')}?dryRun=All`, { method: 'POST', body });
    };
    expect((await tryRobot('agent')).status).toBe(201);
    const refused = await tryRobot('other');
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([
      403,
      expect.stringContaining('alice may not patch'),
    ]);
  });

  test('lets whoever may patch workloads name them, and others change the rest', async () => {
    const admin = await person(namespace, 'admin');
    await eventually('its rights are known', async () => (await tryToken(admin, { restart: [web] })).status === 201);
    await admin.create(path(namespace, 'bottokens'), token('named', { restart: [web] }));
    const at = path(namespace, 'bottokens', 'named');
    await alice.patch(at, { spec: { label: 'new' } });
    await expect(alice.patch(at, { spec: { restart: [{ kind: 'Deployment', name: 'other' }] } })).rejects.toThrow(
      '403',
    );
    await alice.patch(at, { spec: { restart: null } });
  });
});

describe('warnings.yaml', () => {
  const words = 'expires without rotation: the Secret stops working at the end of expiresIn';
  let namespace: string;
  let admin: Api;

  beforeAll(async () => {
    namespace = await cluster.namespace();
    admin = await cluster.api();
    const inForce = async () => {
      const answers = [await apply(token('tried'), '?dryRun=All'), await apply(robot('tried'), '?dryRun=All')];
      return answers.every(({ warning }) => warning !== undefined);
    };
    await install(policyFor('warnings.yaml', namespace), inForce);
  });

  async function apply(made: { kind: string }, query = '') {
    const at = `${path(namespace, `${made.kind.toLowerCase()}s`)}${query}`;
    const answer = await admin.call(at, { method: 'POST', body: made });
    return { status: answer.status, warning: answer.headers.warning };
  }

  test('warns of a token that ends without rotation, and accepts it', async () => {
    expect(await apply(token('ends'))).toEqual({ status: 201, warning: expect.stringContaining(words) });
  });

  test.each<[string, object]>([
    ['is rotated', { rotation: {} }],
    ['never ends', { expiresIn: 'never' }],
    ['is to be revoked', { revoked: true }],
  ])('says nothing of a token that %s', async (_, spec) => {
    expect(await apply(token('fine', spec), '?dryRun=All')).toEqual({ status: 201, warning: undefined });
  });

  test.each<[string, object, boolean]>([
    ['warns again of a changed spec', { spec: { label: 'new' } }, true],
    ["says nothing to the operator's finalizer", { metadata: { finalizers: ['botmint.dev/revoke'] } }, false],
    ['says nothing to a label', { metadata: { labels: { team: 'a' } } }, false],
  ])('%s', async (what, body, warned) => {
    const name = what.replaceAll(/\W+/g, '-').toLowerCase();
    await apply(token(name));
    const headers = { 'content-type': 'application/merge-patch+json' };
    const call = { method: 'PATCH' as const, headers, body };
    const answer = await admin.call(`${path(namespace, 'bottokens', name)}?dryRun=All`, call);
    expect([answer.status, answer.headers.warning !== undefined]).toEqual([200, warned]);
  });

  const [pull] = [{ permissions: ['PullArtifacts'] }];
  const noProject = { project: undefined, permissions: undefined };

  test.each<[string, object, string]>([
    ['that ends without rotation', {}, 'expires without rotation: the robot cannot log in'],
    ['that names no permissions', { expiresIn: 'never', permissions: undefined }, 'permissions left out'],
    [
      'of several projects that names none for one of them',
      { ...noProject, expiresIn: 'never', projects: [{ name: 'a', ...pull }, { name: 'b' }] },
      'permissions left out',
    ],
  ])('warns of a robot %s, and accepts it', async (_, spec, said) => {
    const answer = await apply(robot('warned', spec), '?dryRun=All');
    expect(answer).toEqual({ status: 201, warning: expect.stringContaining(said) });
  });

  test.each<[string, object]>([
    ['is rotated', { rotation: {} }],
    ['never ends', { expiresIn: 'never' }],
    ['has a secret of its own', { secret: { name: 'other', valueFrom: { secretKeyRef: { name: 'own', key: 'a' } } } }],
    ['names the permissions of each project', { ...noProject, rotation: {}, projects: [{ name: '*', ...pull }] }],
  ])('says nothing of a robot that %s', async (_, spec) => {
    expect(await apply(robot('fine', spec), '?dryRun=All')).toEqual({ status: 201, warning: undefined });
  });
});
