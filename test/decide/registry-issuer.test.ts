import { describe, expect, test } from 'vitest';
import { mostAuthorities } from '../../src/decide/registry-bundle.ts';
import { decide, handOverAhead, successorAhead } from '../../src/decide/registry-issuer.ts';
import type { Observed, Step } from '../../src/decide/registry-issuer-seen.ts';
import { deleting } from './healthy.ts';
import {
  ca,
  day,
  due,
  edited,
  first,
  freshIssuer,
  inDays,
  intact,
  last,
  leafOf,
  message,
  missing,
  now,
  second,
  seen,
  settled,
  told,
  written,
} from './registry-issuers.ts';
import { registry as bare } from './robots.ts';

test('a whole chain is left alone until the leaf is due', () => {
  expect(settled.status?.rootCertBundle).toBe('first\n');
  expect(told(settled)).toEqual(['Ready=True, KeysPublished']);
  expect(decide(seen({ leaf: leafOf(first, inDays(50)) }), now)).toEqual({ do: 'rest', until: inDays(110) });
});

test.each<[string, Partial<Observed>, Step, Date?]>([
  ['gets its finalizer first', { issuer: bare, authoritySecret: missing }, { do: 'add-finalizer' }],
  ['without a CA gets one', { authoritySecret: missing }, { do: 'make', what: 'authority' }],
  [
    'whose CA has moved reads it',
    { authoritySecret: { name: 'x', state: 'unread' } },
    { do: 'read', what: 'authority' },
  ],
  ['without a leaf gets one', { leaf: { state: 'missing' } }, { do: 'make', what: 'leaf' }],
  ['whose leaf has moved reads it', { leaf: { state: 'unread' } }, { do: 'read', what: 'leaf' }],
  ['whose leaf was edited gets another one', { leaf: { state: 'invalid' } }, { do: 'make', what: 'leaf' }],
  ['whose leaf no CA has signed gets another one', { leaf: leafOf(undefined) }, { do: 'make', what: 'leaf' }],
  ['whose leaf is due gets another one', { leaf: leafOf(first, inDays(40)) }, { do: 'make', what: 'leaf' }],
  [
    'whose leaf is from the future gets another one',
    { leaf: leafOf(first, inDays(101)) },
    { do: 'make', what: 'leaf' },
  ],
  [
    'makes a successor two years before the CA ends',
    { leaf: leafOf(first, due) },
    { do: 'make', what: 'successor' },
    due,
  ],
  [
    'promotes it a year before',
    { authoritySecret: intact(first, second), published: [first, second], leaf: leafOf(first, last) },
    { do: 'promote' },
    last,
  ],
])('an issuer %s', (_, given, step, at = now) => expect(decide(seen(given), at)).toEqual(step));

test('what was made for a new issuer is published together with Ready', () => {
  const made = written(seen({ issuer: freshIssuer, published: [] }));
  expect(made.status).toMatchObject({ rootCertBundle: 'first\n', observedGeneration: 1 });
  expect(decide(seen({ issuer: made }), now)).toMatchObject({ do: 'rest' });
});

describe('the successor of a CA', () => {
  const next = ca('next', due);
  const both = { authoritySecret: intact(first, next), leaf: leafOf(first, due) };

  test('stands in the bundle a year before it certifies anything, and people are told', () => {
    const given = seen(both);
    expect(decide(given, due)).toMatchObject({ do: 'write-status', because: 'bundle' });
    const issuer = written(given, due);
    expect(issuer.status?.rootCertBundle).toBe('first\nnext\n');
    expect(told(issuer)).toEqual(['Ready=True, BundleChanged']);
    expect(message(issuer)).toMatch(
      /^from 2035-10-30T00:00:00Z on the new CA next certifies keys: give every registry/,
    );
    const published = [first, next];
    expect(
      decide(seen({ ...both, issuer, published, leaf: leafOf(first, inDays(350, due)) }), inDays(364, due)),
    ).toEqual({
      do: 'rest',
      until: last,
    });
  });

  test('is published before it is promoted, however late it is', () => {
    const late = inDays(3649);
    expect(decide(seen({ ...both, leaf: leafOf(first, late) }), late)).toMatchObject({ because: 'bundle' });
  });

  test('certifies keys from the next leaf on, without a word: registries have had a year', () => {
    const published = [first, next];
    const issuer = written(seen({ ...both, published }), due);
    const promoted = { issuer, authoritySecret: intact(next), published, leaf: leafOf(first, inDays(-10, last)) };
    expect(told(written(seen(promoted), last))).toEqual(['Ready=True, KeysPublished']);
    expect(decide(seen(promoted), inDays(51, last))).toEqual({ do: 'make', what: 'leaf' });
  });

  test('is alone in the bundle once the old one has ended', () => {
    const end = inDays(3650);
    const given = seen({ authoritySecret: intact(next), published: [first, next], leaf: leafOf(next, end) });
    expect(written(given, end).status?.rootCertBundle).toBe('next\n');
  });

  test('takes over an issuer that nobody looked after for ten years', () => {
    const end = inDays(3651);
    const gone = { leaf: { state: 'missing' } as const };
    expect(decide(seen(gone), end)).toEqual({ do: 'make', what: 'successor' });
    const made = { ...gone, authoritySecret: intact(first, ca('late', end)) };
    expect(decide(seen(made), end)).toMatchObject({ do: 'write-status' });
    expect(decide(seen({ ...made, published: [ca('late', end)] }), end)).toEqual({ do: 'promote' });
    const promoted = { ...gone, authoritySecret: intact(ca('late', end)), published: [ca('late', end)] };
    expect(decide(seen(promoted), end)).toEqual({ do: 'make', what: 'leaf' });
  });
});

