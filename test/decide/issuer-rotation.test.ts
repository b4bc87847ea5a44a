import { describe, expect, test } from 'vitest';
import type { IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { decide } from '../../src/decide/issuer.ts';
import type { Observed } from '../../src/decide/issuer-seen.ts';
import { issuer, later, now } from './healthy.ts';
import { key, keyed, lost, seen, states, told, written } from './issuers.ts';

const minute = 60;
const day = 86_400;
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000);
const gone = { state: 'missing', confirmed: false } as const;

function rotating(keyRotation: string, of: IssuerOf<'jwt'> = keyed): IssuerOf<'jwt'> {
  return { ...of, spec: { ...of.spec, jwt: { ...issuer.spec.jwt, keyRotation } } };
}

/** The issuer after as many rotations as it takes to come to rest at that time. */
function settled(of: IssuerOf<'jwt'>, time: Date, change: Partial<Observed> = {}): IssuerOf<'jwt'> {
  const made = [];
  for (let steps = 0; steps < 20; steps++) {
    const given = seen({ issuer: of, made, ...change });
    const step = decide(given, time);
    if (step.do === 'make-key') made.push(key(step.number));
    else if (step.do === 'write-status') of = written(given, time);
    else return of;
  }
  throw new Error('it does not come to rest');
}

describe('a key that has signed for keyRotation', () => {
  test('makes a successor first, and then hands over in one write', () => {
    expect(decide(seen(), at(90 * day - 1))).toEqual({ do: 'rest', until: at(90 * day) });
    expect(decide(seen(), at(90 * day))).toEqual({ do: 'make-key', number: 3 });
    const next = written(seen({ made: [key(3)] }), at(90 * day));
    expect(states(next)).toEqual(['kid-1 Retired', 'kid-2 Active', 'kid-3 Next']);
    expect(next.status?.keys?.map(({ since }) => since)).toEqual(Array(3).fill(later(90 * day)));
    expect(told(next)).toEqual(['Ready=True, KeysPublished']);
  });

  test('waits for a next one that was not published for keyActivationDelay yet', () => {
    const fresh = written(seen({ secrets: { 'kid-2': lost }, made: [key(3)] }), at(90 * day - minute));
    const given = seen({ issuer: fresh });
    expect(decide(given, at(90 * day))).toEqual({ do: 'rest', until: at(90 * day + 19 * minute) });
    expect(decide(given, at(90 * day + 19 * minute))).toEqual({ do: 'make-key', number: 4 });
  });

  test('goes on signing where its successor cannot be made', () => {
    const next = written(seen({ inTheWay: 'Secret key-3 lacks key.pem' }), at(90 * day));
    expect(states(next)).toEqual(['kid-1 Active', 'kid-2 Next']);
    expect(told(next)).toEqual(['Ready=True, SigningKeyInvalid']);
  });

  test('goes on signing where no key more can be published', () => {
    const retired = Array.from({ length: 30 }, (_, i) => ({
      ...key(i + 10),
      state: 'Retired' as const,
      since: later(0),
    }));
    const full = { ...keyed, status: { ...keyed.status, keys: [...retired, ...(keyed.status?.keys ?? [])] } };
    const next = written(seen({ issuer: full }), at(90 * day));
    expect(states(next)?.slice(-2)).toEqual(['kid-1 Active', 'kid-2 Next']);
    expect(told(next)).toEqual(['Ready=True, TooManyKeys']);
    expect(decide(seen({ issuer: next, isNeeded: ({ kid }) => kid !== 'kid-10' }), at(90 * day)).do).toBe('make-key');
  });

  test('hands over at once when keyRotation is made shorter than its age', () => {
    expect(decide(seen(), at(2 * day)).do).toBe('rest');
    expect(decide(seen({ issuer: rotating('1d') }), at(2 * day))).toEqual({ do: 'make-key', number: 3 });
  });

  test('does so while another operator has done it: no key is published twice, and none too many', () => {
    const other = written(seen({ made: [key(3)] }), at(90 * day));
    for (const made of [[key(3)], [key(3), key(4)]])
      expect(decide(seen({ issuer: other, made }), at(90 * day)).do).toBe('rest');
  });
});

describe('a clock', () => {
  test('that jumps forward rotates once, however far', () => {
    const next = settled(keyed, at(3650 * day));
    expect(states(next)).toEqual(['kid-1 Retired', 'kid-2 Active', 'kid-3 Next']);
  });

  test('that jumps back promotes nothing', () => {
    const next = settled(keyed, at(90 * day));
    expect(settled(next, at(90 * day - 3600))).toEqual(next);
    expect(settled(next, at(0))).toEqual(next);
    expect(settled(next, at(90 * day + 1))).toEqual(next);
  });

  test('that was years ahead holds up no rotation for years', () => {
    const ahead = settled(keyed, at(3650 * day));
    const back = settled(ahead, at(day));
    expect(states(back)).toEqual(states(ahead));
    expect(decide(seen({ issuer: back }), at(91 * day)).do).toBe('make-key');
  });
});

describe('a retired key', () => {
  const retired = written(seen({ secrets: { 'kid-1': lost }, made: [key(3)] }));
  const unneeded = { issuer: retired, isNeeded: () => false };

  test('loses its private half when no replica can still sign with it, and the others keep theirs', () => {
    expect(states(retired)).toEqual(['kid-1 Retired', 'kid-2 Active', 'kid-3 Next']);
    expect(decide(seen({ issuer: retired }), at(19))).toEqual({ do: 'rest', until: at(20) });
    const step = decide(seen({ issuer: retired }), at(20));
    expect(step).toMatchObject({ do: 'delete-key', key: { kid: 'kid-1', secretName: 'key-1' } });
    const without = seen({ issuer: retired, secrets: { 'kid-1': gone } });
    expect(decide(without, at(20))).toEqual({ do: 'rest', until: at(10 * minute) });
  });

  test('stays published for as long as a credential needs it, and is asked after now and then', () => {
    const needed = seen({ issuer: retired, secrets: { 'kid-1': gone } });
    expect(decide(needed, at(80 * day))).toEqual({ do: 'rest', until: at(80 * day + 10 * minute) });
  });

  test('is not given up before what it signed last is recorded', () => {
    const young = seen({ ...unneeded, secrets: { 'kid-1': gone } });
    expect(decide(young, at(10 * minute - 1))).toEqual({ do: 'rest', until: at(10 * minute) });
  });

  test('goes when nothing needs it any more', () => {
    const next = written(seen(unneeded), at(10 * minute));
    expect(states(next)).toEqual(['kid-2 Active', 'kid-3 Next']);
    expect(decide(seen({ ...unneeded, issuer: next }), at(10 * minute))).toEqual({ do: 'rest', until: at(90 * day) });
  });

  test('goes in the write of the next rotation where there is one', () => {
    const next = written(seen({ ...unneeded, made: [key(4)] }), at(90 * day));
    expect(states(next)).toEqual(['kid-2 Retired', 'kid-3 Active', 'kid-4 Next']);
  });
});
