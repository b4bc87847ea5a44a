import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../src/base/secret-value.ts';
import { CallerAccess } from '../../src/server/access.ts';
import { friendly, introspect, issued, serve } from './endpoints-world.ts';

const builtin = { name: 'builtin', issuerURL: 'https://tokens.example.com' };
const secret = (text: string) => new SecretValue(text);

/** A reviewer whose answers are given by the test, and who remembers what it was asked. */
function reviewing(review: (path: string, body: { spec: Record<string, unknown> }) => unknown = friendly) {
  const asked: { path: string; body: { apiVersion: string; kind: string; spec: Record<string, unknown> } }[] = [];
  const clock = { time: 0, now: () => new Date(), monotonic: () => clock.time };
  const post = async <T>(path: string, body: object, parse: (value: unknown) => T): Promise<T> => {
    const sent = JSON.parse(JSON.stringify(body));
    asked.push({ path, body: sent });
    return parse(await review(path, sent));
  };
  return { asked, clock, access: new CallerAccess({ post }, clock) };
}
const user = { username: 'bob', uid: 'u-1', groups: ['g'], extra: { 'authentication.kubernetes.io/pod-name': ['p'] } };
const tokenReview = (status: object) => (path: string) =>
  path.includes('tokenreviews') ? { status } : { status: { allowed: true } };

describe('what is asked of the API server', () => {
  test('a TokenReview for the audience issuerURL, then a SubjectAccessReview of that very user', async () => {
    const { asked, access } = reviewing(tokenReview({ authenticated: true, audiences: [builtin.issuerURL], user }));
    expect(await access.check(secret('t'), builtin)).toEqual({ access: 'allowed', username: 'bob' });
    expect(asked).toEqual([
      {
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token: 't', audiences: [builtin.issuerURL] },
        },
      },
      {
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: {
            user: 'bob',
            uid: 'u-1',
            groups: ['g'],
            extra: user.extra,
            resourceAttributes: { verb: 'create', group: 'botmint.dev', resource: 'introspections', name: 'builtin' },
          },
        },
      },
    ]);
  });

  test.each<[string, object]>([
    ['not authenticated', { authenticated: false, user: {}, error: 'invalid bearer token' }],
    ['no word', {}],
    ['another audience', { authenticated: true, audiences: ['https://kubernetes.default.svc'], user }],
    ['no audience at all, from an authenticator that knows none', { authenticated: true, user }],
    ['no user', { authenticated: true, audiences: [builtin.issuerURL] }],
  ])('a review that says %s authenticates nobody', async (_, status) => {
    const { asked, access } = reviewing(tokenReview(status));
    expect(await access.check(secret('t'), builtin)).toEqual({ access: 'unauthenticated' });
    expect(asked).toHaveLength(1);
  });

  test.each([{ allowed: false }, { allowed: true, denied: true }])('an access review of %j forbids', async status => {
    const { access } = reviewing((path, body) => (path.includes('subject') ? { status } : friendly(path, body)));
    expect(await access.check(secret('t'), builtin)).toMatchObject({ access: 'forbidden' });
  });
});

describe('an answer is used again', () => {
  const refusing = tokenReview({ authenticated: false });

  test.each([
    ['for 10 s when allowed', friendly, 9_999, 10_000],
    ['for 2 s when refused', refusing, 1_999, 2_000],
  ] as const)('%s', async (_, review, still, over) => {
    const { asked, clock, access } = reviewing(review);
    await access.check(secret('t'), builtin);
    const once = asked.length;
    clock.time = still;
    await access.check(secret('t'), builtin);
    expect(asked).toHaveLength(once);
    clock.time = over;
    await access.check(secret('t'), builtin);
    expect(asked).toHaveLength(2 * once);
  });

  test('by those who ask at the same time: one review serves them all', async () => {
    const { asked, access } = reviewing();
    await Promise.all(Array.from({ length: 20 }, () => access.check(secret('t'), builtin)));
    expect(asked).toHaveLength(2);
  });

  test('not for another token, issuer or issuerURL', async () => {
    const { asked, access } = reviewing();
    await access.check(secret('t'), builtin);
    await access.check(secret('u'), builtin);
    await access.check(secret('t'), { ...builtin, name: 'other' });
    await access.check(secret('t'), { ...builtin, issuerURL: 'https://other.example' });
    expect(asked).toHaveLength(8);
  });

  test('never when it was an error', async () => {
    let down = true;
    const { access } = reviewing((path, body) => {
      if (down) throw new Error('no answer');
      return friendly(path, body);
    });
    await expect(access.check(secret('t'), builtin)).rejects.toThrow('no answer');
    down = false;
    expect(await access.check(secret('t'), builtin)).toMatchObject({ access: 'allowed' });
  });

  test('by few enough that ever new tokens do not fill the memory: the oldest is forgotten', async () => {
    const { asked, access } = reviewing(refusing);
    for (let i = 0; i <= 2048; i++) await access.check(secret(`t${i}`), builtin);
    expect(asked).toHaveLength(2049);
    await access.check(secret('t2048'), builtin);
    expect(asked).toHaveLength(2049);
    await access.check(secret('t0'), builtin);
    expect(asked).toHaveLength(2050);
  });
});

describe('a caller', () => {
  test.each(['', 'Basic dXNlcjpwYXNz', 'Bearer', 'Bearer ', 'Bearer a b', 'Bearer "x"', 'caller-token'])(
    'with %j for a credential is challenged, and nobody is asked',
    async caller => {
      const served = await serve();
      const { status, headers, body } = await introspect(served, await issued(served), { caller });
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toBe('Bearer realm="botmint"');
      expect(body).toMatchObject({ error_description: expect.stringContaining('https://tokens.example.com') });
      expect(served.world.asked).toEqual([]);
    },
  );

  test('with a token that is not valid is told so', async () => {
    const served = await serve({ review: tokenReview({ authenticated: false }) });
    const { status, headers } = await introspect(served, await issued(served));
    expect({ status, challenge: headers['www-authenticate'] }).toEqual({
      status: 401,
      challenge: 'Bearer realm="botmint", error="invalid_token"',
    });
  });

  test('without the right is told which one is missing', async () => {
    const served = await serve({
      review: (path, body) => (path.includes('subject') ? { status: { allowed: false } } : friendly(path, body)),
    });
    const { status, body } = await introspect(served, await issued(served));
    expect(status).toBe(403);
    expect(body).toMatchObject({
      error_description:
        'system:serviceaccount:shop:gateway may not create introspections.botmint.dev with the name builtin',
    });
  });
});
