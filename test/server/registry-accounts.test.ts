import { expect, test } from 'vitest';
import type { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { accountKeyOf } from '../../src/issuers/registry/live.ts';
import type { Metadata } from '../../src/kube/core-kinds.ts';
import { Store } from '../../src/kube/store.ts';
import { registryAccounts } from '../../src/server/registry-accounts.ts';
import { issuer as jwtIssuer } from '../decide/healthy.ts';
import { inputs, registry, served } from '../decide/robots.ts';

function caches() {
  const robots = new Store<RobotAccount>({ account: robot => [accountKeyOf(robot)] });
  const issuers = new Store<ClusterTokenIssuer>();
  const secrets = new Store<Metadata>();
  issuers.put(registry);
  robots.put(served);
  return { robots, issuers, secrets };
}

test('an account is found by its issuer and full name, and by nothing else', () => {
  const of = caches();
  const { accounts } = registryAccounts(of);
  expect(accounts.byName('registry', 'robot_payments+ci')?.uid).toBe(served.metadata.uid);
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
  const { accounts } = registryAccounts(of);
  expect(accounts.byName('registry', 'robot_payments+ci')?.disabled).toBe(false);
  of.robots.put({
    ...served,
    metadata: { ...served.metadata, resourceVersion: '8' },
    spec: { ...served.spec, disabled: true },
  });
  expect(accounts.byName('registry', 'robot_payments+ci')?.disabled).toBe(true);
  of.issuers.put({ ...registry, metadata: { ...registry.metadata, uid: 'another', resourceVersion: '9' } });
  expect(accounts.byName('registry', 'robot_payments+ci')).toBeUndefined();
});

test('of two robots with one name, the one with a secret is the account', () => {
  const of = caches();
  const { accounts } = registryAccounts(of);
  const { status: _, ...rival } = served;
  of.robots.put({
    ...rival,
    metadata: { ...served.metadata, name: 'ci', namespace: 'team-b', uid: 'rival', resourceVersion: '8' },
  });
  expect(accounts.byName('registry', 'robot_payments+ci')?.verifiers).toMatchObject([
    { verifier: inputs.robot.verifier },
  ]);
});

test('of two that were issued at the same moment, it is the older one, whichever came first', () => {
  const account = (...robots: RobotAccount[]) => {
    const of = { ...caches(), robots: new Store<RobotAccount>({ account: robot => [accountKeyOf(robot)] }) };
    for (const robot of robots) of.robots.put(robot);
    return registryAccounts(of).accounts.byName('registry', 'robot_payments+ci')?.uid;
  };
  const twin = { ...served, metadata: { ...served.metadata, namespace: 'team-b', uid: 'z' } };
  expect([account(served, twin), account(twin, served)]).toEqual([served.metadata.uid, served.metadata.uid]);
});

test('an issuer of another type is none', () => {
  const of = caches();
  of.issuers.put({ ...jwtIssuer, metadata: { ...jwtIssuer.metadata, resourceVersion: '8' } });
  const { issuers } = registryAccounts(of);
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
