import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { deployFiles, deployPath, manifestsOf, type Rule, rulesOf } from './manifests.ts';

const cluster = sharedCluster();
let namespace: string;
let elsewhere: string;

beforeAll(async () => {
  for (const file of ['00-namespace.yaml', 'serviceaccount.yaml', 'rbac.yaml', 'user-roles.yaml']) {
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', deployPath(file)]);
  }
  [namespace, elsewhere] = [await cluster.namespace(), await cluster.namespace()];
  const api = await cluster.api();
  for (const role of ['view', 'edit', 'admin']) {
    await api.create(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
      metadata: { name: role },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: `${role}er` }],
    });
  }
  // Roles are in force a moment after they are made, and the cluster's own take ours in one after the other.
  for (const [allowed, right, where] of operatorMay)
    if (allowed) await eventually(`the operator may ${right}`, () => isAllowed(operator, attributes(right, where)));
  for (const [role, allowed, right] of peopleMay)
    if (allowed) await eventually(`${role} may ${right}`, () => isAllowed(`${role}er`, attributes(right, namespace)));
});

interface Attributes {
  verb: string;
  resource: string;
  subresource?: string | undefined;
  group: string;
  namespace?: string | undefined;
  name?: string | undefined;
}

const answered = z.object({ status: z.object({ allowed: z.boolean() }) });

async function isAllowed(user: string, resourceAttributes: Attributes): Promise<boolean> {
  const answer = await (await cluster.api()).call('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    method: 'POST',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups: ['system:authenticated'], resourceAttributes },
    },
  });
  return answered.parse(answer.body).status.allowed;
}

/** `verb resource[/subresource][.group] [name]` */
function attributes(right: string, where: string | undefined): Attributes {
  const [verb = '', what = '', name] = right.split(' ');
  const [path = '', ...group] = what.split('.');
  const [resource = '', subresource] = path.split('/');
  return { verb, resource, subresource, group: group.join('.'), namespace: where, name };
}

const operator = 'system:serviceaccount:botmint-system:botmint';
const system = 'botmint-system';

// One line for each right. Whoever adds one says here why the operator cannot do without.
const clusterRights = [
  // observes its kinds; patch: finalizers
  'botmint.dev: clustertokenissuers, botusers, bottokens, robotaccounts: get, list, watch, patch',
  // conditions and records
  'botmint.dev: clustertokenissuers/status, botusers/status, bottokens/status, robotaccounts/status: patch',
  // owner references that block deletion, on OpenShift
  'botmint.dev: bottokens/finalizers, robotaccounts/finalizers: update',
  // credentials in any namespace, and its own keys
  ': secrets: get, list, watch, create, patch, delete',
  // allowedNamespaces
  ': namespaces: get, list, watch',
  // secret.copies.imagePullSecretsOf
  ': serviceaccounts: get, list, watch, patch',
  // spec.restart
  'apps: deployments, statefulsets, daemonsets: get, patch',
  'events.k8s.io: events: create, patch',
  // introspection
  'authentication.k8s.io: tokenreviews: create',
  'authorization.k8s.io: subjectaccessreviews: create',
];
const ownNamespaceRights = [
  // shards
  'coordination.k8s.io: leases: list, create, patch, delete',
  // what is to be revoked and outlives its object
  'botmint.dev: revocations: get, list, watch, create, patch, delete',
  'botmint.dev: revocations/status: patch',
  // the cluster id, the CA, the status lists and the numbers of robots
  ': configmaps: get, list, watch, create, patch',
];

function line({ apiGroups, resources, resourceNames, verbs }: Rule): string {
  const names = resourceNames ? ` ${resourceNames.join(', ')}` : '';
  return `${apiGroups.join(', ')}: ${resources.join(', ')}${names}: ${verbs.join(', ')}`;
}

test('the operator has these rights and no others', () => {
  expect(rulesOf('rbac.yaml', 'ClusterRole', 'botmint').map(line)).toEqual(clusterRights);
  expect(rulesOf('rbac.yaml', 'Role', 'botmint').map(line)).toEqual(ownNamespaceRights);
  const roles = deployFiles()
    .flatMap(manifestsOf)
    .filter(({ kind }) => kind.endsWith('Role'));
  expect(roles.map(({ metadata }) => metadata.name).toSorted()).toEqual([
    'botmint',
    'botmint',
    'botmint-edit',
    'botmint-introspect',
    'botmint-view',
  ]);
});

test('no role has a star in it', () => {
  const roles = deployFiles()
    .flatMap(manifestsOf)
    .filter(({ kind }) => kind.endsWith('Role'));
  expect(JSON.stringify(roles.map(({ rules }) => rules))).not.toContain('*');
});

