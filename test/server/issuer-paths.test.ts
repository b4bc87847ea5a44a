import { expect, test } from 'vitest';
import type { IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { routeOf } from '../../src/server/issuer-paths.ts';
import * as healthy from '../issuers/jwt/healthy.ts';

function issuer(
  name: string,
  issuerURL: string,
  creationTimestamp = '2026-11-01T00:00:00Z',
  uid = name,
): IssuerOf<'jwt'> {
  return {
    ...healthy.issuer,
    metadata: { ...healthy.issuer.metadata, name, uid, creationTimestamp },
    spec: { ...healthy.issuer.spec, jwt: { ...healthy.issuer.spec.jwt, issuerURL } },
  };
}
const issuers = [
  issuer('builtin', 'https://botmint.botmint-system.svc'),
  issuer('public', 'https://x.example/tokens'),
  issuer('deep', 'https://x.example/a/b'),
  issuer('east', 'https://east.example/shared'),
  issuer('west', 'https://west.example:8443/shared'),
  issuer('younger', 'https://old.example/same', '2026-11-02T00:00:00Z'),
  issuer('older', 'https://old.example/same', '2026-11-01T00:00:00Z'),
  issuer('trap', 'https://x.example/issuers/other'),
  issuer('odd', 'https://x.example/odd/.well-known/openid-configuration'),
];

test.each<[string, string, string | undefined]>([
  ['/issuers/public/.well-known/openid-configuration', 'any', 'public discovery'],
  ['/issuers/public/jwks', 'any', 'public jwks'],
  ['/issuers/public/introspect', 'any', 'public introspect'],
  ['/issuers/younger/jwks', 'any', 'younger jwks'],
  ['/issuers/nobody/jwks', 'any', undefined],
  ['/issuers/public/stats', 'any', undefined],
  ['/issuers/public/jwks/', 'any', undefined],
  ['/issuers//jwks', 'any', undefined],
  // the path of an issuerURL
  ['/tokens/.well-known/openid-configuration', 'x.example', 'public discovery'],
  ['/tokens/jwks', '10.0.0.7:8443', 'public jwks'],
  ['/tokens/introspect', '', 'public introspect'],
  ['/a/b/jwks', 'any', 'deep jwks'],
  ['/a/jwks', 'any', undefined],
  ['/issuers/other/jwks', 'any', 'trap jwks'],
  // an issuerURL without a path
  ['/.well-known/openid-configuration', 'any', 'builtin discovery'],
  ['/jwks', 'any', 'builtin jwks'],
  ['/introspect', 'any', 'builtin introspect'],
  ['/', 'any', undefined],
  // several with one path
  ['/shared/jwks', 'east.example', 'east jwks'],
  ['/shared/jwks', 'EAST.example:443', 'east jwks'],
  ['/shared/jwks', 'west.example:8443', 'west jwks'],
  ['/shared/jwks', 'west.example', undefined],
  ['/shared/jwks', '10.0.0.7', undefined],
  ['/shared/jwks', 'not a host', undefined],
  // status lists
  ['/issuers/builtin/status', 'any', 'builtin statusLists'],
  ['/issuers/builtin/status/17', 'any', 'builtin statusList'],
  ['/status/0', 'any', 'builtin statusList'],
  ['/tokens/status/4294967295', 'any', 'public statusList'],
  ['/issuers/builtin/status/017', 'any', undefined],
  ['/issuers/builtin/status/-1', 'any', undefined],
  ['/issuers/builtin/status/1.0', 'any', undefined],
  ['/issuers/builtin/status/12345678901', 'any', undefined],
  ['/issuers/builtin/status/', 'any', undefined],
  ['/issuers/builtin/status/1/2', 'any', undefined],
  ['/issuers/nobody/status/1', 'any', undefined],
  // several with one issuerURL
  ['/same/jwks', 'any', 'older jwks'],
  // RFC 8414
  ['/.well-known/oauth-authorization-server', 'any', 'builtin discovery'],
  ['/.well-known/oauth-authorization-server/tokens', 'any', 'public discovery'],
  ['/.well-known/oauth-authorization-serverx', 'any', undefined],
  ['/odd/.well-known/openid-configuration/jwks', 'any', 'odd jwks'],
])('%s at %j is %s', (path, host, expected) => {
  const route = routeOf(path, host, issuers);
  expect(route && `${route.issuer.metadata.name} ${route.endpoint}`).toBe(expected);
});

test('an issuer of another type has none of these paths', () => {
  const { metadata, spec } = issuer('images', 'https://i.example');
  const registry = { service: 'r', issuer: 'botmint', host: 'r', robotPrefix: 'robot_', tokenLifetime: '5m' };
  const { jwt: _, ...others } = spec;
  expect(routeOf('/issuers/images/jwks', 'any', [{ metadata, spec: { ...others, registry } }])).toBeUndefined();
});

test('of two issuers of one second with one issuerURL the smaller UID holds it, in any order of the cache', () => {
  const twins = [
    issuer('b', 'https://t.example/t', undefined, 'uid-1'),
    issuer('a', 'https://t.example/t', undefined, 'uid-2'),
  ];
  for (const order of [twins, twins.toReversed()])
    expect(routeOf('/t/jwks', 'any', order)?.issuer.metadata.name).toBe('b');
});
