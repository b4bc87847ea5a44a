import { join } from 'node:path';
import { z } from 'zod';
import type { Api } from '../cluster/api.ts';
import { SetupNeeded } from '../cluster/build.ts';
import { Authority } from '../cluster/certificates.ts';
import { eventually } from '../cluster/wait.ts';
import type { OperatorProcess } from '../e2e/operator-process.ts';
import { builtRegistry } from '../registry/build.ts';
import { Crane, type Ran } from '../registry/crane.ts';
import { RegistryProcess } from '../registry/registry-process.ts';
import { say } from './say.ts';
import { held, secretOf } from './secrets.ts';

const issuerPath = '/apis/botmint.dev/v1alpha1/clustertokenissuers/registry';
const caPath = '/api/v1/namespaces/botmint-system/configmaps/botmint-ca';

const Issuer = z.object({ status: z.object({ rootCertBundle: z.string() }) });
const CA = z.object({ data: z.object({ 'ca.crt': z.string() }) });

export interface Around {
  api: Api;
  /** Shows what it runs and what that prints. */
  kubectl: (...args: string[]) => Promise<string>;
  apply: (manifest: string) => Promise<unknown>;
  operator: OperatorProcess;
  /** Takes away what is started here. */
  stack: AsyncDisposableStack;
}

/** A registry that trusts what botmint signs, and robots that push to it, or may not. The example is applied already. */
export async function registryAct(around: Around): Promise<void> {
  const { api, kubectl, apply } = around;
  say.act('A registry, and robots that use it');
  const binaries = await builtRegistry(say.note).catch(leftOut);
  if (binaries === undefined) return;
  const { registry, crane } = await startRegistry(binaries, around);
  const use = async (secret: string, ...args: string[]) => {
    say.run(`crane ${args.map(arg => (arg.startsWith('/') ? 'layer.tar' : arg)).join(' ')}   # as ${secret}`);
    const ran = await crane.runWith(held(await secretOf(api, secret), '.dockerconfigjson') ?? '', args);
    say.show(lastLine(ran));
    return ran;
  };

  say.step('Push with the robot of the examples');
  await kubectl('get', 'robots');
  const image = `${registry.host}/payments/app:v1`;
  const push = async (to: string) => ['append', '-f', await crane.layer(), '-t', to];
  expect(await use('ci-push', ...(await push(image))), 'the push');
  say.good('the Secret ci-push is an image pull secret: the configuration of docker, as it stands');

  say.step('A robot that may only pull');
  await apply(puller);
  say.run('kubectl apply -f ci-pull.yaml   # the same with permissions: [PullArtifacts]');
  await kubectl('wait', '--for=condition=Ready', '--timeout=90s', 'robot', 'ci-pull');
  expect(await use('ci-pull', 'digest', image), 'the pull');
  expectNot(await use('ci-pull', ...(await push(image))), 'the push of a robot that may only pull');
  say.good('it pulls, and its push is refused by the registry');

  say.step('Disable a robot');
  const disable = async (disabled: boolean) => {
    await kubectl('patch', 'robot', 'ci-push', '--type=merge', '-p', JSON.stringify({ spec: { disabled } }));
    await kubectl('wait', `--for=jsonpath={.status.enabled}=${!disabled}`, '--timeout=90s', 'robot', 'ci-push');
  };
  await disable(true);
  expectNot(await use('ci-push', ...(await push(image))), 'the push of a disabled robot');
  say.good('its login is refused');
  await disable(false);
  expect(await use('ci-push', ...(await push(image))), 'the push of a robot that is enabled again');
  say.good('and the same secret works again');
}

/** Whoever has a cluster needs no Go for the first act. */
function leftOut(error: unknown): undefined {
  if (!(error instanceof SetupNeeded)) throw error;
  say.note(`Left out: ${error.message}`);
}

/** Resolves when the Secret of the example is for this registry. */
async function startRegistry(binaries: string, { api, kubectl, operator, stack }: Around) {
  say.step('A distribution registry whose token server is botmint');
  say.run('kubectl get cti registry -o jsonpath={.status.rootCertBundle} > roots.pem');
  const { status } = Issuer.parse(await api.get(issuerPath));
  const web = await Authority.create('demo');
  const realm = `https://localhost:${operator.started.port}/registry/registry/token`;
  const token = { realm, service: 'registry.example.com', issuer: 'botmint', rootcertbundle: status.rootCertBundle };
  const serving = await web.server({ dns: ['localhost'], ip: ['127.0.0.1'] });
  const options = { binary: join(binaries, 'registry'), token, serving };
  const registry = stack.adopt(await RegistryProcess.start(options), started => started.stop());
  say.note(`The registry runs at ${registry.host}, with roots.pem as its rootcertbundle and ${realm} as its realm`);
  const patch = JSON.stringify({ spec: { registry: { host: registry.host } } });
  await kubectl('patch', 'cti', 'registry', '--type=merge', '-p', patch);
  const isFor = async () => held(await secretOf(api, 'ci-push'), '.dockerconfigjson')?.includes(registry.host);
  await eventually('the image pull secret is for the registry', isFor);
  const { data } = CA.parse(await api.get(caPath));
  const trusted = `${web.pair.certificate}\n${data['ca.crt']}`;
  return { registry, crane: await Crane.create(join(binaries, 'crane'), registry.path('crane'), trusted) };
}

const puller = JSON.stringify({
  apiVersion: 'botmint.dev/v1alpha1',
  kind: 'RobotAccount',
  metadata: { name: 'ci-pull', namespace: 'default' },
  spec: {
    issuerRef: { kind: 'ClusterTokenIssuer', name: 'registry' },
    project: 'payments',
    permissions: ['PullArtifacts'],
    expiresIn: '90d',
  },
});

/** What crane has to say in the end. */
function lastLine({ stdout, stderr }: Ran): string {
  return `${stdout}${stderr}`.trimEnd().split('\n').at(-1) ?? '';
}

function expect({ ok }: Ran, what: string): void {
  if (!ok) throw new Error(`${what} was refused`);
}

function expectNot({ ok }: Ran, what: string): void {
  if (ok) throw new Error(`${what} was not refused`);
}
