import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { after, forward, refuse } from '../faults/proxy.ts';
import { CopiesSite } from './copies-site.ts';
import { OwnRegistryIssuer } from './own-registry-issuer.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
let site: Site;
const on = new CopiesSite(() => site);

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterEach(() => {
  site.rule = () => forward;
});

afterAll(() => site?.close());

const pulling = { pull: true, copies: { imagePullSecretsOf: ['default', 'builder'] } };
const accounts = (namespace: string) => `/api/v1/namespaces/${namespace}/serviceaccounts`;

/** A token whose copy is listed by both ServiceAccounts of one namespace. */
async function listed(): Promise<{ source: string; taker: string }> {
  const source = await site.namespace();
  const taker = await on.taker(source);
  await on.account(taker, 'default', [{ name: 'own' }]);
  await on.account(taker, 'builder');
  await on.apply(source, pulling);
  await on.areListed(taker, 'default', ['own', 'token']);
  await on.areListed(taker, 'builder', ['token']);
  await site.ready('bottokens', source, 'token', 'Issued');
  return { source, taker };
}

test('nobody watches ServiceAccounts before a token names one', async () => {
  await on.distributed(1);
  expect(site.proxy.requests.filter(({ resource }) => resource === 'serviceaccounts')).toEqual([]);
});

describe('a ServiceAccount', () => {
  test('lists the copy beside what it had, and the source namespace is left alone', async () => {
    const { source, taker } = await listed();
    await on.account(source, 'default');
    const lists = site.proxy.requests.filter(
      ({ resource, verb, namespace }) => resource === 'serviceaccounts' && verb === 'patch' && namespace === taker,
    );
    expect(lists.map(({ headers }) => headers['content-type'])).toEqual([
      'application/json-patch+json',
      'application/json-patch+json',
    ]);
    await on.areCopied(source, [taker]);
    expect(await on.lists(source, 'default')).toEqual([]);
  });

  test('that comes later, or comes back, is served then', async () => {
    const source = await site.namespace();
    const taker = await on.taker(source);
    await on.apply(source, pulling);
    await on.areCopied(source, [taker]);
    await on.account(taker, 'default');
    await on.areListed(taker, 'default', ['token']);
    await site.api.delete(`${accounts(taker)}/default`);
    await on.account(taker, 'default', [{ name: 'other' }]);
    await on.areListed(taker, 'default', ['other', 'token']);
  });

  test('whose list was wiped or replaced gets the name again, and only that', async () => {
    const { taker } = await listed();
    await site.api.patch(`${accounts(taker)}/default`, { imagePullSecrets: [{ name: 'another' }] });
    await on.areListed(taker, 'default', ['another', 'token']);
    await site.api.patch(`${accounts(taker)}/builder`, { imagePullSecrets: null });
    await on.areListed(taker, 'builder', ['token']);
  });

  test('loses the name with the entry of the spec', async () => {
    const { source, taker } = await listed();
    const imagePullSecretsOf = ['builder'];
    await site.api.patch(on.tokenPath(source), { spec: { secret: { copies: { imagePullSecretsOf } } } });
    await on.areListed(taker, 'default', ['own']);
    await on.areListed(taker, 'builder', ['token']);
    await site.api.patch(on.tokenPath(source), { spec: { secret: { copies: { imagePullSecretsOf: null } } } });
    await on.areListed(taker, 'builder', []);
    await on.areCopied(source, [taker]);
  });

  test.each<[string, (of: { source: string; taker: string }) => Promise<unknown>]>([
    ['the consent', ({ source, taker }) => on.label(taker, { [`accept.botmint.dev/${source}`]: null })],
    ['the token', ({ source }) => site.api.delete(on.tokenPath(source))],
    ['the revocation of the token', ({ source }) => site.api.patch(on.tokenPath(source), { spec: { revoked: true } })],
  ])('loses the name with %s', async (_, end) => {
    const of = await listed();
    await end(of);
    await on.isGone(of.taker);
    await on.areListed(of.taker, 'default', ['own']);
    await on.areListed(of.taker, 'builder', []);
  });

  test('keeps a name that its owner has put there', async () => {
    const source = await site.namespace();
    const taker = await on.taker(source);
    await on.account(taker, 'default', [{ name: 'token' }]);
    await on.account(taker, 'builder');
    await on.apply(source, pulling);
    await on.areListed(taker, 'builder', ['token']);
    await site.api.delete(on.tokenPath(source));
    await on.isGone(taker);
    await on.areListed(taker, 'builder', []);
    expect(await on.lists(taker, 'default')).toEqual(['token']);
  });

  test('loses the name also after the copy was deleted by somebody and came back', async () => {
    const { source, taker } = await listed();
    const uid = (await site.secret(taker, 'token'))?.metadata.uid;
    await site.api.delete(on.secretPath(taker));
    await eventually('it is back', async () => {
      const now = (await site.secret(taker, 'token'))?.metadata.uid;
      return now !== undefined && now !== uid;
    });
    await site.api.delete(on.tokenPath(source));
    await on.isGone(taker);
    await on.areListed(taker, 'default', ['own']);
    await on.areListed(taker, 'builder', []);
  });

  test('is noted before it is patched, so that a crash behind the patch leaves nothing for good', async () => {
    const source = await site.namespace();
    const taker = await on.taker(source);
    await on.account(taker, 'default');
    const { promise, resolve } = Promise.withResolvers<void>();
    site.rule = request => {
      if (request.resource !== 'serviceaccounts' || request.verb !== 'patch') return forward;
      site.rule = () => forward;
      return after(() => site.operator.kill().then(resolve));
    };
    await on.apply(source, pulling);
    await promise;
    await site.start();
    await site.api.delete(on.tokenPath(source));
    await on.isGone(taker);
    await on.areListed(taker, 'default', []);
  });

  test('that may not be patched is said, and holds up nothing', async () => {
    const source = await site.namespace();
    const taker = await on.taker(source);
    await on.account(taker, 'default');
    await on.account(taker, 'builder');
    const isRefused = { on: true };
    site.rule = request =>
      isRefused.on && request.name === 'default' && request.verb === 'patch'
        ? refuse(403, 'Forbidden', { message: 'no' })
        : forward;
    await on.apply(source, pulling);
    await on.areListed(taker, 'builder', ['token']);
    const { status } = await site.ready('bottokens', source, 'token', 'CopyFailed');
    expect(messageOf(status)).toBe(`namespace ${taker}: ServiceAccount default could not be changed: Forbidden: no`);
    isRefused.on = false;
    await on.areListed(taker, 'default', ['token']);
    await site.ready('bottokens', source, 'token', 'Issued');
  });

  test('is applied by kubectl as docs/copies.md says', async () => {
    const { taker } = await listed();
    const account = (extra: object = {}) =>
      JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'builder' }, ...extra });
    const apply = (input: string, ...args: string[]) =>
      site.kubectl(['apply', '-n', taker, ...args, '-f', '-'], { input });
    await apply(account());
    await apply(account({ metadata: { name: 'builder', labels: { a: 'b' } } }));
    await apply(account(), '--server-side', '--force-conflicts');
    // Of an account that was made without any field the API server knows no owner of fields yet: there the entry goes once, and comes back.
    await on.areListed(taker, 'builder', ['token']);
    const withList = account({ imagePullSecrets: [{ name: 'other' }] });
    await expect(apply(withList, '--server-side')).rejects.toThrow('conflict with "botmint"');
    await apply(withList, '--server-side', '--force-conflicts');
    await on.areListed(taker, 'builder', ['other', 'token']);
    const withName = account({ imagePullSecrets: [{ name: 'other' }, { name: 'token' }] });
    await apply(withName, '--server-side', '--force-conflicts');
    const since = site.proxy.requests.length;
    await apply(withName, '--server-side');
    await listed(); // whatever was to be done has been done by then
    expect(on.writes(since, [taker])).toEqual([]);
  });

  test('that somebody else brings back each time costs ever less', async () => {
    const { taker } = await listed();
    const patches = () =>
      site.proxy.requests.filter(
        ({ resource, verb, namespace, name }) =>
          resource === 'serviceaccounts' && verb === 'patch' && namespace === taker && name === 'default',
      ).length;
    const until = Date.now() + 4000;
    await eventually('somebody has wiped it for a while', async () => {
      if ((await on.lists(taker, 'default')).length > 0)
        await site.api.patch(`${accounts(taker)}/default`, { imagePullSecrets: null });
      return Date.now() > until;
    });
    expect(patches()).toBeLessThan(6);
    await eventually('it is put right all the same', async () => (await on.lists(taker, 'default')).includes('token'));
  });
});

