import { expect, test } from 'vitest';
import { withFinalizer, withoutFinalizer } from '../../src/kube/finalizer.ts';

const ours = 'botmint.dev/revoke';

test.each<[string, string[] | undefined, string[] | undefined, string[] | undefined]>([
  ['none', undefined, [ours], undefined],
  ["somebody else's", ['x'], ['x', ours], undefined],
  ['ours', [ours], undefined, []],
  ["ours among others'", ['x', ours, 'y'], undefined, ['x', 'y']],
])('from %s', (_, finalizers, added, removed) => {
  const object = { metadata: { finalizers } };
  expect(withFinalizer(object, ours)).toEqual(added && { metadata: { finalizers: added } });
  expect(withoutFinalizer(object, ours)).toEqual(removed && { metadata: { finalizers: removed } });
});
