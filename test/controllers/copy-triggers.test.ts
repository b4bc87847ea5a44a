import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { OrphanedCopies } from '../../src/controllers/orphaned-copies.ts';
import { connect } from '../../src/controllers/triggers.ts';
import type { Metadata } from '../../src/kube/core-kinds.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import { copied, copyIn } from '../decide/copied.ts';
import { deleting, served } from '../decide/healthy.ts';
import { clientOf, configOf, silent } from '../kube/local-server.ts';

let caches: Caches;
/** What was put on the queues since the world was settled. */
let woken: Set<string>;
let version = 10;

beforeEach(() => {
  const { client } = clientOf(configOf('http://127.0.0.1:1')); // nobody asks it anything
  caches = new Caches({ client, namespace: 'botmint-system', log: silent, clock: systemClock });
  woken = new Set();
  const into = (kind: string) => ({ add: (key: string) => void woken.add(`${kind} ${key}`) });
  const nobody = { add: () => undefined };
  const others = { botUsers: nobody, issuers: nobody, revocations: nobody };
  connect(caches, { ...others, tokens: into('token'), robots: into('robot') });
  new OrphanedCopies({ caches, client, clock: systemClock, log: silent }).connect(into('orphan'));
});

const namespace = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  metadata: { name, uid: `${name}-uid`, resourceVersion: `${++version}`, creationTimestamp: '', labels },
});
const account = (of: string, name: string, imagePullSecrets: readonly string[] = []) => ({
  metadata: { name, namespace: of, uid: `${of}-${name}`, resourceVersion: `${++version}`, creationTimestamp: '' },
  imagePullSecrets,
});

function copyMetadata(of: string, serviceAccounts: readonly string[] = []): Metadata {
  const { uid, metadata } = copyIn(of, {}, serviceAccounts);
  const { labels = {}, annotations = {} } = metadata;
  const at = { name: 'deploy', namespace: of, uid, resourceVersion: `${++version}`, creationTimestamp: '' };
  return { metadata: { ...at, labels, annotations } };
}

/** A token with a copy in the namespace `one`, for the ServiceAccount `default`. */
function settled(token = copied(served, ['default']), noted: readonly string[] = []): void {
  caches.tokens.put({ ...token, metadata: { ...token.metadata, resourceVersion: `${++version}` } });
  caches.namespaces.put(namespace('one', { 'accept.botmint.dev/team-a': 'true' }));
  caches.secrets.put(copyMetadata('one', noted));
  woken.clear();
}

const stripped = ({ metadata }: Metadata): Metadata => ({ metadata: { ...metadata, annotations: {} } });
const token = 'token team-a/deploy';
/** By the watch: an own write would have seen the last of it. */
const watched = (object: KubeObject) => caches.namespaces.changed(object, object);

describe('a token with copies is looked at when', () => {
  test.each<[string, () => void, boolean]>([
    [
      'a namespace agrees',
      () => caches.namespaces.put(namespace('two', { 'accept.botmint.dev/team-a': 'true' })),
      true,
    ],
    ['a namespace agrees no more', () => caches.namespaces.put(namespace('one')), true],
    [
      'one that agrees gets another label',
      () => caches.namespaces.put(namespace('one', { 'accept.botmint.dev/team-a': 'true', a: 'b' })),
      true,
    ],
    [
      'one that agrees is going',
      () => watched(deleting(namespace('one', { 'accept.botmint.dev/team-a': 'true' }))),
      true,
    ],
    [
      'but not when its status changes',
      () => caches.namespaces.put(namespace('one', { 'accept.botmint.dev/team-a': 'true' })),
      false,
    ],
    [
      'but not when one agrees to others',
      () => caches.namespaces.put(namespace('two', { 'accept.botmint.dev/team-b': 'true' })),
      false,
    ],
    ['a copy is edited', () => caches.secrets.put(copyMetadata('one')), true],
    ['a copy loses its marks', () => caches.secrets.put(stripped(copyMetadata('one'))), true],
    ['a copy appears', () => caches.secrets.put(copyMetadata('two')), true],
    ['a copy is gone', () => caches.secrets.remove('one/deploy', 'copy-in-one'), true],
    ['a ServiceAccount that it names comes', () => caches.accounts.store.put(account('one', 'default')), true],
    ['but not when another one does', () => caches.accounts.store.put(account('one', 'builder')), false],
    ['nor in a namespace without a copy', () => caches.accounts.store.put(account('two', 'default')), false],
  ])('%s', (_, happens, expected) => {
    settled();
    happens();
    expect(woken.has(token)).toBe(expected);
  });

  test('a ServiceAccount that is named no more, but noted, changes', () => {
    settled(copied(), ['builder']);
    caches.accounts.store.put(account('one', 'builder', ['deploy']));
    expect(woken).toContain(token);
  });

  test('a Secret goes that was in the way', () => {
    const { metadata } = copyMetadata('two');
    const other = {
      metadata: { ...metadata, uid: 'other-uid', annotations: { 'botmint.dev/owner': 'BotToken/deploy' } },
    };
    caches.secrets.put(other);
    settled();
    caches.secrets.remove('two/deploy', 'other-uid');
    expect(woken).toContain(token);
  });

  test('but not one without copies', () => {
    settled(served);
    caches.namespaces.put(namespace('two', { 'accept.botmint.dev/team-a': 'true' }));
    expect(woken).not.toContain(token);
  });
});

describe('an orphan is looked for when', () => {
  test('a copy is seen whose owner nobody knows, and never one whose owner is there', () => {
    settled();
    caches.secrets.put(copyMetadata('one'));
    expect(woken).not.toContain('orphan one/deploy');
    caches.tokens.remove('team-a/deploy', served.metadata.uid);
    expect(woken).toContain('orphan one/deploy');
    woken.clear();
    caches.secrets.put(copyMetadata('two'));
    expect(woken).toContain('orphan two/deploy');
  });

  test('its owner cannot be read any more', () => {
    settled();
    caches.tokens.putUnreadable({ metadata: { ...served.metadata, resourceVersion: `${++version}` } });
    expect(woken).toContain('orphan one/deploy');
    woken.clear();
    caches.tokens.remove('team-a/deploy', served.metadata.uid);
    expect(woken).toContain('orphan one/deploy');
  });
});
