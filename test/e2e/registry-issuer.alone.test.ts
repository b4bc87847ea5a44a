import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { botUser, robotAccount } from './manifests.ts';
import { OwnRegistryIssuer, robotPath } from './own-registry-issuer.ts';
import { Site } from './site.ts';

// What an issuer of type registry allows, refuses and waits for.

const cluster = sharedCluster();
let site: Site;
let hub: OwnRegistryIssuer;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
  hub = await OwnRegistryIssuer.make(site, await site.namespace());
});

afterAll(() => site?.close());

describe('a ceiling of the issuer', () => {
  test.each([
    ['usernames', ['{namespace}-*'], 'spec.name'],
    ['projects', ['other'], 'spec.project'],
    ['permissions', ['PullArtifacts'], 'spec.permissions'],
    ['maxLifetime', '30d', 'spec.expiresIn'],
  ])('%s refuses what is above it, in words, and what keeps below it goes on', async (limit, ceiling, field) => {
    const namespace = await site.namespace();
    const all = { usernames: ['*'], projects: ['*'], permissions: ['*'] };
    const issuer = await OwnRegistryIssuer.make(site, namespace, { limits: { ...all, [limit]: ceiling } });
    await site.apply(issuer.robot('robot'), namespace);
    const message = await issuer.robotSays(namespace, 'robot', 'ExceedsIssuerLimit');
    for (const word of [field, `limits.${limit}`]) expect(message).toContain(word);
    expect(await issuer.stateOf(namespace, 'robot')).toBe('Stalled');
    expect(await site.secret(namespace, 'robot')).toBeUndefined();
    const below = { project: 'other', permissions: ['PullArtifacts'], expiresIn: '30d', name: `${namespace}-ci` };
    await issuer.issued(namespace, 'below', below);
  });

  test('that is lowered takes nothing away, is told, and gives nothing more', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace);
    const scope = 'repository:shop/app:pull,push,delete';
    const login = await issuer.issued(namespace, 'robot');
    await site.api.patch(issuer.path, { spec: { limits: { permissions: ['PullArtifacts'] } } });
    await issuer.robotSays(namespace, 'robot', 'ExceedsIssuerLimit');
    expect(await issuer.stateOf(namespace, 'robot')).toBe('Ready');
    expect(await issuer.access(login, scope)).toEqual(['shop/app:pull,push']);
    const more = { permissions: ['PushArtifacts', 'PullArtifacts', 'DeleteArtifacts'] };
    await issuer.patch(namespace, 'robot', { spec: more });
    await eventually('it is refused', async () => (await issuer.stateOf(namespace, 'robot')) === 'Stalled');
    expect(await issuer.access(login, scope)).toEqual(['shop/app:pull,push']);
    await issuer.patch(namespace, 'robot', { spec: { permissions: ['PullArtifacts'] } });
    await issuer.robotSays(namespace, 'robot', 'Issued');
    expect(await issuer.access(login, scope)).toEqual(['shop/app:pull']);
  });
});

test('a robot that its issuer does not allow takes no name away from one that it does, and has it when that goes', async () => {
  const [outside, inside] = [await site.namespace(), await site.namespace()];
  const matchLabels = { 'kubernetes.io/metadata.name': inside };
  const issuer = await OwnRegistryIssuer.make(site, inside, {
    allowedNamespaces: { from: 'Selector', selector: { matchLabels } },
  });
  await site.apply(issuer.robot('robot'), outside);
  await issuer.robotSays(outside, 'robot', 'NamespaceNotAllowed');
  const login = await issuer.issued(inside, 'robot');
  await site.api.patch(issuer.path, { spec: { allowedNamespaces: { from: 'All', selector: null } } });
  expect(await issuer.robotSays(outside, 'robot', 'UsernameTaken')).toContain(`in namespace ${inside}`);
  expect(await issuer.letsIn(login)).toBe(true);
  await site.api.delete(robotPath(inside, 'robot'));
  await issuer.robotSays(outside, 'robot', 'Issued');
  expect(await issuer.letsIn(await issuer.login(outside, 'robot'))).toBe(true);
});

describe('what an issuer of this type cannot do is named', () => {
  test.each([
    ['to adopt a robot', { adoptionPolicy: 'Adopt' }, 'spec.adoptionPolicy'],
    ['a robot at an issuer of tokens', { issuerRef: { kind: 'ClusterTokenIssuer', name: 'builtin' } }, 'type registry'],
  ])('%s', async (_, extra, words) => {
    const namespace = await site.namespace();
    await site.apply(hub.robot('robot', extra), namespace);
    expect(await hub.robotSays(namespace, 'robot', 'UnsupportedByIssuer')).toContain(words);
    expect(await hub.stateOf(namespace, 'robot')).toBe('Stalled');
    expect(await site.secret(namespace, 'robot')).toBeUndefined();
  });

  test('a bot at an issuer of robots', async () => {
    const namespace = await site.namespace();
    await site.apply(botUser('bot', { issuerRef: { kind: 'ClusterTokenIssuer', name: hub.name } }), namespace);
    const { status } = await site.ready('botusers', namespace, 'bot', 'UnsupportedByIssuer');
    expect(JSON.stringify(status)).toContain(hub.name);
  });
});

