import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { issuer, issuerURL, publishing } from '../issuers/jwt/healthy.ts';
import { introspect, issued, serve } from './endpoints-world.ts';

const get = (path: string, headers: Record<string, string> = {}) => ({ method: 'GET' as const, url: path, headers });

describe('discovery', () => {
  test('is what kube-apiserver serves for its own issuer, and where introspection is', async () => {
    const { app } = await serve();
    const response = await app.inject(get('/issuers/builtin/.well-known/openid-configuration'));
    expect(response.headers['content-type']).toBe('application/json');
    expect(response.json()).toEqual({
      issuer: issuerURL,
      jwks_uri: `${issuerURL}/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      introspection_endpoint: `${issuerURL}/introspect`,
      introspection_endpoint_auth_methods_supported: ['Bearer'],
      status_list_aggregation_endpoint: `${issuerURL}/status`,
    });
  });

  test('leads to the keys and to introspection: each address that it names is served', async () => {
    const { app } = await serve();
    const { jwks_uri, introspection_endpoint, status_list_aggregation_endpoint } = (
      await app.inject(get('/.well-known/openid-configuration'))
    ).json();
    const lists = await app.inject(get(new URL(status_list_aggregation_endpoint).pathname));
    expect(lists.json()).toEqual({ status_lists: [] });
    expect((await app.inject(get(new URL(jwks_uri).pathname))).json().keys).toHaveLength(1);
    const response = await app.inject({ method: 'POST', url: new URL(introspection_endpoint).pathname });
    expect(response.statusCode).toBe(415);
  });
});

describe('the key set', () => {
  test('verifies a token with nothing but jose', async () => {
    const served = await serve();
    const response = await served.app.inject(get('/issuers/builtin/jwks'));
    expect(response.headers['content-type']).toBe('application/jwk-set+json');
    const { payload } = await jwtVerify(await issued(served), createLocalJWKSet(response.json<JSONWebKeySet>()), {
      issuer: issuerURL,
      audience: 'https://buf.example.com',
      typ: 'bot+jwt',
      currentDate: served.world.now,
    });
    expect(payload.sub).toBe('bot:team-a:ci-bot');
  });

  test('has no private member, even if somebody wrote one into the status', async () => {
    const { app, world, publicJWK } = await serve();
    const listed = publishing([publicJWK]);
    for (const key of listed.status?.keys ?? []) Object.assign(key.publicJWK, { d: 'canary', key_ops: ['sign'] });
    world.cached.issuers = [listed];
    const response = await app.inject(get('/issuers/builtin/jwks'));
    expect(response.json()).toEqual({ keys: [publicJWK] });
    expect(response.body).not.toContain('canary');
  });

  test('leaves out what is no public key of a known kind', async () => {
    const { app, world, publicJWK } = await serve();
    const listed = publishing([publicJWK]);
    const [first] = listed.status?.keys ?? [];
    if (first !== undefined)
      listed.status?.keys?.push({ ...first, kid: 'x', publicJWK: { kty: 'oct', k: 'canary', kid: 'x' } });
    world.cached.issuers = [listed];
    expect((await app.inject(get('/issuers/builtin/jwks'))).json().keys).toHaveLength(1);
  });

  test('is empty before the first key is published', async () => {
    const { app, world } = await serve();
    world.cached.issuers = [issuer];
    expect((await app.inject(get('/jwks'))).json()).toEqual({ keys: [] });
  });
});

describe.each(['/issuers/builtin/jwks', '/issuers/builtin/.well-known/openid-configuration'])('%s', path => {
  test('may be kept for five minutes, and is confirmed by its ETag', async () => {
    const { app, world, publicJWK } = await serve();
    const first = await app.inject(get(path));
    expect(first.headers['cache-control']).toBe('public, max-age=300');
    const etag = String(first.headers.etag);
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await app.inject(get(path, { 'if-none-match': tag }));
      expect({ status: again.statusCode, body: again.body, etag: again.headers.etag }).toEqual({
        status: 304,
        body: '',
        etag,
      });
      expect(again.headers['cache-control']).toBe('public, max-age=300');
    }
    world.cached.issuers = [
      publishing([{ ...publicJWK, kid: 'another' }], {
        ...issuer,
        spec: { ...issuer.spec, jwt: { ...issuer.spec.jwt, issuerURL: 'https://other.example' } },
      }),
    ];
    expect((await app.inject(get(path, { 'if-none-match': etag }))).statusCode).toBe(200);
  });

  test.each([
    ['10m', 300],
    ['9m', 270],
    ['11s', 5],
    ['3mo', 300],
  ])('may be kept for half of keyActivationDelay: %s', async (keyActivationDelay, seconds) => {
    const { app, world } = await serve();
    world.cached.issuers = [{ ...issuer, spec: { ...issuer.spec, jwt: { ...issuer.spec.jwt, keyActivationDelay } } }];
    expect((await app.inject(get(path))).headers['cache-control']).toBe(`public, max-age=${seconds}`);
  });

  test('answers HEAD without a body', async () => {
    const { app } = await serve();
    const response = await app.inject({ method: 'HEAD', url: path });
    expect({ status: response.statusCode, body: response.body }).toEqual({ status: 200, body: '' });
    expect(response.headers.etag).toBeDefined();
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'] as const)('refuses %s and says what it takes', async method => {
    const { app } = await serve();
    const response = await app.inject({ method, url: path });
    expect({ status: response.statusCode, allow: response.headers.allow }).toEqual({ status: 405, allow: 'GET, HEAD' });
  });
});

describe('caches that are too old', () => {
  const paths = ['/issuers/builtin/jwks', '/.well-known/openid-configuration', '/issuers/nobody/jwks'];
  test.each(paths)('are not answered from: %s', async path => {
    const { app } = await serve({ cachesAge: 15_001 });
    const response = await app.inject(get(path));
    expect(response.statusCode).toBe(503);
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    expect(response.headers['cache-control']).toBe('no-store');
  });

  test('say nothing of a token or a caller either, good or bad', async () => {
    const served = await serve({ cachesAge: Number.POSITIVE_INFINITY });
    const good = await issued(served);
    for (const [token, caller] of [
      [good, 'Bearer c'],
      [good, ''],
      ['bad', 'Bearer c'],
    ] as const) {
      expect((await introspect(served, token, { caller })).status).toBe(503);
    }
    expect(served.world.asked).toEqual([]);
    // The alert looks at these.
    expect(await served.metrics.text()).toContain(
      'botmint_introspections_total{issuer="builtin",result="unavailable"} 3\n',
    );
  });

  test('are good enough up to 15 s', async () => {
    const { app } = await serve({ cachesAge: 15_000 });
    expect((await app.inject(get('/jwks'))).statusCode).toBe(200);
  });
});

test('a path of no issuer is not found', async () => {
  const { app } = await serve();
  for (const path of ['/issuers/nobody/jwks', '/', '/favicon.ico', '/issuers/builtin', '/issuers/builtin/jwks/x']) {
    expect((await app.inject(get(path))).statusCode).toBe(404);
  }
});

test('a query does not change the path', async () => {
  const { app } = await serve();
  expect((await app.inject(get('/jwks?x=/introspect'))).statusCode).toBe(200);
});

test('routes of others on the same server go first', async () => {
  const { app } = await serve();
  app.get('/registry/:name/token', async () => ({ token: 'theirs' }));
  expect((await app.inject(get('/registry/a/token'))).json()).toEqual({ token: 'theirs' });
});
