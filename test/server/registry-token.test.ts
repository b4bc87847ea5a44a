import type { InjectOptions } from 'fastify';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SecretValue } from '../../src/base/secret-value.ts';
import type { Account } from '../../src/issuers/registry/account.ts';
import { generateSecret } from '../../src/issuers/registry/secrets.ts';
import { TooManyChecks } from '../../src/issuers/registry/slow-hash.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { eventually } from '../cluster/wait.ts';
import { serve as serveJWT } from './endpoints-world.ts';
import { basic, ends, get, issuer, now, ownSecret, post, type Served, secret, serve } from './registry-token-world.ts';

const login = basic('robot_shop+ci', secret);
const push = 'service=registry.example&scope=repository:shop/cart:pull,push';
const form = {
  grant_type: 'password',
  service: 'registry.example',
  client_id: 'containerd-client',
  username: 'robot_shop+ci',
  password: secret.reveal(),
  scope: 'repository:shop/cart:pull,push repository:other/x:pull',
};

function change({ world }: Served, of: Partial<Account>): void {
  const account = world.accounts.get('robot_shop+ci');
  if (account !== undefined) world.accounts.set(account.fullName, { ...account, ...of });
}

describe('GET', () => {
  test('answers with the token, twice, and says how long it lives', async () => {
    const { status, headers, body, claims } = await get(await serve(), push, login);
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(body).toEqual({
      token: body.token,
      access_token: body.token,
      expires_in: 300,
      issued_at: '2026-11-22T12:00:00.000Z',
    });
    const iat = now.getTime() / 1000;
    expect(claims).toMatchObject({ iss: 'botmint', sub: 'robot_shop+ci', aud: 'registry.example', exp: iat + 300 });
    expect(claims?.access).toEqual([{ type: 'repository', name: 'shop/cart', actions: ['pull', 'push'] }]);
  });

  test.each([
    ['docker login', 'account=robot_shop%2Bci&client_id=docker&offline_token=true&service=registry.example', []],
    ['skopeo login', 'account=robot_shop%2Bci&service=registry.example', []],
    [
      'several scopes in one parameter and several parameters',
      'scope=repository:shop/a:pull+repository:shop/b:push&scope=repository:shop/c:delete,pull&service=registry.example',
      ['repository:shop/a:pull', 'repository:shop/b:push', 'repository:shop/c:pull'],
    ],
    ['no service', 'scope=repository:shop/a:pull', ['repository:shop/a:pull']],
    ['less than was asked for', 'service=registry.example&scope=repository:other/a:pull', []],
    ['access_type=offline', 'service=registry.example&access_type=offline', []],
  ])('%s is answered, without a refresh token', async (_, query, expected) => {
    const { status, body, claims } = await get(await serve(), query, login);
    expect(status).toBe(200);
    expect(JSON.stringify(claims?.access)).toBe(
      JSON.stringify(
        expected.map(text => {
          const [type, name, actions = ''] = text.split(':');
          return { type, name, actions: actions.split(',') };
        }),
      ),
    );
    expect(body).not.toHaveProperty('refresh_token');
  });

  test('believes the credential and not the parameter account', async () => {
    const { claims } = await get(await serve(), `${push}&account=robot_admin`, login);
    expect(claims?.sub).toBe('robot_shop+ci');
  });

  test.each([
    ['a secret with a colon', basic('robot_own', ownSecret)],
    ['another case of the scheme', login.replace('Basic', 'BASIC')],
    ['base64 without padding', login.replace(/=+$/, '')],
  ])('takes %s', async (_, authorization) => expect((await get(await serve(), push, authorization)).status).toBe(200));

  test.each([
    ['a bearer token', 'Bearer abc'],
    ['base64 that is none', 'Basic ###'],
    ['no colon', `Basic ${Buffer.from('robot').toString('base64')}`],
    ['nothing behind the scheme', 'Basic '],
    ['an empty header', ''],
    ['no name', basic('', secret)],
    ['no secret', basic('robot_shop+ci', new SecretValue(''))],
    ['a name of another case', basic('ROBOT_shop+ci', secret)],
  ])('refuses %s, and never takes it for anonymous', async (_, authorization) => {
    const { status, headers, body } = await get(await serve(), push, authorization);
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Basic realm="registry.example", charset="UTF-8"');
    expect(body.errors).toEqual([{ code: 'UNAUTHORIZED', message: body.error_description }]);
  });
});

