import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Observed, Step } from '../../src/decide/credential-seen.ts';
import type { StatusWrite } from '../../src/decide/credential-status.ts';
import {
  annotated,
  botUser,
  inputs,
  issuer,
  madeFrom,
  now,
  type Situation,
  seen,
  withIssuerSpec,
  withSecretSpec,
  withSpec,
  withUserSpec,
} from './healthy.ts';
import * as robots from './robots.ts';
import { written } from './told.ts';

// docs/lifecycle.md says what each change does. Here every row of it is done to a healthy token or robot, and the steps are counted.

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'lifecycle.md'), 'utf8');
const table = page.split('## What a change does\n')[1]?.split('\n## ')[0] ?? '';
const rows = [...table.matchAll(/^\| (.+?) \| (.+?) \| (\w+) \|$/gm)]
  .map(([, field = '', change = '', answer = '']) => ({ row: `${field}: ${change}`, answer }))
  .filter(({ answer }) => answer !== 'answer');

const [github, more] = [inputs.identities[0] ?? { service: '', id: '' }, { service: 'gitlab', id: 'acme' }];
const audience = 'https://buf.example.com';
const cut = madeFrom({ notAfter: inputs.expiresAt });

/** What a row does to the healthy token; rows that the API server refuses are not here: test/api/updates.cluster.test.ts has them. */
const changes: { [row: string]: Partial<Situation> } = {
  'BotToken `spec.label`: any': { token: withSpec({ label: 'another' }) },
  'BotToken `spec.expiresIn`: longer': { token: withSpec({ expiresIn: '91d' }) },
  'BotToken `spec.expiresIn`: shorter': { token: withSpec({ expiresIn: '89d' }) },
  'BotToken `spec.expiresIn`: the same in another unit': { token: withSpec({ expiresIn: '3mo' }) },
  'BotToken `spec.audiences`: one more': { token: withSpec({ audiences: [audience, 'https://api.example.com'] }) },
  'BotToken `spec.audiences`: one less, or another': { token: withSpec({ audiences: ['https://api.example.com'] }) },
  'BotToken `spec.scopes`: one more': { token: withSpec({ scopes: [...inputs.scopes, 'modules:admin'] }) },
  'BotToken `spec.scopes`: one less, or another': { token: withSpec({ scopes: ['modules:read'] }) },
  'BotToken `spec.scopes`: another order': { token: withSpec({ scopes: inputs.scopes.toReversed() }) },
  'BotToken `spec.rotation`: any: it counts from the next issue': {
    token: withSpec({ rotation: { renewBefore: '20d', overlap: '0s' } }),
  },
  'BotToken `spec.restart`: any: it counts from the next issue': {
    token: withSpec({ restart: [{ kind: 'Deployment', name: 'web' }] }),
  },
  'BotToken `spec.secret.data`: any': { token: withSecretSpec({ data: [{ key: 'OTHER', template: '$(token)' }] }) },
  'BotToken `spec.secret.labels`: any': { token: withSecretSpec({ labels: { team: 'b' } }) },
  'BotToken `spec.secret.annotations`: any': { token: withSecretSpec({ annotations: { note: 'x' } }) },
  'BotToken `spec.secret.onLost`: any': { token: withSecretSpec({ onLost: 'Stall' }) },
  'BotToken annotation `botmint.dev/rotate`: a new value': { token: annotated({ [rotateAnnotation]: '1' }) },
  'BotToken annotation `botmint.dev/replace`: a new value': { token: annotated({ [replaceAnnotation]: '1' }) },
  'BotToken annotation `botmint.dev/rotate`: taken off': madeFrom({ handled: { rotate: '1' } }),
  'BotUser `spec.description`: any': { botUser: withUserSpec({ description: 'another' }) },
  'BotUser `spec.allowedNamespaces`: a namespace less: the next issue is refused': {
    token: withSpec({ botUserRef: { name: 'ci', namespace: 'team-b' } }),
    botUser: { ...botUser, metadata: { ...botUser.metadata, namespace: 'team-b' } },
  },
  'BotUser `spec.identities`: one more': { botUser: withUserSpec({ identities: [github, more] }) },
  'BotUser `spec.identities`: one less, or another': { botUser: withUserSpec({ identities: [] }) },
  "BotUser `spec.notAfter`: earlier than the token's end": {
    botUser: withUserSpec({ notAfter: '2027-01-01T00:00:00Z' }),
  },
  "BotUser `spec.notAfter`: later than the token's end": {
    botUser: withUserSpec({ notAfter: '2028-01-01T00:00:00Z' }),
  },
  'BotUser `spec.notAfter`: later, and it had cut the token short': {
    ...cut,
    botUser: withUserSpec({ notAfter: '2028-01-01T00:00:00Z' }),
  },
  'BotUser `spec.disabled`: true, or false again': { botUser: withUserSpec({ disabled: true }) },
  'ClusterTokenIssuer `spec.jwt.audiences`: another first one': {
    issuer: withIssuerSpec({ jwt: { ...issuer.spec.jwt, audiences: ['https://other', audience] } }),
  },
  'ClusterTokenIssuer `spec.limits`: lower than what is issued: the next issue is refused': {
    issuer: withIssuerSpec({ limits: { scopes: [] } }),
  },
};

