import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { retireKeyAnnotation } from '../../src/api/names.ts';
import { eventually } from '../cluster/cluster.ts';
import { type RegistryPlace, settled, versionOf } from './registry-place.ts';

describe('retire-key', () => {
  const retire = async (place: RegistryPlace, names: string) => {
    await place.api.patch(place.path, { metadata: { annotations: { [retireKeyAnnotation]: names } } });
  };
  const withdrawn = async (place: RegistryPlace) => (await place.issuer()).status?.withdrawnKeys?.map(({ kid }) => kid);
  const fingerprintOf = (certificate = '') => new X509Certificate(certificate).fingerprint256;

  test('takes a CA out of the bundle for good, and every replica signs with a leaf of another one', async () => {
    const { place, replica } = await settled();
    const server = await place.replica();
    const old = await eventually('the leaf', server.signer);
    const [first = ''] = await place.bundle();
    const { data } = await place.secret('ca');
    expect(fingerprintOf(first)).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    await retire(place, fingerprintOf(first));
    await eventually('it is recorded', async () => {
      await Promise.all([replica.reconcile(), server.reconcile()]);
      return withdrawn(place);
    });
    const bundle = await place.bundle();
    expect(bundle).toHaveLength(1);
    expect(bundle[0]).not.toBe(first);
    const { status } = await place.issuer();
    expect(status?.rootCertFingerprints?.map(name => name.toUpperCase())).toEqual(
      bundle.map(each => fingerprintOf(each).replaceAll(':', '')),
    );
    const told = [...replica.told, ...server.told].filter(reason => reason === 'BundleChanged');
    expect([await place.ready(), ...told]).toEqual(['True BundleChanged', 'BundleChanged']);
    for (const { signer } of [replica, server]) {
      const renewed = await eventually('the new leaf', () => signer() !== old && signer());
      expect(await place.signedBy(renewed, bundle)).toBe(0);
    }
    // Out of a backup, with the annotation gone.
    await retire(place, '');
    await place.api.patch(place.secretPath('ca'), { data });
    await eventually('it is replaced', async () => {
      await replica.reconcile();
      return JSON.stringify((await place.secret('ca')).data) !== JSON.stringify(data);
    });
    const after = await place.bundle();
    expect([after.includes(first), after.includes(bundle[0] ?? '')]).toEqual([false, true]);
    expect(await place.signedBy(server.signer(), after)).toBe(0);
  });

  test('goes without a gap for registries that were given another CA before', async () => {
    const { place, replica } = await settled();
    await place.api.delete(place.secretPath('ca'));
    const both = await eventually('two CAs', async () => {
      await replica.reconcile();
      const bundle = await place.bundle();
      return bundle.length === 2 && bundle;
    });
    expect(await place.signedBy(replica.signer(), both)).toBe(0);
    await retire(place, fingerprintOf(both[0]).replaceAll(':', ''));
    await eventually('it is recorded', async () => {
      await replica.reconcile();
      expect(await place.signedBy(replica.signer(), both)).toBeGreaterThanOrEqual(0);
      return withdrawn(place);
    });
    expect(await place.bundle()).toEqual(both.slice(1));
    expect(await place.signedBy(replica.signer(), both)).toBe(1);
  });

  test('of a name that is no CA changes nothing but what the issuer says', async () => {
    const { place, replica } = await settled();
    const before = [await place.bundle(), await versionOf(place, 'ca'), await versionOf(place, 'leaf')];
    await retire(place, 'ab:cd');
    await eventually('it is told', async () => {
      await replica.reconcile();
      return (await place.ready()) === 'True KeyNotFound';
    });
    expect([await place.bundle(), await versionOf(place, 'ca'), await versionOf(place, 'leaf')]).toEqual(before);
    expect(replica.told.at(-1)).toBe('KeyNotFound');
  });
});
