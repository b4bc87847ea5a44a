import { beforeEach, describe, expect, test } from 'vitest';
import type { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import { managedLabel, managedSigningKey, ownerAnnotation } from '../../src/api/names.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { connect } from '../../src/controllers/triggers.ts';
import type { Metadata } from '../../src/kube/core-kinds.ts';
import { botUser, issuer, later, recreated, served } from '../decide/healthy.ts';
import { registry, served as robot } from '../decide/robots.ts';
import { clientOf, configOf, silent } from '../kube/local-server.ts';

let caches: Caches;
/** What was put on the queues since `settled`, as `<kind> <key>`. */
let woken: Set<string>;

beforeEach(() => {
  const { client } = clientOf(configOf('http://127.0.0.1:1')); // nobody asks it anything
  caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock: systemClock });
  woken = new Set();
  const into = (kind: string) => ({ add: (key: string) => void woken.add(`${kind} ${key}`) });
  connect(caches, {
    tokens: into('token'),
    robots: into('robot'),
    botUsers: into('bot'),
    issuers: into('issuer'),
    revocations: into('revocation'),
  });
});

function at<T extends { metadata: object }>(resourceVersion: string, object: T): T {
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

function keySecret(resourceVersion: string, annotations: Record<string, string>): Metadata {
  const labels = { [managedLabel]: managedSigningKey };
  const metadata = { name: 'key-1', namespace: 'botmint-system', uid: 'key-uid', creationTimestamp: '' };
  return { metadata: { ...metadata, resourceVersion, labels, annotations } };
}

test('an issuer is looked at when a credential that depends on it goes, also without its bot', () => {
  caches.issuers.put(at('1', issuer));
  caches.tokens.put(at('2', served));
  woken.clear();
  caches.tokens.remove('team-a/deploy', served.metadata.uid);
  expect(woken).toContain('issuer builtin');
});

test('an issuer counts a credential that was lost, and is looked at when its overlap is over', () => {
  const { uid } = registry.metadata;
  const { issued: _, tokenID: __, ...left } = robot.status ?? {};
  const previous = [{ tokenID: `${robot.metadata.uid}.3.x`, revokeAt: later(3600) }];
  caches.issuers.put(at('1', registry));
  caches.robots.put(at('2', robot));
  woken.clear();
  caches.robots.put(at('3', { ...robot, status: { ...left, issuerUID: uid, previous } }));
  expect(caches.robots.byIndex('issuerUID', uid)).toHaveLength(1);
  expect(woken).not.toContain('issuer registry');
  caches.robots.put(at('4', { ...robot, status: { ...left, issuerUID: uid } }));
  expect(caches.robots.byIndex('issuerUID', uid)).toEqual([]);
  expect(woken).toContain('issuer registry');
});

test('an issuer is looked at when a credential is replaced by one of another issuer', () => {
  const other: ClusterTokenIssuer = {
    ...recreated(issuer),
    metadata: { ...recreated(issuer).metadata, name: 'other' },
  };
  caches.issuers.put(at('1', issuer));
  caches.issuers.put(at('2', other));
  caches.botUsers.put(
    at('3', { ...botUser, spec: { ...botUser.spec, issuerRef: { kind: 'ClusterTokenIssuer', name: 'other' } } }),
  );
  caches.tokens.put(at('4', served));
  woken.clear();
  const { issued, ...status } = served.status ?? {};
  const inputs = {
    ...Object(issued?.inputs),
    issuer: { kind: 'ClusterTokenIssuer', name: 'other', uid: 'another-uid' },
  };
  const secret = issued?.secret ?? { name: '', uid: '' };
  caches.tokens.put(at('5', { ...served, status: { ...status, issued: { inputs, secret } } }));
  expect(woken).toContain('issuer builtin');
});

test.each<[string, Record<string, string>, Record<string, string>]>([
  [
    'is edited',
    { [ownerAnnotation]: 'ClusterTokenIssuer/builtin' },
    { [ownerAnnotation]: 'ClusterTokenIssuer/builtin' },
  ],
  ['loses its annotations', { [ownerAnnotation]: 'ClusterTokenIssuer/builtin' }, {}],
  ['was put back by hand without annotations, and is edited', {}, {}],
])('an issuer is looked at when the Secret of its key %s', (_, before, after) => {
  caches.issuers.put(at('1', issuer));
  caches.secrets.put(keySecret('2', before));
  woken.clear();
  caches.secrets.put(keySecret('3', after));
  expect(woken).toContain('issuer builtin');
});

test('what refers to an object that nobody can read is looked at when that comes, and when it goes', () => {
  caches.botUsers.put(at('1', botUser));
  caches.tokens.put(at('2', served));
  for (const change of [
    () => caches.issuers.putUnreadable(at('3', issuer)),
    () => caches.issuers.remove('builtin', issuer.metadata.uid),
  ]) {
    woken.clear();
    change();
    expect(woken).toEqual(new Set(['issuer builtin', 'bot team-a/ci', 'token team-a/deploy']));
  }
  for (const change of [
    () => caches.botUsers.putUnreadable(at('4', botUser)),
    () => caches.botUsers.remove('team-a/ci', botUser.metadata.uid),
  ]) {
    woken.clear();
    change();
    expect(woken).toContain('token team-a/deploy');
  }
});

describe('an issuer', () => {
  const { status } = issuer;
  const active = status?.keys?.[0] ?? { kid: '', publicJWK: {}, state: 'Active', since: '', secretName: '' };
  const withdrawnKeys = [{ kid: 'key-0', since: later(0), secretName: 'key-0' }];

  beforeEach(() => {
    caches.issuers.put(at('1', issuer));
    caches.botUsers.put(at('2', botUser));
    caches.tokens.put(at('3', served));
    woken.clear();
  });

  test('that publishes one more key is looked at alone', () => {
    const keys = [active, { ...active, kid: 'key-2', state: 'Next' as const }];
    caches.issuers.put(at('4', { ...issuer, status: { ...status, keys } }));
    expect(woken).toEqual(new Set(['issuer builtin']));
  });

  test.each<[string, NonNullable<ClusterTokenIssuer['status']>]>([
    ['stops a key', { ...status, withdrawnKeys }],
    ['signs no more', { ...status, keys: [{ ...active, state: 'Retired' }] }],
  ])('that %s gives its tokens to look at', (_, changed) => {
    caches.issuers.put(at('4', { ...issuer, status: changed }));
    expect(woken).toContain('token team-a/deploy');
  });
});

describe('a robot', () => {
  const rival = {
    ...robot,
    metadata: { ...robot.metadata, name: 'rival', namespace: 'team-b', uid: 'rival-uid' },
    spec: { ...robot.spec, name: 'ci' },
  };
  const namesake = { ...served, metadata: { ...served.metadata, name: 'ci' } };

  beforeEach(() => {
    caches.issuers.put(at('1', registry));
    caches.robots.put(at('2', robot));
    caches.robots.put(at('3', rival));
    caches.tokens.put(at('4', namesake));
    woken.clear();
  });

  test('that goes wakes who wants its name, its Secret, and its issuer', () => {
    caches.robots.remove('team-a/ci', robot.metadata.uid);
    expect(woken).toEqual(new Set(['robot team-a/ci', 'robot team-b/rival', 'token team-a/ci', 'issuer registry']));
  });

  test('wakes who wants its name when it asks for something else, and when its record comes or goes', () => {
    caches.robots.put(at('5', { ...robot, metadata: { ...robot.metadata, generation: 2 } }));
    expect(woken).toContain('robot team-b/rival');
    woken.clear();
    const { issued: _, ...status } = robot.status ?? {};
    caches.robots.put(at('6', { ...robot, metadata: { ...robot.metadata, generation: 2 }, status }));
    expect(woken).toContain('robot team-b/rival');
    woken.clear();
    caches.robots.put(at('7', { ...robot, metadata: { ...robot.metadata, generation: 2 }, status }));
    expect(woken).toEqual(new Set(['robot team-a/ci']));
  });

  test('is woken by its issuer, its namespace and its Secret, and a token by a Secret that both name', () => {
    caches.issuers.put(at('5', { ...registry, metadata: { ...registry.metadata, generation: 2 } }));
    expect(woken).toContain('robot team-a/ci');
    woken.clear();
    const metadata = { name: 'team-a', uid: 'n', creationTimestamp: '', labels: { team: 'a' } };
    caches.namespaces.put(at('6', { metadata: { ...metadata, resourceVersion: '' } }));
    expect(woken).toEqual(new Set(['robot team-a/ci', 'robot team-b/rival']));
    woken.clear();
    const secret = { name: 'ci', namespace: 'team-a', uid: 's', resourceVersion: '', creationTimestamp: '' };
    caches.secrets.put(at('7', { metadata: secret }));
    expect(woken).toEqual(new Set(['robot team-a/ci', 'token team-a/ci']));
  });
});
