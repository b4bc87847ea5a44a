import { describe, expect, test } from 'vitest';
import type { IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { decide } from '../../src/decide/issuer.ts';
import type { KeySecretSeen } from '../../src/decide/issuer-seen.ts';
import { deleting, issuer, later, now } from './healthy.ts';
import { edited, freshIssuer, key, keyed, lost, seen, states, told, written } from './issuers.ts';

describe('a new issuer', () => {
  test('gets its finalizer first', () =>
    expect(decide(seen({ issuer: { ...freshIssuer, metadata: issuer.metadata } }), now)).toEqual({
      do: 'add-finalizer',
    }));

  test('makes two keys before it publishes any', () => {
    expect(decide(seen({ issuer: freshIssuer }), now)).toEqual({ do: 'make-key', number: 1 });
    expect(decide(seen({ issuer: freshIssuer, made: [key(1)] }), now)).toEqual({ do: 'make-key', number: 2 });
  });

  test('publishes both at once: the first signs, the second is known ahead', () => {
    expect(states(keyed)).toEqual(['kid-1 Active', 'kid-2 Next']);
    expect(told(keyed)).toEqual(['Ready=True, KeysPublished']);
    expect(keyed.status?.keys?.[0]).toMatchObject({
      publicJWK: { alg: 'ES256' },
      secretName: 'key-1',
      since: later(0),
    });
  });
});

test('an issuer with two whole keys is left alone until the next one takes over', () => {
  expect(decide(seen(), new Date(later(86_400)))).toEqual({ do: 'rest', until: new Date(later(90 * 86_400)) });
});

describe('a key whose Secret', () => {
  test.each<[string, KeySecretSeen]>([
    ['was not looked at', { state: 'unread' }],
    ['is not in the cache', { state: 'missing', confirmed: false }],
  ])('%s is looked at before anything is concluded', (_, secret) => {
    const step = decide(seen({ secrets: { 'kid-1': secret } }), now);
    expect(step).toMatchObject({ do: 'read-key', key: { kid: 'kid-1' } });
  });

  test('is lost hands over to the one that is known ahead, in one write with the next successor', () => {
    const without = { secrets: { 'kid-1': lost } };
    expect(decide(seen(without), now)).toEqual({ do: 'make-key', number: 3 });
    const next = written(seen({ ...without, made: [key(3)] }));
    expect(states(next)).toEqual(['kid-1 Retired', 'kid-2 Active', 'kid-3 Next']);
    expect(told(next)).toEqual(['Ready=True, KeysPublished']);
  });

  test('is lost before it ever signed is replaced and forgotten, and the other goes on signing', () => {
    expect(decide(seen({ secrets: { 'kid-2': lost } }), now)).toEqual({ do: 'make-key', number: 3 });
    const next = written(seen({ secrets: { 'kid-2': lost }, made: [key(3)] }));
    expect(states(next)).toEqual(['kid-1 Active', 'kid-3 Next']);
  });

  test('is forgotten leaves its number taken', () => {
    const next = written(seen({ secrets: { 'kid-2': lost }, made: [key(3)] }));
    expect(decide(seen({ issuer: next, secrets: { 'kid-3': lost } }), now)).toEqual({ do: 'make-key', number: 4 });
    expect(decide(seen({ issuer: next, secrets: { 'kid-1': lost } }), now)).toEqual({ do: 'make-key', number: 4 });
  });

  test('is lost and cannot be replaced stays, because the next number is derived from it', () => {
    const given = { secrets: { 'kid-2': lost }, inTheWay: 'Secret key-3 lacks key.pem' };
    const next = written(seen(given));
    expect(states(next)).toEqual(['kid-1 Active', 'kid-2 Next']);
    expect(decide(seen({ issuer: next, secrets: { 'kid-2': lost } }), now)).toEqual({ do: 'make-key', number: 3 });
  });

  test('is lost together with the other makes way for two new ones', () => {
    const without = { secrets: { 'kid-1': lost, 'kid-2': lost } };
    expect(decide(seen({ ...without, made: [key(3)] }), now)).toEqual({ do: 'make-key', number: 4 });
    const next = written(seen({ ...without, made: [key(3), key(4)] }));
    expect(states(next)).toEqual(['kid-1 Retired', 'kid-3 Active', 'kid-4 Next']);
  });

  test('was edited stalls the issuer, and no key comes or goes', () => {
    const given = seen({ secrets: { 'kid-1': edited } });
    const next = written(given);
    expect(told(next)).toEqual(['Stalled=True, SigningKeyInvalid']);
    expect(next.status?.keys).toEqual(keyed.status?.keys);
    expect(next.status?.conditions?.[0]?.message).toMatch(/^Secret key-1 holds another key .* delete it/);
    expect(decide({ ...given, issuer: next }, now)).toMatchObject({ do: 'rest' });
    expect(told(written(seen({ issuer: next })))).toEqual(['Ready=True, KeysPublished']);
  });

  test('belongs to a retired key is of no concern', () => {
    const next = written(seen({ secrets: { 'kid-1': lost }, made: [key(3)] }));
    for (const secret of [lost, edited, { state: 'unread' } as const]) {
      expect(decide(seen({ issuer: next, secrets: { 'kid-1': secret } }), now)).toMatchObject({ do: 'rest' });
    }
  });
});

test('another algorithm retires the key that signed and makes two of the new kind; the old one stays published', () => {
  const changed = { ...keyed, spec: { ...keyed.spec, jwt: { ...issuer.spec.jwt, algorithm: 'EdDSA' as const } } };
  expect(decide(seen({ issuer: changed }), now)).toEqual({ do: 'make-key', number: 3 });
  const made = [key(3, 'EdDSA'), key(4, 'EdDSA')];
  const next = written(seen({ issuer: changed, made }));
  expect(states(next)).toEqual(['kid-1 Retired', 'kid-3 Active', 'kid-4 Next']);
  expect(decide(seen({ issuer: next, made }), now)).toMatchObject({ do: 'rest' });
});

describe('an issuer with as many keys as can be published', () => {
  // 30 retired ones, the first of them the last to be retired; then the one that signs and the next.
  const entries = Array.from({ length: 32 }, (_, i) => ({
    ...key(i + 1),
    state: i === 30 ? ('Active' as const) : i === 31 ? ('Next' as const) : ('Retired' as const),
    since: later(i === 0 ? -60 : -86_400 * (32 - i)),
  }));
  const full = { ...keyed, status: { ...keyed.status, keys: entries } };
  const neededBut = (...kids: string[]) => ({ isNeeded: ({ kid }: { kid: string }) => !kids.includes(kid) });
  const kidsOf = (of: IssuerOf<'jwt'>) => (of.status?.keys ?? []).map(({ kid }) => kid);

  test('keeps each that is needed, and the next one of all', () => {
    expect(written(seen({ issuer: full })).status?.keys).toEqual(entries);
  });

  test('has room for a new one when one goes that no credential needs', () => {
    const given = { issuer: full, secrets: { 'kid-31': lost }, ...neededBut('kid-5') };
    expect(decide(seen(given), now)).toEqual({ do: 'make-key', number: 33 });
    const next = written(seen({ ...given, made: [key(33)] }));
    expect(kidsOf(next)).toEqual([...kidsOf(full).filter(kid => kid !== 'kid-5'), 'kid-33']);
    expect(states(next)?.slice(-3)).toEqual(['kid-31 Retired', 'kid-32 Active', 'kid-33 Next']);
    expect(decide(seen({ issuer: next, secrets: { 'kid-32': lost }, ...neededBut('kid-9') }), now)).toEqual({
      do: 'make-key',
      number: 34,
    });
  });

  test('gives up none that is needed: it signs with what it has, and says so', () => {
    const next = written(seen({ issuer: full, secrets: { 'kid-31': lost } }));
    expect(kidsOf(next)).toEqual(kidsOf(full));
    expect(states(next)?.slice(-2)).toEqual(['kid-31 Retired', 'kid-32 Active']);
    expect(told(next)).toEqual(['Ready=True, TooManyKeys']);
  });

  test('stalls when none of them signs', () => {
    const last = { issuer: full, secrets: { 'kid-31': lost, 'kid-32': lost }, made: [key(33)] };
    expect(told(written(seen(last)))).toEqual(['Ready=True, TooManyKeys']);
    const next = written(seen({ issuer: written(seen(last)), secrets: { 'kid-33': lost } }));
    expect(told(next)).toEqual(['Stalled=True, TooManyKeys']);
    expect(next.status?.conditions?.[0]?.message).toContain('delete the oldest BotTokens');
  });

  test('replaces the next one, which needs no room', () => {
    const next = written(seen({ issuer: full, secrets: { 'kid-32': lost }, made: [key(33)] }));
    expect(kidsOf(next)).toEqual([...kidsOf(full).slice(0, 31), 'kid-33']);
  });
});

test('the younger of two issuers with one issuerURL makes no key, and names the older', () => {
  const next = written(seen({ issuer: freshIssuer, olderWithURL: 'first' }));
  expect(told(next)).toEqual(['Stalled=True, IssuerURLTaken']);
  expect(next.status).not.toHaveProperty('keys');
  expect(next.status?.conditions?.[0]?.message).toContain('ClusterTokenIssuer first');
});

describe('a Secret that holds something else where the next key should be made', () => {
  const inTheWay = 'Secret key-2 lacks key.pem';

  test('is named, and the issuer signs with what it has', () => {
    const next = written(seen({ issuer: freshIssuer, made: [key(1)], inTheWay }));
    expect(states(next)).toEqual(['kid-1 Active']);
    expect(told(next)).toEqual(['Ready=True, SigningKeyInvalid']);
    expect(next.status?.conditions?.[0]?.message).toMatch(/^Secret key-2 lacks key.pem: delete it/);
    expect(decide(seen({ issuer: next, inTheWay }), now)).toMatchObject({ do: 'rest' });
  });

  test('stalls an issuer that has no other key', () => {
    expect(told(written(seen({ issuer: freshIssuer, inTheWay })))).toEqual(['Stalled=True, SigningKeyInvalid']);
  });
});

describe('an issuer that is deleted', () => {
  const going = deleting(keyed);

  test('waits for the credentials that depend on it, says how many, and keeps its keys', () => {
    const next = written(seen({ issuer: going }));
    expect(told(next)).toEqual(['Reconciling=True, InUse']);
    expect(next.status?.conditions?.[0]?.message).toMatch(/^3 credentials depend on it/);
    expect(next.status?.keys).toEqual(keyed.status?.keys);
  });

  test('goes with the last of them, by a live count and not by a cache that may lag', () => {
    const none = { issuer: going, credentials: 0 };
    expect(decide(seen(none), now)).toEqual({ do: 'confirm-credentials' });
    expect(decide(seen({ ...none, confirmedCredentials: 0 }), now)).toEqual({ do: 'remove-finalizer' });
    const next = written(seen({ ...none, confirmedCredentials: 2 }));
    expect(next.status?.conditions?.[0]?.message).toMatch(/^2 credentials depend on it/);
  });

  test('waits for what cannot be read, and says so', () => {
    const given = { issuer: going, credentials: 0, unknownCredentials: 2 };
    const next = written(seen(given));
    expect(next.status?.conditions?.[0]?.message).toMatch(
      /^2 credentials .*2 BotTokens that cannot be read are counted/,
    );
    expect(decide(seen({ ...given, issuer: next, confirmedCredentials: 0 }), now).do).not.toBe('remove-finalizer');
  });

  test('makes no key any more', () => {
    expect(decide(seen({ issuer: going, secrets: { 'kid-1': lost } }), now)).toMatchObject({ do: 'write-status' });
  });

  test('is nobody else’s business without our finalizer', () => {
    const { finalizers: _, ...metadata } = going.metadata;
    expect(decide(seen({ issuer: { ...going, metadata } }), now)).toMatchObject({ do: 'rest' });
  });
});