test('the image pull secret of a robot reaches every namespace before it is recorded, and goes with the robot', async () => {
  const source = await site.namespace();
  const takers = [await on.taker(source), await on.taker(source)];
  const [taker = ''] = takers;
  await on.account(taker, 'default');
  const issuer = await OwnRegistryIssuer.make(site, source);
  const copies = { namespaceSelector: { matchLabels: { from: source } }, imagePullSecretsOf: ['default'] };
  await issuer.issued(source, 'robot', { secret: { copies } });
  await on.areListed(taker, 'default', ['robot']);
  const old = await site.values(source, 'robot');
  let held: unknown[] | undefined;
  site.rule = request => {
    if (request.resource !== 'robotaccounts' || !request.body.includes('"revision":2')) return forward;
    site.rule = () => forward; // what is written into the record later shows nothing
    const look = async () => {
      held = await Promise.all(takers.map(each => site.values(each, 'robot')));
    };
    return { do: 'forward', before: look };
  };
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${source}/robotaccounts/robot`;
  await site.api.patch(path, { metadata: { annotations: { 'botmint.dev/rotate': 'now' } } });
  const seen = await eventually('it is recorded', () => held);
  const now = await site.values(source, 'robot');
  expect(now).not.toEqual(old);
  expect(seen).toEqual(takers.map(() => now));
  await site.api.delete(path);
  for (const each of takers) await on.isGone(each, 'robot');
  await on.areListed(taker, 'default', []);
});

test('a restart with lists writes nothing', async () => {
  const { source, taker } = await listed();
  await site.operator.stop();
  const since = site.proxy.requests.length;
  await site.start();
  await eventually('the copy is read', () =>
    site.proxy.requests.slice(since).some(({ resource, namespace }) => resource === 'secrets' && namespace === taker),
  );
  await listed(); // whatever was to be done has been done by then
  expect(on.writes(since, [source, taker])).toEqual([]);
});

const Status = z.looseObject({ conditions: z.array(z.looseObject({ type: z.string(), message: z.string() })) });

function messageOf(status: unknown): string | undefined {
  return Status.parse(status).conditions.find(({ type }) => type === 'Ready')?.message;
}
