import { describe, expect, test } from 'vitest';
import { managedLabel } from '../../src/api/names.ts';
import { eventually } from '../cluster/cluster.ts';
import { leafIn, RegistryPlace, settled, versionOf } from './registry-place.ts';

test('two replicas that start at once agree on one chain, and both sign with it', async () => {
  const place = await RegistryPlace.make();
  const [a, b] = [await place.replica(), await place.replica()];
  await Promise.all([a.reconcile(), b.reconcile()]);
  expect(await place.ready()).toBe('True KeysPublished');
  const bundle = await place.bundle();
  expect(bundle).toHaveLength(1);
  for (const { signer } of [a, b]) {
    const signing = await eventually('a signer', signer);
    expect(await place.signedBy(signing, bundle)).toBe(0);
  }
  const { metadata, type } = await place.secret('leaf');
  expect(type).toBe('kubernetes.io/tls');
  expect(metadata.ownerReferences).toMatchObject([{ kind: 'ClusterTokenIssuer', uid: place.uid }]);
});

test('an issuer at rest is not written, also by a replica that has just started', async () => {
  const { place, replica } = await settled();
  const versions = async () => [
    (await place.issuer()).metadata.resourceVersion,
    await versionOf(place, 'ca'),
    await versionOf(place, 'leaf'),
  ];
  const before = await versions();
  expect(await replica.reconcile()).toMatchObject({ next: 'at' });
  const other = await place.replica();
  await other.reconcile();
  expect(await versions()).toEqual(before);
});

test('a replica that only serves has the new leaf as soon as another one has renewed it', async () => {
  const { place, replica } = await settled();
  const server = await place.replica();
  const old = await eventually('the leaf', server.signer);
  place.calendar.passDays(61);
  await replica.reconcile();
  const renewed = await eventually('the new leaf', () => server.signer() !== old && server.signer());
  expect(renewed.validTo.getTime() - old.validTo.getTime()).toBeGreaterThan(60 * 24 * 3600 * 1000);
  expect(await place.signedBy(renewed, await place.bundle())).toBe(0);
});

test('a replica that only serves signs again when an issuer that could not be read can be read', async () => {
  const { place } = await settled();
  const { caches, signer } = await place.replica();
  await eventually('the leaf', signer);
  const read = () => caches.issuers.get(place.name);
  const annotate = (form: string) => place.api.patch(place.path, { metadata: { annotations: { form } } });
  const { metadata } = await annotate('known');
  await eventually('the cache has caught up', () => read()?.metadata.resourceVersion === metadata.resourceVersion);
  const resourceVersion = String(Number(metadata.resourceVersion) + 1);
  const issuer = await place.issuer();
  caches.issuers.putUnreadable({ ...issuer, metadata: { ...issuer.metadata, resourceVersion } });
  expect([read(), signer()]).toEqual([undefined, undefined]);
  await eventually('it can be read', async () => {
    await annotate(crypto.randomUUID());
    return read();
  });
  await eventually('it signs', signer);
});

describe('the Secret of the leaf', () => {
  test('that is deleted is made anew at once, and the old key signs until then', async () => {
    const { place, replica } = await settled();
    const old = replica.signer();
    await place.api.delete(place.secretPath('leaf'));
    await eventually('the cache has heard of it', () => !leafIn(place, replica));
    expect(replica.signer()).toBe(old);
    await replica.reconcile();
    await eventually('the new leaf', () => replica.signer() !== old);
    expect(await place.signedBy(replica.signer(), await place.bundle())).toBe(0);
  });

  test('that is edited is made anew at once, and nobody signs with what somebody put there', async () => {
    const { place, replica } = await settled();
    const stranger = await settled();
    const server = await place.replica();
    const old = await eventually('the leaf', server.signer);
    const { data } = await stranger.place.secret('leaf');
    for (const edit of [{ 'tls.key': 'bm8=' }, data]) {
      const { metadata } = await place.api.patch(place.secretPath('leaf'), { data: edit });
      for (const { caches } of [replica, server])
        await eventually(
          'the edit is seen',
          () => leafIn(place, { caches })?.metadata.resourceVersion === metadata.resourceVersion,
        );
      await server.chains.load(AbortSignal.timeout(60_000));
      expect(await place.signedBy(server.signer(), await place.bundle())).toBe(0);
      await replica.reconcile();
      const renewed = await eventually('a new leaf', () => server.signer() !== old && server.signer());
      expect(await place.signedBy(renewed, await place.bundle())).toBe(0);
    }
    expect(await place.ready()).toBe('True KeysPublished');
  });

  test('that lost its label is found, labelled and kept', async () => {
    const { place, replica } = await settled();
    const { data } = await place.secret('leaf');
    await place.api.patch(place.secretPath('leaf'), { metadata: { labels: { [managedLabel]: null } } });
    await eventually('the cache has lost it', () => !leafIn(place, replica));
    await replica.reconcile();
    const after = await place.secret('leaf');
    expect(after.metadata.labels?.[managedLabel]).toBe('signing-key');
    expect(after.data).toEqual(data);
  });
});

