import { describe, expect, test } from 'vitest';
import { decide } from '../../src/decide/credential.ts';
import { inputs, later, now, secretOf, seen, served, tokenID, uid, withSpec, withStatus } from './healthy.ts';
import { recorded, told } from './told.ts';

describe('the credential before', () => {
  const next = `${uid}.4.any`;
  /** The status once the fourth credential is in the Secret, with so much overlap for the third. */
  const statusAfter = (overlapSeconds: number | undefined, token = served) => {
    const { overlapSeconds: _, ...made } = { ...inputs, overlapSeconds };
    const all = overlapSeconds === undefined ? made : { ...made, overlapSeconds };
    return recorded(seen({ token, secret: secretOf(token, { revision: 4, tokenID: next, inputs: all }) })).status;
  };
  const older = { tokenID: `${uid}.2.any`, revokeAt: later(60) };

  test.each<[string, number | undefined, string | undefined]>([
    ['lives to its own end after a renewal', undefined, '2027-01-30T00:00:00Z'],
    ['lives for the overlap after a change', 3600, '2026-12-01T01:00:00Z'],
    ['never lives longer than it would have', 365 * 86_400, '2027-01-30T00:00:00Z'],
    ['ends at once where there is no overlap', 0, undefined],
  ])('%s', (_, overlap, revokeAt) => {
    expect(statusAfter(overlap)?.previous).toEqual(revokeAt === undefined ? undefined : [{ tokenID, revokeAt }]);
  });

  test('joins those that still live and pushes out those that do not', () => {
    const ended = { tokenID: `${uid}.1.any`, revokeAt: later(0) };
    const status = statusAfter(3600, withStatus({ previous: [ended, older] }));
    expect(status?.previous?.map(previous => previous.tokenID)).toEqual([older.tokenID, tokenID]);
  });

  test('takes all older ones with it where there is no overlap: they may do as much as it', () => {
    expect(statusAfter(0, withStatus({ previous: [older] }))).not.toHaveProperty('previous');
  });

  test('is taken off the list when its overlap is over, in one write', () => {
    const token = withStatus({ previous: [older] });
    expect(decide(seen({ token }), now)).toEqual({ do: 'rest', until: new Date(later(60)) });
    expect(decide(seen({ token }), new Date(later(60)))).toMatchObject({
      do: 'write-status',
      patch: { previous: null },
    });
  });
});

describe('eight superseded credentials that live', () => {
  const previous = Array.from({ length: 8 }, (_, n) => ({ tokenID: `${uid}.${n + 1}.any`, revokeAt: later(100 + n) }));
  const crowded = withStatus({ previous });
  const wider = withSpec({ scopes: ['modules:read', 'modules:write', 'modules:admin'] }, crowded);

  test('hold up the ninth issue, and what is in force keeps the token Ready', () => {
    expect(told(seen({ token: wider }))).toBe('Ready=True, TooManyPrevious');
    expect(told(seen({ token: crowded, secret: { state: 'absent', confirmed: true } }))).toBe(
      'Ready=False, Reconciling=True, TooManyPrevious',
    );
  });

  test('let it go on when the first has ended', () => {
    const token = recorded(seen({ token: wider }));
    expect(decide(seen({ token }), now)).toEqual({ do: 'rest', until: new Date(later(100)) });
    expect(decide(seen({ token }), new Date(later(100)))).toMatchObject({ do: 'issue', cause: 'widened' });
  });

  test('do not hold up a narrower one: it takes their place', () => {
    const narrower = withSpec({ scopes: ['modules:read'] }, crowded);
    expect(decide(seen({ token: narrower }), now)).toMatchObject({ do: 'issue', overlapSeconds: 0 });
  });
});