const operatorMay: [allowed: boolean, right: string, where: string | undefined][] = [
  [true, 'patch bottokens.botmint.dev', 'any'],
  [true, 'patch bottokens/status.botmint.dev', 'any'],
  [true, 'patch robotaccounts.botmint.dev', 'any'],
  [true, 'patch robotaccounts/status.botmint.dev', 'any'],
  [true, 'update robotaccounts/finalizers.botmint.dev', 'any'],
  [true, 'create secrets', 'any'],
  [true, 'create tokenreviews.authentication.k8s.io', undefined],
  [true, 'create events.events.k8s.io', 'default'],
  [true, 'patch leases.coordination.k8s.io', system],
  [true, 'patch configmaps botmint-ca', system],
  [true, 'create revocations.botmint.dev', system],
  [true, 'delete revocations.botmint.dev', system],
  // What stands in another namespace is nobody's wish, and not looked at.
  [false, 'list revocations.botmint.dev', 'any'],
  [false, 'create revocations.botmint.dev', 'any'],
  [true, 'patch deployments.apps', 'any'],
  [true, 'get daemonsets.apps', 'any'],
  // Neither all workloads, nor their scale, nor pods.
  [false, 'list deployments.apps', 'any'],
  [false, 'watch statefulsets.apps', 'any'],
  [false, 'update deployments.apps', 'any'],
  [false, 'delete daemonsets.apps', 'any'],
  [false, 'patch deployments/scale.apps', 'any'],
  [false, 'patch replicasets.apps', 'any'],
  [false, 'delete pods', 'any'],
  // It makes none of the objects that people write, and takes none away.
  [false, 'create bottokens.botmint.dev', 'any'],
  [false, 'delete bottokens.botmint.dev', 'any'],
  [false, 'update bottokens.botmint.dev', 'any'],
  [false, 'create robotaccounts.botmint.dev', 'any'],
  [false, 'delete robotaccounts.botmint.dev', 'any'],
  [false, 'create clustertokenissuers.botmint.dev', undefined],
  // A PUT would overwrite what it has not read.
  [false, 'update secrets', 'any'],
  [false, 'deletecollection secrets', 'any'],
  [true, 'patch configmaps botmint-status-1', system],
  [false, 'delete configmaps botmint-status-1', system],
  [false, 'get configmaps', 'any'],
  [false, 'patch configmaps', 'any'],
  [false, 'patch leases.coordination.k8s.io', 'kube-system'],
  [true, 'patch serviceaccounts', 'any'],
  [false, 'create serviceaccounts', 'any'],
  [false, 'update serviceaccounts', 'any'],
  [false, 'delete serviceaccounts', 'any'],
  [false, 'create serviceaccounts/token', 'any'],
  [false, 'impersonate users', undefined],
  [false, 'create pods', 'any'],
  [false, 'escalate clusterroles.rbac.authorization.k8s.io', undefined],
];

test.each(operatorMay)('the operator: %s: %s (in %s)', async (allowed, right, where) => {
  expect(await isAllowed(operator, attributes(right, where))).toBe(allowed);
});

const peopleMay: [role: string, allowed: boolean, right: string][] = [
  ['view', true, 'get bottokens.botmint.dev'],
  ['view', true, 'watch botusers.botmint.dev'],
  ['view', true, 'list robotaccounts.botmint.dev'],
  ['view', false, 'create bottokens.botmint.dev'],
  ['view', false, 'patch robotaccounts.botmint.dev'],
  ['view', false, 'patch bottokens/status.botmint.dev'],
  ['view', false, 'create introspections.botmint.dev'],
  ['view', false, 'get introspections.botmint.dev'],
  ['view', false, 'get secrets'],
  ['view', false, 'get revocations.botmint.dev'],
  ['edit', true, 'get bottokens.botmint.dev'],
  ['edit', true, 'create bottokens.botmint.dev'],
  ['edit', true, 'update botusers.botmint.dev'],
  ['edit', true, 'patch bottokens.botmint.dev'],
  ['edit', true, 'deletecollection bottokens.botmint.dev'],
  ['edit', true, 'create robotaccounts.botmint.dev'],
  ['edit', true, 'delete robotaccounts.botmint.dev'],
  ['edit', false, 'patch bottokens/status.botmint.dev'],
  ['edit', false, 'patch robotaccounts/status.botmint.dev'],
  ['edit', false, 'patch botusers/status.botmint.dev'],
  ['edit', false, 'create clustertokenissuers.botmint.dev'],
  ['edit', false, 'patch clustertokenissuers.botmint.dev'],
  ['edit', false, 'delete clustertokenissuers.botmint.dev'],
  ['edit', false, 'use clustertokenissuers.botmint.dev'],
  ['edit', false, 'create introspections.botmint.dev'],
  ['admin', true, 'delete botusers.botmint.dev'],
  ['admin', true, 'update robotaccounts.botmint.dev'],
  ['admin', false, 'patch clustertokenissuers.botmint.dev'],
  ['admin', false, 'get revocations.botmint.dev'],
  ['admin', false, 'create revocations.botmint.dev'],
  ['admin', false, 'delete revocations.botmint.dev'],
  ['admin', false, 'patch bottokens/status.botmint.dev'],
  ['admin', false, 'create introspections.botmint.dev'],
];

test.each(peopleMay)('who may %s a namespace: %s: %s', async (role, allowed, right) => {
  expect(await isAllowed(`${role}er`, attributes(right, namespace))).toBe(allowed);
  expect(await isAllowed(`${role}er`, attributes(right, elsewhere))).toBe(false);
});

test('botmint-introspect gives introspection, by issuer if wanted, and nothing else', () => {
  expect(rulesOf('user-roles.yaml', 'ClusterRole', 'botmint-introspect').map(line)).toEqual([
    'botmint.dev: introspections: create',
  ]);
});