describe('the issuer of a robot', () => {
  test('is waited for, and for one of its name that comes later', async () => {
    const namespace = await site.namespace();
    await site.apply(robotAccount('robot', namespace), namespace);
    expect(await hub.robotSays(namespace, 'robot', 'IssuerNotFound')).toContain(namespace);
    const issuer = await OwnRegistryIssuer.make(site, namespace);
    await site.ready('robotaccounts', namespace, 'robot', 'Issued');
    expect(await issuer.letsIn(await issuer.login(namespace, 'robot'))).toBe(true);
  });

  test('has to let in its namespace, and takes nothing away when it does not any more', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace, { allowedNamespaces: { from: 'None' } });
    await site.apply(issuer.robot('robot'), namespace);
    await issuer.robotSays(namespace, 'robot', 'NamespaceNotAllowed');
    expect(await issuer.stateOf(namespace, 'robot')).toBe('Stalled');
    await site.api.patch(issuer.path, { spec: { allowedNamespaces: { from: 'All' } } });
    await issuer.robotSays(namespace, 'robot', 'Issued');
    const login = await issuer.login(namespace, 'robot');
    await site.api.patch(issuer.path, { spec: { allowedNamespaces: { from: 'None' } } });
    await issuer.robotSays(namespace, 'robot', 'NamespaceNotAllowed');
    expect(await issuer.stateOf(namespace, 'robot')).toBe('Ready');
    expect(await issuer.letsIn(login)).toBe(true);
  });

  test('that is deleted stays until its last robot is gone, and lets it in until then', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace);
    const login = await issuer.issued(namespace, 'robot');
    await site.api.delete(issuer.path);
    expect(await issuer.says('InUse')).toContain('RobotAccounts');
    await site.apply(issuer.robot('late'), namespace);
    await issuer.robotSays(namespace, 'late', 'IssuerDeleted');
    expect(await issuer.letsIn(login)).toBe(true);
    await site.api.delete(robotPath(namespace, 'robot'));
    await eventually('it is gone', async () => (await site.api.get(issuer.path)) === undefined);
    expect((await issuer.ask({ login })).status).toBe(404);
  });

  test('that is made anew under its name knows no secret and no number of before', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnRegistryIssuer.make(site, namespace);
    const rotation = { overlap: '1h' };
    const taken = await issuer.issued(namespace, 'taken', { rotation });
    const login = await issuer.issued(namespace, 'robot', { rotation });
    await takeName(namespace, 'taken');
    await issuer.robotSays(namespace, 'taken', 'SecretNotOwned');
    expect(await issuer.letsIn(taken)).toBe(true); // in its overlap
    await site.api.delete(issuer.path);
    expect(await issuer.says('InUse')).toContain('2 credentials');
    await site.api.patch(issuer.path, { metadata: { finalizers: null } });
    await eventually('it is gone', async () => (await site.api.get(issuer.path)) === undefined);
    await issuer.robotSays(namespace, 'robot', 'IssuerNotFound');

    await OwnRegistryIssuer.make(site, namespace, { allowedNamespaces: { from: 'None' } });
    await issuer.robotSays(namespace, 'robot', 'NamespaceNotAllowed');
    expect(await issuer.stateOf(namespace, 'robot')).toBe('Stalled');
    for (const old of [login, taken]) expect(await issuer.letsIn(old)).toBe(false);

    await site.api.patch(issuer.path, { spec: { allowedNamespaces: { from: 'All' } } });
    const next = await issuer.next(namespace, 'robot', login);
    await issuer.robotSays(namespace, 'robot', 'Issued');
    expect(await issuer.letsIn(next)).toBe(true);
    const { id, previous = [] } = await issuer.status(namespace, 'robot');
    expect({ id, previous }).toEqual({ id: 1, previous: [] }); // it was 2
    for (const old of [login, taken]) expect(await issuer.letsIn(old)).toBe(false);
  });
});

/** Somebody puts another Secret in the place of a robot's, before it can be made again. */
async function takeName(namespace: string, name: string): Promise<void> {
  const pausing = (paused: string | null) => hub.annotate(namespace, name, { 'botmint.dev/paused': paused });
  await pausing('true');
  await eventually('it is paused', async () => (await hub.stateOf(namespace, name)).includes('Paused'));
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  await site.api.delete(`${secrets}/${name}`);
  await site.api.create(secrets, { metadata: { name }, stringData: { theirs: 'x' } });
  await pausing(null);
}