test('a token ends with the certificate of the key that signed it', async () => {
  const served = await serve();
  served.world.now = new Date(ends.getTime() - 90_000);
  const { body, claims } = await get(served, push, login);
  expect([body.expires_in, claims?.exp]).toEqual([90, ends.getTime() / 1000]);
});

describe('without credentials', () => {
  test('there is a token for nobody, with what is open to all', async () => {
    const served = await serve();
    served.world.issuers.set('hub', { ...issuer, anonymousProjects: ['public'] });
    const query = 'service=registry.example&scope=repository:public/a:pull,push&scope=repository:shop/a:pull';
    const { status, claims } = await get(served, query);
    expect(status).toBe(200);
    expect(claims).toMatchObject({ sub: '', access: [{ type: 'repository', name: 'public/a', actions: ['pull'] }] });
    expect(served.world.used).toEqual([]);
  });

  test('it is empty where nothing is open', async () => {
    const { status, claims } = await get(await serve(), push);
    expect({ status, access: claims?.access }).toEqual({ status: 200, access: [] });
  });
});

describe('POST', () => {
  test('answers in the form of OAuth2, and names what was granted', async () => {
    const { status, body, claims } = await post(await serve(), { ...form, access_type: 'offline' });
    expect(status).toBe(200);
    expect(body).toEqual({
      token: body.access_token,
      access_token: body.access_token,
      token_type: 'Bearer',
      scope: 'repository:shop/cart:pull,push',
      expires_in: 300,
      issued_at: '2026-11-22T12:00:00.000Z',
    });
    expect(claims?.sub).toBe('robot_shop+ci');
  });

  test.each<[string, Record<string, string>, number, string]>([
    ['a refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }, 400, 'unsupported_grant_type'],
    ['no grant type', { grant_type: '' }, 400, 'unsupported_grant_type'],
    ['a wrong secret', { password: 'Wrong-passw0rd' }, 401, 'invalid_grant'],
    ['another service', { service: 'other.example' }, 400, 'invalid_request'],
    ['a broken scope', { scope: 'repository:shop/cart' }, 400, 'invalid_scope'],
  ])('refuses %s', async (_, of, status, error) => {
    const answer = await post(await serve(), { ...form, ...of });
    expect(answer).toMatchObject({ status, body: { error } });
    expect(answer.body.errors).toEqual([{ code: expect.any(String), message: answer.body.error_description }]);
  });

  test('says to a registry that calls itself something else which field that is, and never what was sent', async () => {
    const { body } = await post(await serve(), { ...form, service: 'other.example' });
    expect(body.error_description).toContain('registry.example: spec.registry.service');
    expect(JSON.stringify(body)).not.toContain('other.example');
  });

  test.each(['username', 'password', 'grant_type'] as const)('refuses a form without %s', async name => {
    const { [name]: _, ...rest } = form;
    expect((await post(await serve(), rest)).status).toBe(400);
  });

  test.each(['application/json', 'text/plain'])('refuses a body of type %j', async type =>
    expect(await post(await serve(), form, type)).toMatchObject({ status: 400, body: { error: 'invalid_request' } }),
  );

  test('a type with a parameter is fine', async () =>
    expect((await post(await serve(), form, 'Application/x-www-form-urlencoded; charset=UTF-8')).status).toBe(200));
});

test.each(['PUT', 'DELETE', 'PATCH'] as const)('%s is not allowed', async method => {
  const { app } = await serve();
  const response = await app.inject({ method, url: '/registry/hub/token' });
  expect(response.statusCode).toBe(405);
  expect(response.headers.allow).toBe('GET, HEAD, POST');
});

test.each([
  ['another service', 'service=other.example', 400, 'invalid_request'],
  ['an empty service', 'service=', 400, 'invalid_request'],
  ['two services', 'service=registry.example&service=other.example', 400, 'invalid_request'],
  ['a broken scope', 'service=registry.example&scope=repository:x', 400, 'invalid_scope'],
])('%s is refused, whoever asks', async (_, query, status, error) => {
  const served = await serve();
  for (const authorization of [undefined, login, basic('nobody', secret)]) {
    const answer = await get(served, query, authorization);
    expect(answer).toMatchObject({ status, body: { error, errors: [{ code: 'UNSUPPORTED' }] } });
  }
});

test('an issuer that is not there is not found', async () => {
  const answer = await get(await serve(), push, login, '/registry/other/token');
  expect(answer).toMatchObject({ status: 404, body: { error: 'not_found' } });
});

test('an issuer may have the longest name that Kubernetes allows, and nobody a longer one', async () => {
  const served = await serve();
  const name = `${'x'.repeat(63)}.`.repeat(4).slice(0, 253);
  served.world.issuers.set(name, { ...issuer, name });
  for (const signer of served.world.signers.values()) served.world.signers.set(name, signer);
  expect((await get(served, push, login, `/registry/${name}/token`)).status).toBe(200);
  const longer = await get(served, push, login, `/registry/${'x'.repeat(8000)}/token`);
  expect(longer).toMatchObject({ status: 404, body: { error: 'not_found', errors: [{ code: 'UNKNOWN' }] } });
});

test('stands beside the endpoints of the jwt issuers, which take all other paths', async () => {
  const { app } = await serveJWT();
  const served = await serve(app);
  expect((await get(served, push, login)).status).toBe(200);
  expect((await app.inject({ method: 'GET', url: '/issuers/builtin/jwks' })).statusCode).toBe(200);
  expect((await app.inject({ method: 'GET', url: '/registry/hub/other' })).statusCode).toBe(404);
});

describe('an account', () => {
  test.each<[string, Partial<Account>, string]>([
    ['disabled', { disabled: true }, 'the robot account is disabled'],
    ['ended', { expiresAt: now }, 'the robot account is expired'],
    ['replaced', { uid: 'another' }, 'unknown robot account or wrong secret'],
    ['without a live secret', { verifiers: [] }, 'unknown robot account or wrong secret'],
  ])('that is %s gets nothing, in either form', async (_, of, because) => {
    const served = await serve();
    change(served, of);
    for (const answer of [await get(served, push, login), await post(served, form)]) {
      expect(answer).toMatchObject({ status: 401, body: { error_description: because } });
      expect(answer.claims).toBeUndefined();
    }
    expect(served.world.used).toEqual([]);
  });

  test('that does not exist is refused as one with a wrong secret: same answer, same work', async () => {
    const seen = [];
    for (const name of ['robot_nobody', 'robot_shop+ci', 'robot_own']) {
      for (const wrong of ['Wrong-passw0rd', generateSecret().reveal(), 'x']) {
        const served = await serve();
        const { status, headers, body } = await get(served, push, basic(name, new SecretValue(wrong)));
        const { slowHashes } = served.world;
        seen.push({ wrong: wrong.length, answer: { status, headers: { ...headers, date: '' }, body, slowHashes } });
      }
    }
    for (const { wrong, answer } of seen) {
      const first = seen.find(one => one.wrong === wrong)?.answer;
      expect(answer).toEqual(first);
      expect(answer.status).toBe(401);
      expect(answer.slowHashes).toBe(wrong === 'Wrong-passw0rd'.length ? 1 : 0);
    }
  });

  test('is noted as used when it gets a token, and only then', async () => {
    const served = await serve();
    await get(served, push, login);
    await get(served, push, basic('robot_own', new SecretValue('Wrong-passw0rd')));
    await post(served, { ...form, username: 'robot_own', password: ownSecret.reveal() });
    expect(served.world.used).toEqual(['robot_shop+ci', 'robot_own']);
  });
});

describe('guessing', () => {
  const wrong = () => basic('robot_own', new SecretValue('Wrong-passw0rd'));
  async function exhausted() {
    const served = await serve();
    let answer = await get(served, push, wrong());
    for (let i = 0; i < 100 && answer.status === 401; i++) answer = await get(served, push, wrong());
    return { served, answer };
  }

  test('comes to an end, also with the right secret, and goes on later', async () => {
    const { served, answer } = await exhausted();
    expect(answer).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1' },
      body: { error: 'too_many_requests' },
    });
    expect(answer.body.errors).toEqual([{ code: 'TOOMANYREQUESTS', message: 'too many attempts' }]);
    expect(served.world.slowHashes).toBe(60);
    const own = basic('robot_own', ownSecret);
    expect((await get(served, push, own)).status).toBe(429);
    served.world.monotonic = 1000;
    expect((await get(served, push, own)).status).toBe(200);
  });

  test('does not hold up others, nor anybody who logs in without guessing', async () => {
    const { served } = await exhausted();
    served.world.issuers.set('mirror', { ...issuer, name: 'mirror' });
    expect((await get(served, push, wrong(), '/registry/mirror/token')).status).toBe(401);
    expect((await get(served, push, login)).status).toBe(200);
    for (let i = 0; i < 200; i++) await get(served, push, basic(`robot_${i}`, new SecretValue('x')));
    expect((await get(served, push, login)).status).toBe(200);
    expect((await get(served, push)).status).toBe(200);
  });
});

