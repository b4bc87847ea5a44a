import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { describeOwnControlPlane, eventually, sharedCluster } from '../cluster/cluster.ts';
import { botToken, botUser, clusterTokenIssuer, registryIssuer, robotAccount } from './manifests.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'uninstall.md'), 'utf8');
/** The commands of the page, in its order. */
const [credentials = '', issuers = '', rest = '', withoutOperator = ''] = [...page.matchAll(/```sh\n(.*?)```/gs)].map(
  ([, commands = '']) => commands,
);
let site: Site | undefined;

afterEach(async () => {
  await site?.close();
  site = undefined;
});

/** Runs commands of the page as a person does in a shell; what they print. Fails with the first that fails. */
async function run(commands: string): Promise<string> {
  const { binaries, kubeconfigPath } = site?.plane ?? {};
  // Without a home, kubectl keeps what it has discovered in the working directory.
  const HOME = process.env.HOME ?? tmpdir();
  const env = { HOME, PATH: `${binaries}:${process.env.PATH}`, KUBECONFIG: kubeconfigPath };
  const shell = ['-euo', 'pipefail', '-c', commands];
  const { stdout, stderr } = await promisify(execFile)('bash', shell, { cwd: root, env, timeout: 280_000 });
  return stdout + stderr;
}

/** Two namespaces with bots, tokens and a robot, one of them with issuers of its own; everything is issued. */
async function inhabited(): Promise<{ site: Site; namespaces: string[]; issuer: { name: string; url: string } }> {
  const opened = await Site.open(cluster);
  site = opened;
  await opened.start();
  const namespaces = [await opened.namespace(), await opened.namespace()];
  const [first = '', second = ''] = namespaces;
  const issuer = { name: `own-${first}`, url: `https://own-${first}.example.com` };
  const issuerRef = { kind: 'ClusterTokenIssuer', name: issuer.name };
  await opened.apply(clusterTokenIssuer(issuer.name), first);
  await opened.apply(botUser('bot', { issuerRef }) + botToken('one') + botToken('two', { expiresIn: 'never' }), first);
  await opened.apply(botUser('bot') + botToken('one', { rotation: {} }) + botToken('two'), second);
  await opened.apply(registryIssuer(`hub-${first}`) + robotAccount('robot', `hub-${first}`), first);
  await opened.apply(robotAccount('robot', `hub-${first}`, { project: 'other' }), second);
  for (const namespace of namespaces) {
    await opened.ready('robotaccounts', namespace, 'robot', 'Issued');
    for (const name of ['one', 'two']) await opened.ready('bottokens', namespace, name, 'Issued');
  }
  return { site: opened, namespaces, issuer };
}

async function active(of: Site, issuer: { name: string; url: string }): Promise<number> {
  const asked = of.mintedTokens().flatMap(token => [of.introspect(token), of.introspect(token, issuer)]);
  return (await Promise.all(asked)).filter(answer => answer.active).length;
}

async function nothingIsLeft(of: Site, namespaces: readonly string[]): Promise<void> {
  for (const namespace of namespaces) {
    await eventually('its Secrets are gone', async () => (await secretsIn(of, namespace)).length === 0);
    await of.api.delete(`/api/v1/namespaces/${namespace}`);
    const gone = async () => (await of.api.get(`/api/v1/namespaces/${namespace}`)) === undefined;
    await eventually('the namespace of users goes, too', gone);
  }
  expect(await of.kubectl(['get', 'crds', '-o', 'name'])).not.toContain('botmint');
  expect(await of.api.get('/api/v1/namespaces/botmint-system')).toBeUndefined();
  const kinds = ['clusterroles', 'validatingadmissionpolicies', 'validatingadmissionpolicybindings'];
  const left = await of.kubectl(['get', kinds.join(), '-o', 'name', '-l', 'app.kubernetes.io/name=botmint']);
  expect(left).toBe('');
}

function secretsIn(of: Site, namespace: string) {
  return of.api.list(`/api/v1/namespaces/${namespace}/secrets`);
}

describeOwnControlPlane('docs/uninstall.md', () => {
  test('has four blocks of commands', () => {
    expect([...page.matchAll(/```sh\n/g)]).toHaveLength(4);
  });

  test('leaves nothing stuck and nothing alive', { timeout: 600_000 }, async () => {
    const { site: on, namespaces, issuer } = await inhabited();
    expect(await active(on, issuer)).toBe(4);
    expect(await run(credentials)).toContain('No resources found');
    expect(await active(on, issuer)).toBe(0);
    for (const namespace of namespaces) expect(await secretsIn(on, namespace)).toEqual([]);
    await run(issuers);
    expect(await on.kubectl(['get', 'clustertokenissuers', '-o', 'name'])).toBe('');
    await run(rest);
    await nothingIsLeft(on, namespaces);
    // Its ServiceAccount is gone, and still it ends as it is asked to.
    expect(await on.operator.stop()).toBe(0);
  });

  test('may be followed to the end without an operator, and a namespace that hung is freed', {
    timeout: 600_000,
  }, async () => {
    const { site: on, namespaces } = await inhabited();
    await on.operator.kill();
    const [hanging = '', ...others] = namespaces;
    await on.api.delete(`/api/v1/namespaces/${hanging}`);
    const isWaiting = async () => (await on.token(hanging, 'one'))?.metadata.deletionTimestamp !== undefined;
    await eventually('its tokens wait for the operator', isWaiting);
    await run(withoutOperator);
    await nothingIsLeft(on, others);
    const gone = async () => (await on.api.get(`/api/v1/namespaces/${hanging}`)) === undefined;
    await eventually('the hanging namespace is gone', gone);
  });
});
