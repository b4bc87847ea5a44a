import { describe, expect, test } from 'vitest';
import { ClusterTokenIssuer, type IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { inUseFinalizer, retireKeyAnnotation } from '../../src/api/names.ts';
import { mostAuthorities } from '../../src/decide/registry-bundle.ts';
import { decide, handOverAhead, successorAhead } from '../../src/decide/registry-issuer.ts';
import type { AuthoritySeen, LeafSeen, Observed, Step } from '../../src/decide/registry-issuer-seen.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { deleting } from './healthy.ts';
import { registry as bare } from './robots.ts';

const day = 24 * 3600 * 1000;
const start = new Date('2026-11-01T00:00:00Z');
const inDays = (days: number, from = start) => new Date(from.getTime() + days * day);
const now = inDays(100);

/** A CA of ten years. */
const ca = (name: string, from = start): AuthoritySeen => ({
  certificate: `${name}\n`,
  fingerprint: name,
  validFrom: from,
  validTo: inDays(3650, from),
});
const [first, second] = [ca('first'), ca('second')];
const leafOf = (by: AuthoritySeen | undefined, from = now): LeafSeen => ({
  state: 'intact',
  by,
  validFrom: from,
  renewAt: inDays(60, from),
});
const intact = (current: AuthoritySeen, next?: AuthoritySeen) =>
  ({ name: 'the-ca', state: 'intact', current, next }) as const;
const missing = { name: 'the-ca', state: 'missing' } as const;
const edited = { name: 'the-ca', state: 'invalid', message: 'cannot be used' } as const;

const fresh: IssuerOf<'registry'> = { ...bare, metadata: { ...bare.metadata, finalizers: [inUseFinalizer] } };

/** A settled issuer with something else about it, as an operator sees it. */
function seen(change: Partial<Observed> = {}): Observed {
  return {
    issuer: settled,
    published: [first],
    authoritySecret: intact(first),
    leaf: leafOf(first),
    credentials: 3,
    unknownCredentials: 0,
    confirmedCredentials: undefined,
    ...change,
  };
}

/** The issuer after its next step, which has to be a write of its status. */
function written(given: Observed, at = now): IssuerOf<'registry'> {
  const step = decide(given, at);
  if (step.do !== 'write-status') throw new Error(`not a status write: ${step.do}`);
  return ClusterTokenIssuer.parse(applyMergePatch(given.issuer, { status: step.patch })) as IssuerOf<'registry'>;
}

const settled = written({ ...seenBare(), issuer: fresh, published: [] });

function seenBare() {
  const counts = { credentials: 3, unknownCredentials: 0, confirmedCredentials: undefined };
  return { authoritySecret: intact(first), leaf: leafOf(first), ...counts };
}

const told = ({ status }: IssuerOf<'registry'>) =>
  status?.conditions?.flatMap(each => (each.status === 'True' ? [`${each.type}=True, ${each.reason}`] : []));
const message = ({ status }: IssuerOf<'registry'>) => status?.conditions?.[0]?.message;

test('a whole chain is left alone until the leaf is due', () => {
  expect(settled.status?.rootCertBundle).toBe('first\n');
  expect(told(settled)).toEqual(['Ready=True, KeysPublished']);
  expect(decide(seen({ leaf: leafOf(first, inDays(50)) }), now)).toEqual({ do: 'rest', until: inDays(110) });
});

const due = inDays(3650 - 730);
const last = inDays(3650 - 365);

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
  const made = written(seen({ issuer: fresh, published: [] }));
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

describe('retire-key', () => {
  const fresh = ca('fresh', now);
  const retire = (names: string, of: IssuerOf<'registry'> = settled): IssuerOf<'registry'> => ({
    ...of,
    metadata: { ...of.metadata, annotations: { [retireKeyAnnotation]: names } },
  });
  const withdrawn = (of: IssuerOf<'registry'>) => of.status?.withdrawnKeys?.map(({ kid }) => kid);

  test('has another CA and its leaf made before the bundle changes, in one write', () => {
    const issuer = retire('first');
    expect(decide(seen({ issuer }), now)).toEqual({ do: 'make', what: 'replacement' });
    const replaced = { issuer, authoritySecret: intact(fresh) };
    expect(decide(seen(replaced), now)).toEqual({ do: 'make', what: 'leaf' });
    const whole = seen({ ...replaced, leaf: leafOf(fresh) });
    expect(decide(whole, now)).toMatchObject({ do: 'write-status', because: 'bundle' });
    const { status } = written(whole);
    expect(status).toMatchObject({
      rootCertBundle: 'fresh\n',
      rootCertFingerprints: ['fresh'],
      withdrawnKeys: [{ kid: 'first', since: '2027-02-09T00:00:00Z', secretName: 'the-ca' }],
    });
  });

  test('is told for ninety days, and repeats nothing, with the annotation or without it', () => {
    const given = { authoritySecret: intact(fresh), leaf: leafOf(fresh), published: [fresh] };
    const issuer = written(seen({ ...given, published: [first], issuer: retire('first') }));
    expect(told(issuer)).toEqual(['Ready=True, BundleChanged']);
    expect(message(issuer)).toBe(
      'the bundle no longer holds first, as botmint.dev/retire-key asks: give every registry status.rootCertBundle as its rootcertbundle, and restart it',
    );
    for (const each of [issuer, { ...issuer, metadata: settled.metadata }])
      expect(decide(seen({ ...given, issuer: each }), now)).toMatchObject({ do: 'rest' });
    const later = inDays(90, now);
    const old = written(seen({ ...given, issuer, leaf: leafOf(fresh, later) }), later);
    expect([told(old), withdrawn(old)]).toEqual([['Ready=True, KeysPublished'], ['first']]);
  });

  test.each<[string, Partial<Observed>, string[], string[]]>([
    ['the successor signs at once: registries know it', { authoritySecret: intact(second) }, ['first'], ['second']],
    ['a CA that signed before leaves alone', { authoritySecret: intact(second) }, ['FI:RS:T'], ['second']],
    ['all of them', { authoritySecret: intact(fresh), leaf: leafOf(fresh) }, ['first,', 'second'], ['fresh']],
  ])('%s', (_, given, names, left) => {
    const issuer = retire(names.join(' '));
    const leaf = leafOf(second);
    const next = written(seen({ issuer, published: [first, second], leaf, ...given }));
    expect(next.status?.rootCertFingerprints).toEqual(left);
  });

  test('promotes the successor of the CA that it names, and gives the one that it names no office', () => {
    const given = { authoritySecret: intact(first, second), published: [first, second] };
    expect(decide(seen({ ...given, issuer: retire('first') }), now)).toEqual({ do: 'promote' });
    const at = { ...given, leaf: leafOf(first, due), issuer: retire('second') };
    expect(decide(seen(at), due)).toEqual({ do: 'make', what: 'successor' });
    expect(decide(seen({ ...given, issuer: retire('first second') }), now)).toEqual({
      do: 'make',
      what: 'replacement',
    });
  });

  test('has a leaf of a CA that it names followed at once, though its Secret holds another CA', () => {
    const given = { authoritySecret: intact(fresh), published: [first, fresh], issuer: retire('first') };
    expect(decide(seen(given), now)).toEqual({ do: 'make', what: 'leaf' });
  });

  test('lasts: a CA that comes back out of a backup is replaced, whoever took the annotation off', () => {
    const whole = { authoritySecret: intact(fresh), leaf: leafOf(fresh) };
    const retired = written(seen({ ...whole, issuer: retire('first') }));
    const issuer = { ...retired, metadata: settled.metadata };
    const restored = { issuer, published: [fresh], leaf: leafOf(fresh) };
    expect(decide(seen(restored), now)).toEqual({ do: 'make', what: 'replacement' });
    const edited = { ...issuer, status: { ...retired.status, rootCertBundle: 'first\nfresh\n' } };
    const next = written(seen({ ...whole, issuer: edited, published: [first, fresh] }));
    expect([next.status?.rootCertBundle, withdrawn(next)]).toEqual(['fresh\n', ['first']]);
  });

  test('that names no CA of the issuer stops nothing, and says so', () => {
    const issuer = written(seen({ issuer: retire('AA:bb, cc') }));
    expect(told(issuer)).toEqual(['Ready=True, KeyNotFound']);
    expect(message(issuer)).toBe(
      'botmint.dev/retire-key names aabb, cc, which is no CA of this issuer: correct it by status.rootCertFingerprints, or take it off; the CA first certifies keys',
    );
    expect([issuer.status?.rootCertBundle, withdrawn(issuer)]).toEqual(['first\n', undefined]);
    expect(decide(seen({ issuer }), now)).toMatchObject({ do: 'rest' });
    const corrected = { ...issuer, metadata: settled.metadata };
    expect(told(written(seen({ issuer: corrected })))).toEqual(['Ready=True, KeysPublished']);
  });

  test('takes a CA out of the bundle also where its Secret stalls the issuer, or the issuer is being deleted', () => {
    const stalled = written(seen({ issuer: retire('first'), authoritySecret: edited, published: [first, second] }));
    expect(told(stalled)).toEqual(['Stalled=True, SigningKeyInvalid']);
    expect([stalled.status?.rootCertBundle, withdrawn(stalled)]).toEqual(['second\n', ['first']]);
    const leaving = { issuer: deleting(retire('first')) };
    expect(decide(seen(leaving), now)).toEqual({ do: 'make', what: 'replacement' });
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
