import { describe, expect, test } from 'vitest';
import type { IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { retireKeyAnnotation } from '../../src/api/names.ts';
import { decide } from '../../src/decide/registry-issuer.ts';
import type { Observed } from '../../src/decide/registry-issuer-seen.ts';
import { deleting } from './healthy.ts';
import {
  ca,
  due,
  edited,
  first,
  inDays,
  intact,
  leafOf,
  message,
  now,
  second,
  seen,
  settled,
  told,
  written,
} from './registry-issuers.ts';

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