describe('an own secret', () => {
  const right = basic('robot_own', ownSecret);

  test('lets in a crowd of any size at the cost of one check, and costs nothing more afterwards', async () => {
    const served = await serve();
    for (let i = 0; i < 2; i++) {
      const crowd = await Promise.all(Array.from({ length: 200 }, () => get(served, push, right)));
      expect(new Set(crowd.map(({ status }) => status))).toEqual(new Set([200]));
    }
    expect(served.world.slowHashes).toBe(1);
  });

  test('is as hard to guess once it is known', async () => {
    const served = await serve();
    expect((await get(served, push, right)).status).toBe(200);
    const guesses = Array.from({ length: 60 }, (_, n) => basic('robot_own', new SecretValue(`Wrong-passw0rd${n}`)));
    for (const guess of guesses) expect((await get(served, push, guess)).status).toBe(401);
    expect((await get(served, push, right)).status).toBe(429);
    served.world.monotonic = 1000;
    expect((await get(served, push, right)).status).toBe(200);
  });
});

const body = 'application/x-www-form-urlencoded';

test.each<[string, InjectOptions, number]>([
  ['a body that is too large', { payload: 'x'.repeat(70_000), headers: { 'content-type': body } }, 413],
  ['a type of body that is none', { payload: 'x', headers: { 'content-type': ' ' } }, 415],
  ['a length that is none', { payload: 'x', headers: { 'content-type': body, 'content-length': '9' } }, 400],
  ['an address that cannot be read', { url: '/registry/%zz/token' }, 400],
])('%s is refused in the form of each client', async (_, of, status) => {
  const { app } = await serve();
  const response = await app.inject({ method: 'POST', url: '/registry/hub/token', ...of });
  expect(response.statusCode).toBe(status);
  expect(response.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  expect(response.json()).toMatchObject({ error: expect.any(String), errors: [{ code: 'UNSUPPORTED' }] });
});

test('an answer that comes too late is one to ask again, in the form of each client', async () => {
  const served = await serve();
  Object.assign(served.verifiers, { matchesOwn: () => new Promise(() => undefined) });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const late = get(served, push, basic('robot_own', ownSecret));
  await eventually('a timer', () => vi.getTimerCount() > 0); // by a clock that is not faked
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await late).toMatchObject({
    status: 503,
    headers: { 'retry-after': '5' },
    body: { error: 'temporarily_unavailable', errors: [{ code: 'UNAVAILABLE' }] },
  });
});

