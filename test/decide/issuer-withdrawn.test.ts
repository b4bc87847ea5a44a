import { describe, expect, test } from 'vitest';
import type { IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { retireKeyAnnotation } from '../../src/api/names.ts';
import { decide } from '../../src/decide/issuer.ts';
import { deleting, later, now } from './healthy.ts';
import { edited, freshIssuer, key, keyed, lost, seen, states, told, written } from './issuers.ts';

function retire(kids: string, of: IssuerOf<'jwt'> = keyed): IssuerOf<'jwt'> {
  return { ...of, metadata: { ...of.metadata, annotations: { [retireKeyAnnotation]: kids } } };
}
const stopped = (of: IssuerOf<'jwt'>) => of.status?.withdrawnKeys?.map(({ kid }) => kid);
const messageOf = (of: IssuerOf<'jwt'>) => of.status?.conditions?.[0]?.message;
const gone = { state: 'missing', confirmed: false } as const;

describe('retire-key', () => {
  test('takes the key that signs out before anything else, and the next one signs at once', () => {
    const given = seen({ issuer: retire('kid-1') });
    expect(decide(given, now)).toMatchObject({ do: 'write-status', because: 'withdrawn' });
    const next = written(given);
    expect(states(next)).toEqual(['kid-2 Active']);
    expect(next.status?.withdrawnKeys).toEqual([{ kid: 'kid-1', since: later(0), secretName: 'key-1' }]);
    expect(told(next)).toEqual(['Ready=True, KeyWithdrawn']);
    expect(messageOf(next)).toBe('stopped for good, as botmint.dev/retire-key asks: kid-1; kid-2 signs');
  });

  test('is followed by a new successor, and by the end of the private half', () => {
    const next = written(seen({ issuer: retire('kid-1') }));
    expect(decide(seen({ issuer: next }), now)).toEqual({ do: 'make-key', number: 3 });
    const whole = written(seen({ issuer: next, made: [key(3)] }));
    expect(states(whole)).toEqual(['kid-2 Active', 'kid-3 Next']);
    expect(told(whole)).toEqual(['Ready=True, KeysPublished']);
    expect(decide(seen({ issuer: whole }), now)).toMatchObject({ do: 'delete-key', key: { secretName: 'key-1' } });
    expect(decide(seen({ issuer: whole, secrets: { 'kid-1': gone } }), now).do).toBe('rest');
  });

  test('takes the next key out before it signs anything', () => {
    const next = written(seen({ issuer: retire('kid-2') }));
    expect(states(next)).toEqual(['kid-1 Active']);
    expect(next.status?.keys?.[0]).toEqual(keyed.status?.keys?.[0]);
    expect(decide(seen({ issuer: next }), now)).toEqual({ do: 'make-key', number: 3 });
  });

  test('takes a retired key out, which verifies nothing more', () => {
    const older = written(seen({ secrets: { 'kid-1': lost }, made: [key(3)] }));
    const next = written(seen({ issuer: retire('kid-1', older) }));
    expect(states(next)).toEqual(['kid-2 Active', 'kid-3 Next']);
  });

  test('takes several out; without any left, two new ones are made, and the first signs at once', () => {
    const next = written(seen({ issuer: retire('kid-1, kid-2') }));
    expect(next.status).not.toHaveProperty('keys');
    expect(stopped(next)).toEqual(['kid-1', 'kid-2']);
    expect(told(next)).toEqual(['Reconciling=True, KeyWithdrawn']);
    expect(decide(seen({ issuer: next }), now)).toEqual({ do: 'make-key', number: 3 });
    const whole = written(seen({ issuer: next, made: [key(3), key(4)] }));
    expect(states(whole)).toEqual(['kid-3 Active', 'kid-4 Next']);
    expect(told(whole)).toEqual(['Ready=True, KeysPublished']);
  });

  test('passes over a next key that is lost', () => {
    const next = written(seen({ issuer: retire('kid-1'), secrets: { 'kid-2': lost } }));
    expect(states(next)).toEqual(['kid-2 Next']);
    expect(decide(seen({ issuer: next, secrets: { 'kid-2': lost } }), now)).toEqual({ do: 'make-key', number: 3 });
  });

  test('repeats nothing while its value stays, and takes nothing back when it is gone', () => {
    const next = written(seen({ issuer: retire('kid-1') }));
    const whole = written(seen({ issuer: next, made: [key(3)] }));
    const secrets = { 'kid-1': gone };
    for (const issuer of [whole, { ...whole, metadata: freshIssuer.metadata }])
      expect(decide(seen({ issuer, secrets }), now).do).toBe('rest');
  });

  test.each<[string, string]>([
    ['on the annotation', 'kid-1'],
    ['off it', ''],
  ])('keeps a key away that comes back some other way, %s', (_, annotation) => {
    const withdrawnKeys = annotation === '' ? [{ kid: 'kid-1', since: later(-60), secretName: 'key-1' }] : [];
    const restored = retire(annotation, { ...keyed, status: { ...keyed.status, withdrawnKeys } });
    const next = written(seen({ issuer: restored }));
    expect(states(next)).toEqual(['kid-2 Active']);
    expect(stopped(next)).toEqual(['kid-1']);
  });

  test('does not publish what is found in a Secret where a key should be made', () => {
    const wiped = retire('kid-1', freshIssuer);
    expect(decide(seen({ issuer: wiped }), now)).toEqual({ do: 'make-key', number: 1 });
    const next = written(seen({ issuer: wiped, made: [key(1)] }));
    expect(next.status).not.toHaveProperty('keys');
    expect(stopped(next)).toEqual(['kid-1']);
    const made = [key(1), key(2), key(3)];
    expect(decide(seen({ issuer: next, made: made.slice(0, 1) }), now)).toEqual({ do: 'make-key', number: 2 });
    expect(states(written(seen({ issuer: next, made })))).toEqual(['kid-2 Active', 'kid-3 Next']);
  });

  test('that names no key of the issuer stops nothing, and says so until it is corrected', () => {
    const next = written(seen({ issuer: retire('kid-9') }));
    expect(states(next)).toEqual(['kid-1 Active', 'kid-2 Next']);
    expect(told(next)).toEqual(['Ready=True, KeyNotFound']);
    expect(messageOf(next)).toMatch(/^botmint.dev\/retire-key names kid-9, .* status.keys/);
    expect(decide(seen({ issuer: next }), now).do).toBe('rest');
    expect(told(written(seen({ issuer: { ...next, metadata: freshIssuer.metadata } })))).toEqual([
      'Ready=True, KeysPublished',
    ]);
  });

  test('stops what it knows and names what it does not', () => {
    const next = written(seen({ issuer: retire('kid-9,kid-1') }));
    expect(stopped(next)).toEqual(['kid-1']);
    expect(told(written(seen({ issuer: next, made: [key(3)] })))).toEqual(['Ready=True, KeyNotFound']);
  });

  test('stops a key of an issuer that is being deleted, or stalled, and leaves what is said of it', () => {
    const going = written(seen({ issuer: deleting(keyed) }));
    const next = written(seen({ issuer: retire('kid-1', going) }));
    expect([states(next), told(next)]).toEqual([['kid-2 Active'], ['Reconciling=True, InUse']]);
    const broken = written(seen({ secrets: { 'kid-2': edited } }));
    const other = written(seen({ issuer: retire('kid-1', broken), secrets: { 'kid-2': edited } }));
    expect([states(other), told(other)]).toEqual([['kid-2 Active'], ['Stalled=True, SigningKeyInvalid']]);
  });

  test('remembers the last 64, and those that the annotation still names', () => {
    const withdrawnKeys = Array.from({ length: 64 }, (_, i) => ({
      kid: `old-${i}`,
      since: later(i - 100),
      secretName: `old-${i}`,
    }));
    const long = retire('old-0 kid-1', { ...keyed, status: { ...keyed.status, withdrawnKeys } });
    const next = written(seen({ issuer: long }));
    expect(stopped(next)).toEqual(['old-0', ...withdrawnKeys.slice(2).map(({ kid }) => kid), 'kid-1']);
  });
});
