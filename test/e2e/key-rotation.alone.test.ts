import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { isWrite } from '../faults/proxy.ts';
import { botToken } from './manifests.ts';
import { keyOf, OwnIssuer } from './own-issuer.ts';
import { Site } from './site.ts';

const cluster = sharedCluster();
const day = 24 * 3600 * 1000;
let site: Site;

beforeAll(async () => {
  site = await Site.open(cluster);
  await site.start();
});

afterAll(() => site?.close());

const Record = z.object({ revision: z.number(), previous: z.array(z.unknown()).default([]) });
const tokens = (namespace: string) => `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens`;

async function issued(namespace: string, name: string): Promise<string> {
  await site.ready('bottokens', namespace, name, 'Issued');
  return held(namespace, name);
}

async function held(namespace: string, name: string): Promise<string> {
  return (await site.values(namespace, name))?.BUF_TOKEN ?? '';
}

async function recordOf(namespace: string, name: string) {
  return Record.parse((await site.token(namespace, name))?.status);
}

async function isAtRevision(namespace: string, name: string, revision: number): Promise<string> {
  await eventually(
    `${name} is at revision ${revision}`,
    async () => (await recordOf(namespace, name)).revision === revision,
  );
  return held(namespace, name);
}

/** The operator after its clock has moved so far, and no other time. */
async function restartedAhead(milliseconds: number): Promise<number> {
  await site.operator.stop();
  const firstRequest = site.proxy.requests.length;
  await site.start({ clockOffsetMilliseconds: milliseconds });
  return firstRequest;
}

function writesTo({ name }: OwnIssuer, firstRequest: number): string[] {
  const writes = site.proxy.requests.slice(firstRequest).filter(request => isWrite(request) && request.name === name);
  return writes.map(({ verb }) => verb);
}

describe('key rotation', () => {
  test('by the clock: the next key signs, the old one verifies what it signed, and goes with the last of that', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnIssuer.make(site, namespace, { keyRotation: '3d', keyActivationDelay: '4m' });
    const [first, second] = await issuer.reaches('Active', 'Next');
    await site.apply(issuer.bot + botToken('old', { expiresIn: 'never' }), namespace);
    const old = await issued(namespace, 'old');
    expect(keyOf(old)).toBe(first?.kid);

    let since = await restartedAhead(4 * day);
    const keys = await issuer.reaches('Retired', 'Active', 'Next');
    expect(keys.map(({ kid }) => kid).slice(0, 2)).toEqual([first?.kid, second?.kid]);
    await site.apply(botToken('new'), namespace);
    const fresh = await issued(namespace, 'new');
    expect(keyOf(fresh)).toBe(second?.kid);
    expect((await issuer.served()).sort()).toEqual(keys.map(({ kid }) => kid).sort());
    const { headers } = await site.fetch(`/issuers/${issuer.name}/jwks`);
    expect(headers['cache-control']).toBe('public, max-age=120');
    expect(await Promise.all([old, fresh].map(token => issuer.isActive(token)))).toEqual([true, true]);
    expect(await held(namespace, 'old')).toBe(old);
    const privateHalf = async () => !(await issuer.hasSecret({ secretName: keys[0]?.secretName ?? '' }));
    await eventually('the private half of the old key is gone', privateHalf);
    expect(writesTo(issuer, since)).toEqual(['patch']);

    // A day later there is nothing to do; with the last token that the old key signed, it goes.
    since = await restartedAhead(5 * day);
    await site.apply(botToken('other'), namespace);
    await issued(namespace, 'other');
    expect(writesTo(issuer, since)).toEqual([]);
    await site.api.delete(`${tokens(namespace)}/old`);
    await eventually('the token is gone', async () => (await site.token(namespace, 'old')) === undefined);
    await restartedAhead(5 * day);
    expect((await issuer.reaches('Active', 'Next')).map(({ kid }) => kid)).toEqual(keys.map(({ kid }) => kid).slice(1));
    expect(await issuer.isActive(fresh)).toBe(true);

    // A clock that jumps back to before the rotation promotes nothing.
    since = await restartedAhead(2 * day);
    await site.apply(botToken('last'), namespace);
    expect(keyOf(await issued(namespace, 'last'))).toBe(second?.kid);
    expect(writesTo(issuer, since)).toEqual([]);
  });
});

describe('retire-key', () => {
  test('stops the key that signs, and replaces every token it signed, those in their overlap too', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnIssuer.make(site, namespace);
    const [first, second] = await issuer.reaches('Active', 'Next');
    const never = botToken('never', { expiresIn: 'never' });
    await site.apply(issuer.bot + botToken('one', { expiresIn: '30d', rotation: {} }) + never, namespace);
    const superseded = await issued(namespace, 'one');
    const exported = await issued(namespace, 'never');
    await site.api.patch(`${tokens(namespace)}/one`, { metadata: { annotations: { 'botmint.dev/rotate': 'now' } } });
    const current = await isAtRevision(namespace, 'one', 2);
    const leaked = [superseded, current, exported];
    expect(await Promise.all(leaked.map(token => issuer.isActive(token)))).toEqual([true, true, true]);

    await issuer.annotate({ 'botmint.dev/retire-key': first?.kid ?? '' });
    const replaced = [await isAtRevision(namespace, 'one', 3), await isAtRevision(namespace, 'never', 2)];
    expect(replaced.map(keyOf)).toEqual([second?.kid, second?.kid]);
    expect(await Promise.all(leaked.map(token => issuer.isActive(token)))).toEqual([false, false, false]);
    expect(await Promise.all(replaced.map(token => issuer.isActive(token)))).toEqual([true, true]);
    expect((await recordOf(namespace, 'one')).previous).toEqual([]);

    const keys = await issuer.reaches('Active', 'Next');
    expect(await issuer.served()).toEqual(keys.map(({ kid }) => kid));
    expect(keys[0]?.kid).toBe(second?.kid);
    await issuer.says('KeysPublished');
    expect((await issuer.status()).withdrawnKeys?.map(({ kid }) => kid)).toEqual([first?.kid]);
    const secretName = first?.secretName ?? '';
    await eventually('its private half is gone', async () => !(await issuer.hasSecret({ secretName })));
    const events = await eventually('it is told', async () => {
      const all = await site.api.list('/apis/events.k8s.io/v1/namespaces/default/events');
      const withdrawn = all.filter(({ reason }) => reason === 'KeyWithdrawn');
      return withdrawn.length > 0 && withdrawn;
    });
    expect(events).toHaveLength(1);

    // The value stays, and repeats nothing.
    const since = await restartedAhead(0);
    await site.apply(botToken('other'), namespace);
    await issued(namespace, 'other');
    expect(writesTo(issuer, since)).toEqual([]);
    expect((await recordOf(namespace, 'one')).revision).toBe(3);
  });

  test('that names no key of the issuer stops nothing, and says so', async () => {
    const namespace = await site.namespace();
    const issuer = await OwnIssuer.make(site, namespace);
    const [first] = await issuer.reaches('Active', 'Next');
    await issuer.annotate({ 'botmint.dev/retire-key': 'no-such-key' });
    expect(await issuer.says('KeyNotFound')).toContain('names no-such-key');
    await site.apply(issuer.bot + botToken('token'), namespace);
    expect(keyOf(await issued(namespace, 'token'))).toBe(first?.kid);
    await issuer.annotate({ 'botmint.dev/retire-key': null });
    await issuer.says('KeysPublished');
  });
});
