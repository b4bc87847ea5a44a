import { describe, expect, test } from 'vitest';
import { KubeError } from '../../src/kube/errors.ts';
import * as healthy from '../issuers/jwt/healthy.ts';
import { deleting, issuerURL, later, naming, recordedID, tokenUID } from '../issuers/jwt/healthy.ts';
import { friendly, introspect, issued, type Served, serve, type World } from './endpoints-world.ts';

const next = `${tokenUID}.4.nextNonce0000000`;
const dead = { status: 200, body: { active: false } };

async function count({ metrics }: Served, result: string): Promise<number> {
  const text = await metrics.text();
  return Number(
    new RegExp(`botmint_introspections_total\\{issuer="builtin",result="${result}"\\} (\\d+)`).exec(text)?.[1] ?? 0,
  );
}
const tokenWith = (change: object) => ({ ...healthy.token, ...change });

describe('a live token', () => {
  test('is active, with what RFC 7662 says of it, from the caches alone', async () => {
    const served = await serve();
    const { status, headers, body } = await introspect(served, await issued(served));
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(body).toEqual({
      active: true,
      token_type: 'Bearer',
      iss: issuerURL,
      sub: 'bot:team-a:ci-bot',
      aud: 'https://buf.example.com',
      iat: 1793491200,
      exp: 1801267200,
      jti: recordedID,
      username: 'ci-bot',
      scope: 'modules:read modules:write',
      identities: [{ service: 'github', id: 'acme-ci' }],
    });
    expect(served.world.asked).toEqual(['tokenreviews', 'subjectaccessreviews']);
    expect(await count(served, 'active')).toBe(1);
  });

  test.each(['/introspect', '/issuers/builtin/introspect'])('is found at %s, with a charset and a hint', async path => {
    const served = await serve();
    const contentType = 'application/x-www-form-urlencoded; charset=UTF-8';
    expect(await introspect(served, await issued(served), { path, contentType })).toMatchObject({
      status: 200,
      body: { active: true },
    });
  });
});

describe('a dead token is exactly inactive, without a read', () => {
  test.each<[string, (world: World) => void]>([
    [
      'of a revoked BotToken',
      world => (world.cached.tokens = [tokenWith({ spec: { ...healthy.token.spec, revoked: true } })]),
    ],
    ['of a BotToken on its way out', world => (world.cached.tokens = [deleting(healthy.token)])],
    ['of a BotUser on its way out', world => (world.cached.botUsers = [deleting(healthy.botUser)])],
    ['that was superseded', world => (world.cached.tokens = [tokenWith({ status: { revision: 4, tokenID: next } })])],
    ['past its end', world => (world.now = new Date('2027-01-30T00:00:00Z'))],
    ['of an issuer that has published other keys', world => (world.cached.issuers = [healthy.issuer])],
  ])('%s', async (_, change) => {
    const served = await serve();
    change(served.world);
    expect(await introspect(served, await issued(served))).toMatchObject(dead);
    expect((await introspect(served, await issued(served))).body).toEqual({ active: false });
    expect(served.world.asked).toEqual(['tokenreviews', 'subjectaccessreviews']);
    expect(await count(served, 'inactive')).toBe(2);
  });

  test.each(['x', 'a.b.c', 'ü€', `${'e30.'.repeat(9)}`])('and so is %j', async text => {
    expect((await introspect(await serve(), text)).body).toEqual({ active: false });
  });

  test('and so is a token of another issuer', async () => {
    const { key } = await serve();
    expect(await introspect(await serve(), await issued({ key }))).toMatchObject(dead);
  });
});

describe('a cache that lags is not believed', () => {
  const recorded = tokenWith({ status: { revision: 4, tokenID: next } });
  const inSecret = { 'team-a/deploy': naming(next) };

  test.each<[string, (world: World) => void, boolean]>([
    ['in the Secret, the record still to come', world => (world.live.secrets = inSecret), true],
    ['recorded by now', world => (world.live.tokens = [recorded]), true],
    ['nowhere', () => undefined, false],
    [
      'in a Secret of another object',
      world => (world.live.secrets = { 'team-a/deploy': naming(next, 'other') }),
      false,
    ],
    [
      'in the Secret of a BotToken that is revoked by now',
      world => {
        world.live.secrets = inSecret;
        world.live.tokens = [tokenWith({ spec: { ...healthy.token.spec, revoked: true } })];
      },
      false,
    ],
    [
      'of a BotToken that the cache does not know',
      world => {
        world.cached.tokens = [];
        world.live.tokens = [recorded];
      },
      true,
    ],
    [
      'of a BotUser that the cache does not know',
      world => {
        world.cached = { ...world.cached, tokens: [], botUsers: [] };
        world.live.tokens = [recorded];
      },
      true,
    ],
    ['of a BotToken that is gone', world => (world.live = { tokens: [], botUsers: [], secrets: inSecret }), false],
    [
      'of a BotToken that was made again',
      world => {
        world.live.secrets = inSecret;
        world.live.tokens = [{ ...recorded, metadata: { ...recorded.metadata, uid: 'other' } }];
      },
      false,
    ],
    [
      'of a BotUser that was made again',
      world => {
        world.cached.botUsers = [];
        world.live.tokens = [recorded];
        world.live.botUsers = [{ ...healthy.botUser, metadata: { ...healthy.botUser.metadata, uid: 'other' } }];
      },
      false,
    ],
  ])('the next token %s', async (_, change, active) => {
    const served = await serve();
    change(served.world);
    const { status, body } = await introspect(served, await issued(served, next));
    expect({ status, body }).toMatchObject({ status: 200, body: { active } });
    expect(served.world.asked).toContain('BotToken team-a/deploy');
  });

  test('a token that is recorded while the Secret is read is not lost between the two reads', async () => {
    const served = await serve();
    const superseding = tokenWith({
      status: { revision: 5, tokenID: `${tokenUID}.5.n`, previous: [{ tokenID: next, revokeAt: later(60) }] },
    });
    Object.defineProperty(served.world.live, 'secrets', {
      get: () => {
        served.world.live.tokens = [superseding];
        return { 'team-a/deploy': naming(`${tokenUID}.5.n`) };
      },
    });
    expect((await introspect(served, await issued(served, next))).body).toMatchObject({ active: true });
  });

  test('the Secret is the one that the spec names, and the BotUser is looked for in the namespace of the subject', async () => {
    const served = await serve();
    const elsewhere = tokenWith({
      spec: { ...healthy.token.spec, secret: { ...healthy.token.spec.secret, name: 'elsewhere' } },
    });
    Object.assign(served.world.cached, { tokens: [], botUsers: [] });
    served.world.live.tokens = [elsewhere];
    served.world.live.secrets = { 'team-a/elsewhere': naming(next) };
    expect((await introspect(served, await issued(served, next))).body).toMatchObject({ active: true });
    expect(served.world.asked).toContain('BotUser team-a/ci');
  });

  test('nothing is read for a token whose signature does not hold', async () => {
    const served = await serve();
    const { key } = await serve();
    await introspect(served, await issued({ key }, next));
    expect(served.world.asked).toEqual(['tokenreviews', 'subjectaccessreviews']);
  });
});