describe('the Secret of the CA', () => {
  test('that is deleted is followed by a new CA, and the old leaf signs until it is due', async () => {
    const { place, replica } = await settled();
    const [first] = await place.bundle();
    const old = replica.signer();
    await place.api.delete(place.secretPath('ca'));
    await eventually(
      'the cache has heard of it',
      () => replica.chains.seen(replica.caches.issuers.get(place.name) as never).authoritySecret.state === 'missing',
    );
    await replica.reconcile();
    const bundle = await place.bundle();
    expect(bundle).toHaveLength(2);
    expect(bundle[0]).toBe(first);
    expect(replica.signer()).toBe(old);
    expect([await place.ready(), replica.told.at(-1)]).toEqual(['True BundleChanged', 'BundleChanged']);
    place.calendar.passDays(61);
    await replica.reconcile();
    await eventually('the new leaf', () => replica.signer() !== old);
    expect(await place.signedBy(replica.signer(), bundle)).toBe(1);
  });

  test('that is edited stalls the issuer and takes nothing away; its removal is the remedy', async () => {
    const { place, replica } = await settled();
    const old = replica.signer();
    await place.api.patch(place.secretPath('ca'), { data: { 'tls.crt': 'bm8=' } });
    await eventually('the issuer is stalled', async () => {
      await replica.reconcile();
      return (await place.ready()) === 'False SigningKeyInvalid';
    });
    expect(replica.signer()).toBe(old);
    expect(await place.bundle()).toHaveLength(1);
    await place.api.delete(place.secretPath('ca'));
    await eventually('the issuer goes on', async () => {
      await replica.reconcile();
      return (await place.ready()) === 'True BundleChanged';
    });
  });

  test('that is edited behind the back of a replica makes it sign no leaf with what is there', async () => {
    const { place, replica } = await settled();
    const { data } = await place.secret('leaf');
    await replica.deafen();
    await place.api.patch(place.secretPath('ca'), { data: { 'tls.crt': 'bm8=' } });
    place.calendar.passDays(61);
    await replica.reconcile();
    expect(await place.ready()).toBe('False SigningKeyInvalid');
    expect((await place.secret('leaf')).data).toEqual(data);
  });

  test('gets one successor, also from a replica that has not heard of the one that another has made', async () => {
    const { place, replica } = await settled();
    const deaf = await place.replica();
    await deaf.reconcile();
    await deaf.deafen();
    place.calendar.passDays(3650 - 729);
    await replica.reconcile();
    const { data } = await place.secret('ca');
    await deaf.reconcile();
    expect((await place.secret('ca')).data).toEqual(data);
    expect(await place.bundle()).toHaveLength(2);
  });

  test('gets a successor beside it in time, which signs a year later; a registry with either bundle goes on', async () => {
    const { place, replica } = await settled();
    const [first] = await place.bundle();
    place.calendar.passDays(3650 - 729);
    await replica.reconcile();
    const bundle = await place.bundle();
    expect(bundle).toHaveLength(2);
    expect(await place.signedBy(replica.signer(), [first ?? ''])).toBe(0);
    expect(replica.told.at(-1)).toBe('BundleChanged');
    expect(Object.keys((await place.secret('ca')).data ?? {})).toHaveLength(4);
    place.calendar.passDays(365);
    const before = replica.signer();
    await replica.reconcile();
    await eventually('the new leaf', () => replica.signer() !== before);
    expect(await place.signedBy(replica.signer(), bundle)).toBe(1);
    expect(await place.bundle()).toEqual(bundle);
    expect(Object.keys((await place.secret('ca')).data ?? {})).toEqual(['tls.crt', 'tls.key']);
    expect(await place.ready()).toBe('True KeysPublished');
  });
});

describe('an issuer that is deleted', () => {
  test('goes when no robot depends on it', async () => {
    const { place, replica } = await settled();
    await place.api.delete(place.path);
    await eventually('the issuer is gone', async () => {
      await replica.reconcile();
      return (await place.api.get(place.path)) === undefined;
    });
    await eventually('nobody signs for it', () => replica.signer() === undefined);
  });

  test('stays for a robot that only the API server knows of', async () => {
    const { place, replica } = await settled();
    await replica.deafen();
    const robots = `/apis/botmint.dev/v1alpha1/namespaces/${place.namespace}/robotaccounts`;
    await place.api.create(robots, {
      apiVersion: 'botmint.dev/v1alpha1',
      kind: 'RobotAccount',
      metadata: { name: 'ci' },
      spec: { issuerRef: { kind: 'ClusterTokenIssuer', name: place.name }, project: 'shop', expiresIn: 'never' },
    });
    // A record in a form of another version: nobody knows what it depends on.
    const issued = { inputs: { format: 99 }, secret: { name: 'ci', uid: 'x' } };
    await place.api.patch(`${robots}/ci/status`, { status: { tokenID: 'x', revision: 1, issued } });
    await place.api.delete(place.path);
    replica.caches.issuers.put(await place.issuer());
    await replica.reconcile();
    expect(await place.ready()).toBe('False InUse');
    await place.api.delete(`${robots}/ci`);
    await replica.reconcile();
    expect(await place.api.get(place.path)).toBeUndefined();
  });
});
