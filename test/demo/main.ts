// `npm run demo`: the main job, on a real control plane, in front of a person's eyes.
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { z } from 'zod';
import { StatusList } from '../../src/issuers/jwt/status-list.ts';
import { Api } from '../cluster/api.ts';
import { SetupNeeded } from '../cluster/build.ts';
import { applyCRDs } from '../cluster/crds.ts';
import { eventually } from '../cluster/wait.ts';
import { OperatorProcess } from '../e2e/operator-process.ts';
import { builtinURL, RelyingParty, relyingPartyManifest } from '../e2e/relying-party.ts';
import { registryAct } from './registry-act.ts';
import { say } from './say.ts';
import { held, secretOf } from './secrets.ts';
import { openStage, type Stage } from './stage.ts';

const root = join(import.meta.dirname, '..', '..');
const examples = 'test/examples/';

async function demo(keep: boolean): Promise<void> {
  const began = performance.now();
  say.step(process.env.BOTMINT_KUBECONFIG ? 'Your cluster' : 'A real kube-apiserver with etcd, on this machine alone');
  await using stack = new AsyncDisposableStack();
  const stage = stack.adopt(await openStage(say.note), opened => opened.stop());
  const kubectl = async (...args: string[]) => {
    say.run(`kubectl ${args.join(' ')}`);
    const printed = await stage.kubectl(args.map(arg => (/^(crds|deploy|test)\//.test(arg) ? join(root, arg) : arg)));
    say.show(printed);
    return printed;
  };
  say.good(`ready after ${seconds(began)}`);

  say.step('Install: the kinds, then everything else');
  await applyCRDs(stage.kubectl);
  say.run('kubectl apply -f crds/');
  await kubectl('apply', '-f', 'deploy/');
  await stage.kubectl(['apply', '-f', '-'], { input: relyingPartyManifest });
  const api = stack.use(await Api.open(stage.kubeconfigPath));
  const { kubeconfigPath: kubeconfig } = await stage.tokenFor('botmint', []);
  const relyingParty = new RelyingParty(api, async audience => {
    const { token } = await stage.tokenFor('relying-party', [audience]);
    return token;
  });
  let operator = await OperatorProcess.start({ kubeconfig });
  stack.defer(async () => void (await operator.stop()));
  // While the operator still runs, so that the finalizers go.
  stack.defer(async () => void (await stage.kubectl(['delete', '--ignore-not-found', 'crd', ...crds])));
  say.good('the operator runs, with the rights of its ServiceAccount and no others');

  say.step('Apply a bot and its tokens, and the Secrets are there');
  const applied = performance.now();
  await kubectl('apply', '-f', examples);
  const token = await eventually('the Secret ci', async () => held(await secretOf(api, 'ci'), 'BUF_TOKEN'));
  say.good(`the Secret ci holds BUF_TOKEN ${seconds(applied)} after the apply began`);
  await kubectl('wait', '--for=condition=Ready', '--timeout=90s', 'bottokens', '--all');
  await kubectl('get', 'bots,bt');
  say.note('A pod uses it like any Secret:');
  say.show('env:\n- name: BUF_TOKEN\n  valueFrom: {secretKeyRef: {name: ci, key: BUF_TOKEN}}');

  say.step('A relying party verifies the token with the published keys');
  say.run(`curl --cacert ca.crt ${builtinURL}/.well-known/openid-configuration`);
  const claims = await verified(relyingParty, operator, token);
  say.show(JSON.stringify(claims, null, 2));
  say.good('signature, issuer, audience, type and end are right');
  const activeNow = await relyingParty.introspect(operator.started.port, token);
  say.good(`introspection (RFC 7662) says ${JSON.stringify({ active: activeNow.active })}`);

  say.step('Restart the operator: nothing is issued again');
  const before = await secretOf(api, 'ci');
  await operator.kill();
  say.note('killed with SIGKILL, started again');
  await api.delete('/apis/coordination.k8s.io/v1/namespaces/botmint-system/leases');
  operator = await OperatorProcess.start({ kubeconfig });
  await api.create('/apis/botmint.dev/v1alpha1/namespaces/default/bottokens', another);
  await eventually('the Secret another', async () => held(await secretOf(api, 'another'), 'BUF_TOKEN'));
  const after = await secretOf(api, 'ci');
  if (before?.metadata.resourceVersion !== after?.metadata.resourceVersion)
    throw new Error('the Secret ci was written again');
  say.good('a new token was served meanwhile, and the Secret ci has the resourceVersion it had before');

  say.step('Rotate a token: the old one works on for its overlap');
  const older = held(await secretOf(api, 'deployer-credentials'), 'BUF_TOKEN') ?? '';
  await kubectl('annotate', 'bottoken', 'deployer', 'botmint.dev/rotate=now');
  const deployer = await eventually('a new token', async () => {
    const newer = held(await secretOf(api, 'deployer-credentials'), 'BUF_TOKEN');
    return newer === older ? undefined : newer;
  });
  await kubectl('wait', '--for=jsonpath={.status.revision}=2', '--timeout=90s', 'bottoken', 'deployer');
  await kubectl('get', 'bottoken', 'deployer', '-o', `jsonpath-as-json={.status['tokenID','previous']}`);
  for (const [which, one] of Object.entries({ 'the new one': deployer, 'and the old one': older })) {
    const { active } = await relyingParty.introspect(operator.started.port, one);
    say.good(`${which}: introspection says ${JSON.stringify({ active })}`);
  }

  say.step('Revoke one token; the other one of the bot lives on');
  say.note('A relying party that verifies offline reads the status list that the token names:');
  say.good(`before: ${await statusOf(relyingParty, operator, token)}`);
  await kubectl('patch', 'bottoken', 'ci', '--type=merge', '-p', '{"spec":{"revoked":true}}');
  await eventually(
    'the token is inactive',
    async () => !(await relyingParty.introspect(operator.started.port, token)).active,
  );
  say.good('introspection says {"active":false} for the revoked one');
  await eventually('the list says so', async () => (await statusOf(relyingParty, operator, token)).includes('INVALID'));
  say.good(`after: ${await statusOf(relyingParty, operator, token)}`);
  const other = await relyingParty.introspect(operator.started.port, deployer);
  say.good(`and ${JSON.stringify({ active: other.active })} for the deployer's`);

  say.step('Delete the bot: all its tokens end first');
  await kubectl('delete', 'botuser', 'ci');
  await eventually('the Secrets are gone', async () => (await secretOf(api, 'deployer-credentials')) === undefined);
  const dead = await relyingParty.introspect(operator.started.port, deployer);
  say.good(`the deployer's token is ${JSON.stringify({ active: dead.active })}`);
  await kubectl('get', 'bottokens,secrets');

  await registryAct({ api, kubectl, apply: input => stage.kubectl(['apply', '-f', '-'], { input }), operator, stack });

  console.log(`\n${styleText('bold', `All of that took ${seconds(began)}.`)}`);
  if (keep) await kept(stage);
  else tryNext();
}

const crds = ['bottokens', 'botusers', 'clustertokenissuers', 'revocations', 'robotaccounts'].map(
  name => `${name}.botmint.dev`,
);

const another = {
  apiVersion: 'botmint.dev/v1alpha1',
  kind: 'BotToken',
  metadata: { name: 'another' },
  spec: { botUserRef: { name: 'ci' }, expiresIn: '1h' },
};

async function verified(relyingParty: RelyingParty, operator: OperatorProcess, token: string) {
  const { port } = operator.started;
  const discovery = z
    .object({ issuer: z.literal(builtinURL), jwks_uri: z.string() })
    .parse(JSON.parse((await relyingParty.fetch(port, '/.well-known/openid-configuration')).text));
  const keys = JSON.parse((await relyingParty.fetch(port, new URL(discovery.jwks_uri).pathname)).text);
  const options = { issuer: builtinURL, audience: builtinURL, algorithms: ['ES256'], typ: 'bot+jwt' };
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys), options);
  return { header: decodeProtectedHeader(token), claims: payload };
}

/** What the status list says of a token, as its claim `status` says where to look (draft-ietf-oauth-status-list, section 8). */
async function statusOf(relyingParty: RelyingParty, operator: OperatorProcess, token: string): Promise<string> {
  const { status } = StatusClaim.parse(decodeJwt(token));
  const { idx, uri } = status.status_list;
  const { text } = await relyingParty.fetch(operator.started.port, new URL(uri).pathname);
  const { status_list: list } = ListClaims.parse(decodeJwt(text));
  return `index ${idx} of ${uri} is ${StatusList.decode(list.lst).at(idx)}`;
}

const StatusClaim = z.object({ status: z.object({ status_list: z.object({ idx: z.number(), uri: z.string() }) }) });
const ListClaims = z.object({ status_list: z.object({ bits: z.literal(2), lst: z.string() }) });

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

async function kept(stage: Stage): Promise<void> {
  console.log('Everything still runs. In a second terminal:\n');
  console.log(`export KUBECONFIG=${stage.kubeconfigPath}`);
  if (stage.binaries !== undefined) console.log(`export PATH="${stage.binaries}:$PATH"`);
  console.log('\nCtrl-C ends it and leaves nothing.');
  await new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

function tryNext(): void {
  console.log(`
What to try next:
  npm run demo -- --keep      the same, and the cluster stays for your own kubectl
  npm run cluster             a control plane in the foreground, with botmint installed;
  npm run operator            and the operator, in a second terminal
  docs/lifecycle.md           what happens to a token or a robot, event by event
  docs/registry.md            how a registry of your own is told that botmint is its token server
  docs/reference/             every field of the kinds, the conditions, the token
`);
}

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
try {
  await demo(values.keep);
} catch (error) {
  console.error(
    styleText(
      'red',
      error instanceof SetupNeeded
        ? error.message
        : `the demo failed: ${error instanceof Error ? error.stack : String(error)}`,
    ),
  );
  process.exitCode = 1;
}