describe('an API server that does not answer', () => {
  const errors: [string, Error, string][] = [
    ['is out of reach', new Error('canary: no answer'), '5'],
    ['asks to wait', KubeError.of(429, { kind: 'Status', reason: 'TooManyRequests', message: 'canary' }, 7), '7'],
    [
      'refuses us',
      new KubeError({ status: 401, reason: 'Unauthorized', message: 'canary', retry: { kind: 'backoff' } }),
      '5',
    ],
  ];
  test.each(errors)('%s: a caller that nobody reviewed is told to come again', async (_, outage, seconds) => {
    const served = await serve({ outage });
    const { status, headers } = await introspect(served, await issued(served));
    expect({ status, wait: headers['retry-after'] }).toEqual({ status: 503, wait: seconds });
    expect(await count(served, 'unavailable')).toBe(1);
    expect(served.logged.join()).not.toContain('canary');
  });

  test.each(errors)('%s: a token that had to be read is neither active nor inactive', async (_, outage) => {
    const served = await serve();
    await introspect(served, await issued(served)); // the caller is known from here on
    served.world.outage = outage;
    expect((await introspect(served, await issued(served, next))).status).toBe(503);
    expect(await introspect(served, await issued(served))).toMatchObject({ status: 200, body: { active: true } });
  });

  test('and answers what is no review: the caller is told to come again', async () => {
    const served = await serve({ review: () => 'an error page' });
    expect((await introspect(served, await issued(served))).status).toBe(503);
  });
});

describe('a request that is not right', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded', authorization: 'Bearer c' };
  const url = '/issuers/builtin/introspect';

  test.each([
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencodedx',
  ])('%s is an unsupported type', async contentType => {
    const served = await serve();
    expect((await introspect(served, 'x', { contentType })).status).toBe(415);
    expect(served.world.asked).toEqual([]);
  });

  test.each(['', 'token=', 'tokens=x', 'token=a&token=b', 'token_type_hint=access_token'])(
    'the form %j lacks a token',
    async payload => {
      const { app } = await serve();
      const response = await app.inject({ method: 'POST', url, headers: form, payload });
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ error: 'invalid_request' });
    },
  );

  test('a body beyond the limit is too large, one just below it is read', async () => {
    const { app } = await serve();
    const send = (length: number) =>
      app.inject({ method: 'POST', url, headers: form, payload: `token=${'x'.repeat(length)}` });
    expect((await send(128 * 1024)).statusCode).toBe(413);
    expect((await send(127 * 1024)).statusCode).toBe(200);
  });

  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'] as const)('%s is not allowed', async method => {
    const { app } = await serve();
    const response = await app.inject({ method, url: `${url}?token=canary` });
    expect({ status: response.statusCode, allow: response.headers.allow }).toEqual({ status: 405, allow: 'POST' });
    expect(response.body).not.toContain('canary');
  });

  test('an issuer that is unknown is not found', async () => {
    expect((await introspect(await serve(), 'x', { path: '/issuers/nobody/introspect' })).status).toBe(404);
  });
});

test('no token of a caller or of a bot is in an answer, a log or a metric', async () => {
  const served = await serve();
  const bot = await issued(served);
  const answers: unknown[] = [];
  const reviews: World['review'][] = [
    friendly,
    () => ({ status: {} }),
    () => Promise.reject(new Error('x')),
    () => 'nonsense',
  ];
  for (const review of reviews) {
    served.world.review = review;
    served.world.monotonic += 60_000;
    answers.push(await introspect(served, bot, { caller: 'Bearer canary-caller' }));
  }
  const seen = JSON.stringify([answers, served.logged, await served.metrics.text()]);
  expect(seen).not.toContain('canary-caller');
  expect(seen).not.toContain(bot.split('.')[2]);
});
