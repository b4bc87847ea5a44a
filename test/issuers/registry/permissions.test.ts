import { describe, expect, test } from 'vitest';
import { type Permission, permissions } from '../../../src/api/permissions.ts';
import { actionsOn, type Grant, isPermission, withoutEffect } from '../../../src/issuers/registry/permissions.ts';

const on = (repository: string, ...grants: Grant[]) => actionsOn(repository, grants).join(' ');

test.each<[Permission, string]>([
  ['PushArtifacts', 'pull push'],
  ['PullArtifacts', 'pull'],
  ['DeleteArtifacts', 'delete'],
  ['ReadHelmCharts', 'pull'],
  ['CreateHelmChartVersion', 'pull push'],
  ['DeleteHelmChartVersion', 'delete'],
  ['CreateTag', 'pull push'],
  ['DeleteTag', 'delete'],
  ['CreateArtifactLabels', ''],
  ['CreateScan', ''],
])('%s allows %j', (permission, allowed) =>
  expect(on('shop/cart', { project: 'shop', permissions: [permission] })).toBe(allowed),
);

test('there are ten', () => expect(permissions).toHaveLength(10));

test('names those that mean nothing on a distribution registry', () =>
  expect(withoutEffect(permissions)).toEqual(['CreateArtifactLabels', 'CreateScan']));

test.each(['toString', 'constructor', 'pushArtifacts', '', '*'])('%j is no permission', word =>
  expect(isPermission(word)).toBe(false),
);

describe('a project', () => {
  const pull = (project: string): Grant => ({ project, permissions: ['PullArtifacts'] });

  test.each([
    ['shop', 'shop/cart', 'pull'],
    ['shop', 'shop/cart/base/v2', 'pull'],
    ['shop', 'shopping/cart', ''],
    ['shop', 'sho/cart', ''],
    ['shop', 'other/shop', ''],
    ['shop', 'shop', ''],
    ['shop', '/shop/cart', ''],
    ['shop', 'localhost:5000/shop/cart', ''],
    ['*', 'shop/cart', 'pull'],
    ['*', 'shop', 'pull'],
  ])('%s: on %s allows %j', (project, repository, allowed) => expect(on(repository, pull(project))).toBe(allowed));

  test('named twice has the sum of both, and what every project has', () => {
    const grants: Grant[] = [
      { project: 'shop', permissions: ['PullArtifacts'] },
      { project: 'shop', permissions: ['DeleteTag'] },
      { project: '*', permissions: ['CreateTag'] },
    ];
    expect(on('shop/cart', ...grants.slice(0, 2))).toBe('pull delete');
    expect(on('shop/cart', ...grants)).toBe('pull push delete');
    expect(on('other/cart', ...grants)).toBe('pull push');
  });

  test('without permissions has nothing', () => expect(on('shop/cart', { project: 'shop', permissions: [] })).toBe(''));
});