describe('a CA whose Secret was deleted', () => {
  const fresh = ca('fresh', now);
  const lost = { authoritySecret: intact(fresh) };

  test('goes on in the bundle and in the leaf, and people are told until when to act', () => {
    const issuer = written(seen(lost));
    expect(issuer.status?.rootCertBundle).toBe('first\nfresh\n');
    expect(told(issuer)).toEqual(['Ready=True, BundleChanged']);
    expect(message(issuer)).toMatch(/^from 2027-04-10T00:00:00Z on the new CA fresh certifies keys/);
    expect(decide(seen({ ...lost, issuer, published: [first, fresh] }), now)).toMatchObject({ do: 'rest' });
  });

  test('together with its leaf is followed at once, and people are told for ninety days', () => {
    const given = { ...lost, leaf: leafOf(fresh) };
    const issuer = written(seen(given));
    expect(message(issuer)).toMatch(/^the new CA fresh certifies keys already: give every registry/);
    const later = inDays(90, now);
    const renewed = { authoritySecret: intact(fresh), leaf: leafOf(fresh, later), issuer, published: [first, fresh] };
    expect(decide(seen({ ...renewed, leaf: leafOf(fresh, inDays(89, now)) }), inDays(89, now)).do).toBe('rest');
    expect(told(written(seen(renewed), later))).toEqual(['Ready=True, KeysPublished']);
  });

  test('and whose certificate somebody has taken out of the bundle does not come back', () => {
    const leaked = { ...lost, published: [fresh] };
    expect(decide(seen({ ...leaked, leaf: leafOf(undefined) }), now)).toEqual({ do: 'make', what: 'leaf' });
    expect(written(seen({ ...leaked, leaf: leafOf(fresh) })).status?.rootCertBundle).toBe('fresh\n');
  });

  test('again and again leaves the newest in the bundle, with the one that signs', () => {
    const published = [first, ...Array.from({ length: mostAuthorities + 2 }, (_, number) => ca(`${number}`))];
    const { status } = written(seen({ ...lost, published }));
    expect(status?.rootCertBundle?.split('\n').slice(0, -1)).toEqual(['first', '4', '5', '6', '7', '8', '9', 'fresh']);
  });
});

describe('a CA whose Secret was edited', () => {
  test('stalls the issuer, and the bundle stays as it is', () => {
    const issuer = written(seen({ authoritySecret: edited }));
    expect(told(issuer)).toEqual(['Stalled=True, SigningKeyInvalid']);
    expect(message(issuer)).toMatch(/^Secret the-ca cannot be used: restore it from a backup, or delete it/);
    expect(issuer.status?.rootCertBundle).toBe('first\n');
    expect(decide(seen({ issuer, authoritySecret: edited }), now)).toMatchObject({ do: 'rest' });
    expect(told(written(seen({ issuer })))).toEqual(['Ready=True, KeysPublished']);
  });

  test('or a clock that is years behind makes nothing anew', () => {
    const issuer = written(seen(), inDays(-1));
    expect(told(issuer)).toEqual(['Stalled=True, SigningKeyInvalid']);
    expect(message(issuer)).toMatch(/valid from 2026-11-01T00:00:00Z on, which the clock has not reached/);
  });
});

describe('an issuer that is being deleted', () => {
  const leaving = { issuer: deleting(settled) };

  test('says how many credentials depend on it', () => {
    const issuer = written(seen({ ...leaving, unknownCredentials: 1 }));
    expect(told(issuer)).toEqual(['Reconciling=True, InUse']);
    expect(message(issuer)).toBe(
      '4 credentials depend on it (1 RobotAccounts that cannot be read are counted): delete their RobotAccounts',
    );
  });

  test.each<[string, Partial<Observed>, Step['do']]>([
    ['is counted live before it goes', { credentials: 0 }, 'confirm-credentials'],
    ['goes when nothing depends on it', { credentials: 0, confirmedCredentials: 0 }, 'remove-finalizer'],
    ['stays for what only the live count has shown', { credentials: 0, confirmedCredentials: 2 }, 'write-status'],
    ['gets no new CA', { authoritySecret: missing, credentials: 0, confirmedCredentials: 0 }, 'remove-finalizer'],
    ['has its leaf renewed: its robots still log in', { leaf: leafOf(first, inDays(40)) }, 'make'],
  ])('%s', (_, given, step) => expect(decide(seen({ ...leaving, ...given }), now).do).toBe(step));
});

test('the times of succession leave registries a year, and a leaf its life', () => {
  expect(successorAhead - handOverAhead).toBeGreaterThanOrEqual(365 * day);
  expect(handOverAhead).toBeGreaterThan(90 * day);
});