const daysLater = (days: number) => new Date(now.getTime() + days * 86_400_000);

describe('503 with Retry-After, and no verdict,', () => {
  test('while the caches are too old', async () => {
    const served = await serve();
    for (const age of [15_001, Number.POSITIVE_INFINITY]) {
      served.world.cachesAge = age;
      for (const path of ['/registry/hub/token', '/registry/other/token']) {
        const answer = await get(served, push, login, path);
        expect(answer).toMatchObject({
          status: 503,
          headers: { 'retry-after': '5' },
          body: { error: 'temporarily_unavailable' },
        });
      }
    }
    // The alert looks at these; a name that somebody has made up is in none.
    const lines = (await served.metrics.text()).split('\n');
    expect(lines.filter(line => line.startsWith('botmint_registry_token_requests_total'))).toEqual([
      'botmint_registry_token_requests_total{issuer="hub",result="temporarily_unavailable"} 2',
    ]);
    served.world.cachesAge = 15_000;
    expect((await get(served, push, login)).status).toBe(200);
  });

  test.each<[string, (served: Served) => void]>([
    ['no key', ({ world }) => world.signers.clear()],
    ['a key that has ended', ({ world }) => void Object.assign(world, { now: daysLater(90) })],
    [
      'a key that ends within the least life of a token',
      ({ world }) => void Object.assign(world, { now: new Date(ends.getTime() - 59_999) }),
    ],
    ['a key of tomorrow', ({ world }) => void Object.assign(world, { now: daysLater(-1) })],
  ])('while there is %s', async (_, break_) => {
    const served = await serve();
    break_(served);
    expect(await get(served, push, login)).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    expect(served.logged.join()).toContain('no valid key');
    expect(served.world.used).toEqual([]);
  });

  test('while the issuer or the robot cannot be read, and nothing is counted as a guess', async () => {
    const served = await serve();
    served.world.unreadable.add('newer').add('robot_newer');
    expect((await get(served, push, login, '/registry/newer/token')).status).toBe(503);
    for (let i = 0; i < 200; i++)
      expect(await get(served, push, basic('robot_newer', ownSecret))).toMatchObject({
        status: 503,
        headers: { 'retry-after': '5' },
        body: { error: 'temporarily_unavailable' },
      });
    expect([served.world.slowHashes, (await get(served, push, basic('robot_own', ownSecret))).status]).toEqual([
      0, 200,
    ]);
  });

  test('while too many secrets are being checked', async () => {
    const served = await serve();
    const busy = new Verifiers(new Map([[1, new SecretValue('k')]]), () => Promise.reject(new TooManyChecks('busy')));
    Object.assign(served.verifiers, { matchesOwn: busy.matchesOwn.bind(busy) });
    const answer = await get(served, push, basic('robot_own', ownSecret));
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect((await get(served, push, login)).status).toBe(200);
  });

  test('while the key of a verifier is not loaded yet', async () => {
    const served = await serve();
    served.verifiers.replaceKeys(new Map([[2, new SecretValue('another'.repeat(5))]]));
    expect(await get(served, push, login)).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect((await get(served, push, basic('x', secret))).status).toBe(401);
  });
});

