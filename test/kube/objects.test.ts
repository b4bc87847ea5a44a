import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leases, secretMetadata, secrets, secretText } from '../../src/kube/core-kinds.ts';
import { compareVersions, keyOf, MalformedObject, refOf } from '../../src/kube/objects.ts';
import { collectionPath, objectPath, withQuery } from '../../src/kube/paths.ts';

const metadata = { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '7', creationTimestamp: '' };

describe('keys', () => {
  test.each([
    [{ namespace: 'ns', name: 'a' }, 'ns/a'],
    [{ name: 'a' }, 'a'],
  ])('%o has the key %s and comes back from it', (ref, key) => {
    expect(keyOf(ref)).toBe(key);
    expect(keyOf({ metadata: ref })).toBe(key);
    expect(refOf(key)).toEqual(ref);
  });
});

test('resourceVersions compare as the numbers that they are', () => {
  const version = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
  fc.assert(
    fc.property(version, version, (a, b) => {
      expect(Math.sign(compareVersions(`${a}`, `${b}`))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

describe('paths', () => {
  const [core, grouped] = [secrets, leases];
  test.each([
    [collectionPath(core), '/api/v1/secrets'],
    [collectionPath(core, 'ns'), '/api/v1/namespaces/ns/secrets'],
    [objectPath(grouped, { namespace: 'ns', name: 'a' }), '/apis/coordination.k8s.io/v1/namespaces/ns/leases/a'],
    [objectPath(core, { namespace: 'ns', name: 'a' }, 'status'), '/api/v1/namespaces/ns/secrets/a/status'],
    [withQuery('/p', { a: 'x=y,z', b: undefined, c: '1' }), '/p?a=x%3Dy%2Cz&c=1'],
  ])('%s', (path, expected) => expect(path).toBe(expected));

  test.each([
    [{ namespace: 'ns', name: '' }],
    [{ namespace: 'ns', name: '.' }],
    [{ namespace: 'ns', name: '..' }],
    [{ namespace: '..', name: 'a' }],
    [{ namespace: '', name: 'a' }],
    [{ name: 'a' }],
  ])('%o is refused, because the server would take it for a collection', ref => {
    expect(() => objectPath(secrets, ref)).toThrow(TypeError);
  });

  test('a name cannot leave its place in the path', () => {
    expect(objectPath(secrets, { namespace: 'ns', name: 'a/../b?c' })).toBe(
      '/api/v1/namespaces/ns/secrets/a%2F..%2Fb%3Fc',
    );
  });
});

describe('parsing what came over the wire', () => {
  test.each<[string, unknown]>([
    ['nothing', null],
    ['a list', []],
    ['no metadata', {}],
    ['no name', { metadata: { ...metadata, name: '' } }],
    ['no UID', { metadata: { ...metadata, uid: undefined } }],
    ['a version that cannot be compared', { metadata: { ...metadata, resourceVersion: '0x7' } }],
    ['a version with a leading zero', { metadata: { ...metadata, resourceVersion: '07' } }],
    ['a namespace that is no text', { metadata: { ...metadata, namespace: 1 } }],
  ])('refuses %s', (_, value) => {
    expect(() => secretMetadata.parse(value)).toThrow(MalformedObject);
    expect(() => secrets.parse(value)).toThrow(MalformedObject);
  });

  test('hides the values of a Secret', () => {
    const secret = secrets.parse({ metadata, type: 'Opaque', data: { key: 'Y2FuYXJ5', constructor: 'eA==' } });
    expect(secretText(secret, 'key')?.reveal()).toBe('canary');
    expect(secretText(secret, 'toString')).toBeUndefined();
    expect(JSON.stringify(secret) + inspect(secret, { depth: 9 })).not.toMatch(/Y2FuYXJ5|canary/);
  });

  test('leaves fields of a Lease out that are not what they should be', () => {
    const spec = { holderIdentity: 'me', leaseDurationSeconds: '15', renewTime: null };
    expect(leases.parse({ metadata, spec }).spec).toEqual({ holderIdentity: 'me' });
  });
});
