import { describe, expect, test } from 'vitest';
import { isBackground, isWrite, type Target, targetOf } from './requests.ts';

describe('what a request asks', () => {
  const api = '/apis/botmint.dev/v1alpha1';
  test.each<[string, string, Partial<Target>]>([
    [
      'GET',
      '/api/v1/namespaces/a/secrets/b',
      { verb: 'get', group: '', resource: 'secrets', namespace: 'a', name: 'b' },
    ],
    ['GET', '/api/v1/secrets', { verb: 'list', resource: 'secrets', namespace: '', name: '' }],
    ['GET', '/api/v1/secrets?watch=true', { verb: 'watch', resource: 'secrets' }],
    ['GET', '/api/v1/secrets?watch=1', { verb: 'watch' }],
    ['GET', '/api/v1/secrets?watch=false', { verb: 'list' }],
    ['GET', '/api/v1/namespaces', { verb: 'list', resource: 'namespaces', namespace: '', name: '' }],
    ['GET', '/api/v1/namespaces/a', { verb: 'get', resource: 'namespaces', namespace: 'a', name: 'a' }],
    [
      'PUT',
      '/api/v1/namespaces/a/finalize',
      { verb: 'update', resource: 'namespaces', name: 'a', subresource: 'finalize' },
    ],
    [
      'POST',
      `${api}/namespaces/a/bottokens`,
      { verb: 'create', group: 'botmint.dev', resource: 'bottokens', name: '' },
    ],
    ['PATCH', `${api}/namespaces/a/bottokens/b/status`, { verb: 'patch', name: 'b', subresource: 'status' }],
    [
      'PATCH',
      `${api}/clustertokenissuers/b`,
      { verb: 'patch', resource: 'clustertokenissuers', namespace: '', name: 'b' },
    ],
    ['DELETE', `${api}/namespaces/a/bottokens/b`, { verb: 'delete', name: 'b' }],
    ['DELETE', `${api}/namespaces/a/bottokens`, { verb: 'deletecollection', name: '' }],
    [
      'POST',
      '/api/v1/namespaces/a/serviceaccounts/b/token',
      { verb: 'create', resource: 'serviceaccounts', subresource: 'token' },
    ],
    ['GET', '/readyz', { verb: 'get', group: '', resource: '', name: '', path: '/readyz' }],
    ['GET', '/apis/botmint.dev/v1alpha1', { verb: 'get', group: 'botmint.dev', resource: '' }],
  ])('%s %s', (method, url, expected) => expect(targetOf(method, url)).toMatchObject(expected));

  test('keeps the query', () => {
    const { query, path } = targetOf('GET', '/api/v1/secrets?watch=true&labelSelector=a%3Db');
    expect([path, query.get('labelSelector')]).toEqual(['/api/v1/secrets', 'a=b']);
  });
});

test.each<[string, string, boolean]>([
  ['POST', '/api/v1/namespaces/a/secrets', true],
  ['PATCH', '/api/v1/namespaces/a/secrets/b', true],
  ['DELETE', '/api/v1/namespaces/a/secrets/b', true],
  ['GET', '/api/v1/namespaces/a/secrets/b', false],
  ['POST', '/apis/authentication.k8s.io/v1/tokenreviews', false],
  ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', false],
  ['POST', '/api/v1/namespaces/a/serviceaccounts/b/token', false],
])('%s %s writes: %s', (method, url, writes) => expect(isWrite(targetOf(method, url))).toBe(writes));

test.each<[string, boolean]>([
  ['/apis/coordination.k8s.io/v1/namespaces/a/leases/b', true],
  ['/apis/events.k8s.io/v1/namespaces/a/events', true],
  ['/api/v1/namespaces/a/secrets', false],
])('%s is background: %s', (url, background) => expect(isBackground(targetOf('POST', url))).toBe(background));