const robot = robots.withSpec;
const robotSecret = (change: object) => robot({ secret: { ...robots.served.spec.secret, ...change } });
const asked = (annotations: Record<string, string>) => ({
  ...robots.served,
  metadata: { ...robots.served.metadata, annotations },
});
const hub = (change: object) => {
  const { registry: issuer } = robots;
  return { ...issuer, spec: { ...issuer.spec, registry: { ...issuer.spec.registry, ...change } } };
};
const { project = '', permissions = [], rotation: _, ...bare } = robots.served.spec;

/** A robot of two projects, which is in one of them no more. */
const fewerProjects = (): Partial<robots.Situation> => {
  const pull = ['PullArtifacts' as const];
  const before = robots.madeFrom({ username: 'robot_ci' }, { ...robots.served, spec: { ...bare, projects: [] } });
  const status = ['payments', 'shop'].map(name => ({ project: name, permissions: pull }));
  const spec = { ...bare, projects: [{ name: 'shop', permissions: pull }] };
  return { ...before, robot: { ...before.robot, spec, status: { ...before.robot.status, permissions: status } } };
};

const own = { name: 'own', key: 'secret' };
const source = { state: 'found', uid: 'source-uid', resourceVersion: '5', broken: [] } as const;
const recordedSource = { ...own, uid: source.uid, resourceVersion: source.resourceVersion };
/** A robot with a secret of its own, which has not changed since. */
const withOwn = (): Partial<robots.Situation> & { robot: RobotAccount } => {
  const spec = { ...bare, project, permissions, secret: { ...bare.secret, valueFrom: { secretKeyRef: own } } };
  const made = robots.madeFrom(
    { robot: { ...robots.inputs.robot, source: recordedSource } },
    { ...robots.served, spec },
  );
  return { ...made, source };
};