test('counts requests by result, and the accesses that were given', async () => {
  const served = await serve();
  await get(served, push, login);
  await get(served, push);
  await get(served, 'service=x');
  await get(served, push, basic('x', secret));
  const text = await served.metrics.text();
  for (const result of ['issued', 'anonymous', 'invalid_request', 'invalid_grant']) {
    expect(text).toContain(`botmint_registry_token_requests_total{issuer="hub",result="${result}"} 1\n`);
  }
  for (const action of ['pull', 'push']) {
    expect(text).toContain(`botmint_registry_accesses_total{issuer="hub",action="${action}"} 1\n`);
  }
});

test('shows no secret, neither in an answer nor in the log', async () => {
  const served = await serve();
  const canaries = [secret, ownSecret, new SecretValue('Canary-0000'), generateSecret()];
  const bodies = [];
  for (const canary of canaries) {
    bodies.push(await get(served, `${push}&scope=${canary.reveal()}`, basic(canary.reveal(), canary)));
    bodies.push(await get(served, push, basic('robot_own', canary)));
    bodies.push(await post(served, { ...form, username: canary.reveal(), password: canary.reveal() }));
    bodies.push(await post(served, { ...form, grant_type: canary.reveal(), service: canary.reveal() }));
  }
  const seen = JSON.stringify(bodies) + served.logged.join() + (await served.metrics.text());
  for (const canary of canaries) expect(seen).not.toContain(canary.reveal());
});
