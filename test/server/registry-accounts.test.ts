import { expect, test } from 'vitest';
import type { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import { inputsAnnotation, ownerUIDAnnotation, revisionAnnotation } from '../../src/api/names.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import type { OwnSecret } from '../../src/decide/credential-seen.ts';
import { holderOf } from '../../src/decide/robot-name.ts';
import { accountKeyOf } from '../../src/issuers/registry/live.ts';
import type { Metadata } from '../../src/kube/core-kinds.ts';
import { Store } from '../../src/kube/store.ts';
import { type Holder, registryAccounts } from '../../src/server/registry-accounts.ts';
import { issuer as jwtIssuer } from '../decide/healthy.ts';
import { fresh, inputs, registry, secretOf, served, uid } from '../decide/robots.ts';

const holder: Holder = (robots, issuer) =>
  holderOf(
    robots.map(robot => ({ robot, namespaceLabels: {} })),
    issuer,
  );

function caches() {
  const robots = new Store<RobotAccount>({ account: robot => [accountKeyOf(robot)] });
  const issuers = new Store<ClusterTokenIssuer>();
  const secrets = new Store<Metadata>();
  issuers.put(registry);
  robots.put(served);
  return { robots, issuers, secrets };
}

/** The Secret of the robot, as the cache has it. */
function secretIn(name: string, { uid: of, resourceVersion, metadata }: OwnSecret): Metadata {
  const { annotations = {} } = metadata;
  return { metadata: { name, namespace: 'team-a', uid: of, resourceVersion, creationTimestamp: '', annotations } };
}

test('an account is found by its issuer and full name, and by nothing else', () => {
  const of = caches();
  const { accounts } = registryAccounts(of, holder);
  expect(accounts.byName('registry', 'robot_payments+ci')).toMatchObject({ uid: served.metadata.uid });
  for (const [issuer, name] of [
    ['registry', 'payments+ci'],
    ['registry', 'robot_payments+cd'],
    ['registry', 'bot_payments+ci'],
    ['another', 'robot_payments+ci'],
    ['builtin', 'robot_payments+ci'],
  ] as const)
    expect(accounts.byName(issuer, name)).toBeUndefined();
});

test('a change in the cache is there at the next request', () => {
  const of = caches();
  const { accounts } = registryAccounts(of, holder);
  expect(accounts.byName('registry', 'robot_payments+ci')).toMatchObject({ disabled: false });
  of.robots.put({
    ...served,
    metadata: { ...served.metadata, resourceVersion: '8' },
    spec: { ...served.spec, disabled: true },
  });
  expect(accounts.byName('registry', 'robot_payments+ci')).toMatchObject({ disabled: true });
  of.issuers.put({ ...registry, metadata: { ...registry.metadata, uid: 'another', resourceVersion: '9' } });
  expect(accounts.byName('registry', 'robot_payments+ci')).toBeUndefined();
});

test('a new secret counts from the moment its Secret is in the cache, under whatever name', () => {
  for (const [name, robot] of [
    ['ci', served],
    ['pull', { ...served, spec: { ...served.spec, secret: { ...served.spec.secret, name: 'pull' } } }],
  ] as const) {
    const of = caches();
    of.robots.put({ ...robot, metadata: { ...robot.metadata, resourceVersion: '8' } });
    const { accounts } = registryAccounts(of, holder);
    const account = () => accounts.byName('registry', 'robot_payments+ci');
    expect(account()).toMatchObject({ verifiers: [{ revision: 3 }] });
    of.secrets.put(secretIn(name, secretOf(inputs, { revision: 4, tokenID: `${uid}.4.new` })));
    expect(account()).toMatchObject({ verifiers: [{ revision: 3 }, { revision: 4 }] });
  }
});

test('nobody is another account by what somebody has written into a Secret', () => {
  const of = caches();
  of.robots.put({ ...fresh, metadata: { ...fresh.metadata, resourceVersion: '8' } });
  const { accounts } = registryAccounts(of, holder);
  of.secrets.put(secretIn('ci', secretOf({ ...inputs, username: 'robot_payments+admin' })));
  for (const name of ['robot_payments+admin', 'robot_payments+ci'])
    expect(accounts.byName('registry', name)).toBeUndefined();
});

test('of two robots with one name, the one with a secret is the account', () => {
  const of = caches();
  const { accounts } = registryAccounts(of, holder);
  const { status: _, ...rival } = served;
  of.robots.put({
    ...rival,
    metadata: { ...served.metadata, name: 'ci', namespace: 'team-b', uid: 'rival', resourceVersion: '8' },
  });
  expect(accounts.byName('registry', 'robot_payments+ci')).toMatchObject({
    verifiers: [{ verifier: inputs.robot.verifier }],
  });
});

test('of two that were issued at the same moment, it is the older one, whichever came first', () => {
  const account = (...robots: RobotAccount[]) => {
    const of = { ...caches(), robots: new Store<RobotAccount>({ account: robot => [accountKeyOf(robot)] }) };
    for (const robot of robots) of.robots.put(robot);
    return registryAccounts(of, holder).accounts.byName('registry', 'robot_payments+ci');
  };
  const metadata = { ...served.metadata, namespace: 'team-b', uid: 'z' };
  const twin = { ...served, metadata, status: { ...served.status, tokenID: 'z.3.x' } };
  for (const both of [account(served, twin), account(twin, served)])
    expect(both).toMatchObject({ uid: served.metadata.uid });
});

test('of two, it is the one that is recorded, whatever the Secret of an older one says', () => {
  const of = caches();
  const { status: _, ...older } = served;
  const born = { namespace: 'team-b', creationTimestamp: '2026-10-01T00:00:00Z' };
  of.robots.put({ ...older, metadata: { ...older.metadata, ...born, uid: '0', resourceVersion: '8' } });
  const annotations = {
    [ownerUIDAnnotation]: '0',
    [revisionAnnotation]: '1',
    [inputsAnnotation]: JSON.stringify(inputs),
  };
  of.secrets.put({ metadata: { ...born, name: 'ci', uid: 's', resourceVersion: '9', annotations } });
  const { accounts } = registryAccounts(of, holder);
  expect(accounts.byName('registry', 'robot_payments+ci')).toMatchObject({ uid: served.metadata.uid });
});

test('what cannot be read is not absent', () => {
  const of = caches();
  const { issuers, accounts } = registryAccounts(of, holder);
  expect([issuers.byName('newer'), accounts.byName('registry', 'robot_payments+cd')]).toEqual([undefined, undefined]);
  const metadata = { namespace: 'team-b', uid: 'n', resourceVersion: '9', creationTimestamp: '' };
  of.issuers.putUnreadable({ metadata: { ...metadata, name: 'newer', namespace: undefined } });
  of.robots.putUnreadable({ metadata: { ...metadata, name: 'cd' } });
  expect(issuers.byName('newer')).toBe('unreadable');
  for (const name of ['robot_payments+cd', 'robot_cd']) expect(accounts.byName('registry', name)).toBe('unreadable');
  expect(accounts.byName('registry', 'robot_payments+ce')).toBeUndefined();
  // One that can be read goes on.
  of.robots.putUnreadable({ metadata: { ...metadata, name: 'ci', uid: 'o' } });
  expect(accounts.byName('registry', 'robot_payments+ci')).toMatchObject({ uid: served.metadata.uid });
});

test('an issuer of another type is none', () => {
  const of = caches();
  of.issuers.put({ ...jwtIssuer, metadata: { ...jwtIssuer.metadata, resourceVersion: '8' } });
  const { issuers } = registryAccounts(of, holder);
  expect(issuers.byName('registry')).toEqual({
    name: 'registry',
    service: 'registry.example.com',
    issuer: 'botmint',
    tokenLifetimeSeconds: 300,
    anonymousProjects: [],
  });
  expect(issuers.byName(jwtIssuer.metadata.name)).toBeUndefined();
  expect(issuers.byName('another')).toBeUndefined();
});