/** The same for robots. */
const robotChanges: { [row: string]: Partial<robots.Situation> } = {
  'RobotAccount `spec.permissions`: more, or fewer': { robot: robot({ permissions: ['PullArtifacts'] }) },
  'RobotAccount `spec.permissions`: another order': {
    robot: robot({ permissions: ['PullArtifacts', 'PushArtifacts'] }),
  },
  'RobotAccount `spec.projects`: one more, one less, or other permissions in one': fewerProjects(),
  'RobotAccount `spec.disabled`: true, or false again': { robot: robot({ disabled: true }) },
  'RobotAccount `spec.expiresIn`: longer, shorter, or `never`: counted from the issue of the secret': {
    robot: robot({ expiresIn: '91d' }),
  },
  'RobotAccount `spec.expiresIn`: the same in another unit': { robot: robot({ expiresIn: '3mo' }) },
  'RobotAccount `spec.notAfter`: any that has not passed': { robot: robot({ notAfter: '2027-01-01T00:00:00Z' }) },
  'RobotAccount `spec.notAfter`: one that has passed': { robot: robot({ notAfter: '2026-11-30T00:00:00Z' }) },
  'RobotAccount `spec.description`: any': { robot: robot({ description: 'another' }) },
  'RobotAccount `spec.deletionPolicy`: any': { robot: robot({ deletionPolicy: 'Retain' }) },
  'RobotAccount `spec.adoptionPolicy`: Adopt, which a registry cannot': { robot: robot({ adoptionPolicy: 'Adopt' }) },
  'RobotAccount `spec.rotation`: any: it counts from the next issue': {
    robot: robot({ rotation: { renewBefore: '20d', overlap: '1d' } }),
  },
  'RobotAccount `spec.restart`: any: it counts from the next issue': {
    robot: robot({ restart: [{ kind: 'Deployment', name: 'web' }] }),
  },
  'RobotAccount `spec.secret.data`: any': {
    robot: robotSecret({ data: [...robots.inputs.secret.data, { key: 'export.json', format: 'JSON' }] }),
  },
  'RobotAccount `spec.secret.labels`: any': { robot: robotSecret({ labels: { team: 'b' } }) },
  'RobotAccount `spec.secret.annotations`: any': { robot: robotSecret({ annotations: { note: 'x' } }) },
  'RobotAccount `spec.secret.onLost`: any': { robot: robotSecret({ onLost: 'Stall' }) },
  'RobotAccount `spec.secret.valueFrom`: set, or another one, or another value in it': {
    ...withOwn(),
    source: { ...source, resourceVersion: '6' },
  },
  'RobotAccount `spec.secret.valueFrom`: taken out': {
    ...withOwn(),
    robot: { ...withOwn().robot, spec: robots.served.spec },
  },
  'RobotAccount `spec.secret.valueFrom`: its Secret is gone': {
    ...withOwn(),
    source: { state: 'absent', what: 'secret' },
  },
  'RobotAccount annotation `botmint.dev/rotate`: a new value': { robot: asked({ [rotateAnnotation]: '1' }) },
  'RobotAccount annotation `botmint.dev/replace`: a new value': { robot: asked({ [replaceAnnotation]: '1' }) },
  'RobotAccount annotation `botmint.dev/rotate`: taken off': robots.madeFrom({ handled: { rotate: '1' } }),
  'ClusterTokenIssuer `spec.registry.host`: any': { issuer: hub({ host: 'other.example.com' }) },
  'ClusterTokenIssuer `spec.registry.service`: any: the registry must be told as well': {
    issuer: hub({ service: 'other' }),
  },
  'ClusterTokenIssuer `spec.registry.tokenLifetime`: any: it counts from the next login': {
    issuer: hub({ tokenLifetime: '1h' }),
  },
  'ClusterTokenIssuer `spec.registry.anonymous`: any': { issuer: hub({ anonymous: { projects: ['shop'] } }) },
  'ClusterTokenIssuer `spec.limits`: lower than what a robot has: the next wish is refused': {
    issuer: { ...robots.registry, spec: { ...robots.registry.spec, limits: { usernames: ['*'] } } },
  },
};

const open = { ...issuer.spec.limits, identities: ['*'] };
const tried = rows.filter(({ answer, row }) => answer !== 'immutable' && !row.includes('retire-key'));
const [robotRows, tokenRows] = [true, false].map(ofRobots =>
  tried.filter(({ row }) => row in robotChanges === ofRobots),
);

test('the table has a row for each change that is tried here', () => {
  const here = [...Object.keys(changes), ...Object.keys(robotChanges)];
  expect(tried.map(({ row }) => row).sort()).toEqual(here.sort());
});

test.each(tokenRows ?? [])('$row: $answer', ({ row, answer }) => {
  const change = changes[row] ?? {};
  const { issuer: changed = withIssuerSpec({ limits: { ...open } }) } = change;
  const given = seen({ ...change, issuer: changed });
  expect(answerOf(given, step => written(given.object as BotToken, step))).toBe(answer);
});

test.each(robotRows ?? [])('$row: $answer', ({ row, answer }) => {
  const given = robots.seen(robotChanges[row]);
  expect(answerOf(given, () => robots.recorded(given))).toBe(answer);
});

/** What is done to the Secret in the end, whatever is said of it before. */
function answerOf(given: Observed, after: (step: StatusWrite) => Observed['object']): string {
  const first = decide(given, now);
  const step = first.do === 'write-status' ? decide({ ...given, object: after(first) }, now) : first;
  if (step.do === 'issue') return step.replaces ? 'replaces' : 'overlap';
  if (step.do === 'rest' && first.do === 'write-status' && isInForce(first)) return 'status';
  const words: { [does in Step['do']]?: string } = { render: 'entries', label: 'metadata', rest: 'nothing' };
  return words[step.do] ?? step.do;
}

/** What a registry's answers depend on. */
function isInForce({ patch }: StatusWrite): boolean {
  return 'permissions' in patch || 'enabled' in patch;
}

test('a secret of its own that has not changed changes nothing', () => {
  const given = robots.seen(withOwn());
  expect(answerOf(given, () => robots.recorded(given))).toBe('nothing');
});
