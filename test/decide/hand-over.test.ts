import { describe, expect, test } from 'vitest';
import type { Revocation } from '../../src/api/revocation.ts';
import {
  type Estate,
  estatesOf,
  handOver,
  handOverTime,
  hasTakenOver,
  joined,
  revocationNameOf,
} from '../../src/decide/hand-over.ts';
import {
  botUser,
  deleting,
  inputs,
  later,
  madeFrom,
  type Situation,
  secret,
  secretOf,
  seen,
  served,
  tokenID,
  uid,
  withStatus,
} from './healthy.ts';

const absent = { state: 'absent', confirmed: true } as const;
const owner = { kind: 'BotToken', namespace: 'team-a', name: 'deploy', uid } as const;
const issuer = { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'issuer-uid', type: 'jwt' } as const;
const end = '2027-01-30T00:00:00Z';

describe('what a Revocation takes over', () => {
  test('is what is recorded and what the Secret names, each once', () => {
    const estate: Estate = { owner, issuer, credentials: [{ tokenID }], notAfter: end };
    expect(estatesOf(seen())).toEqual([estate]);
    expect(estatesOf(seen({ secret: absent }))).toEqual([estate]);
  });

  test('has the place of each token in the status list', () => {
    const [estate] = estatesOf(seen(madeFrom({ statusListIndex: 77 })));
    expect(estate?.credentials).toEqual([{ tokenID, statusListIndex: 77 }]);
  });

  test.each<[string, string | undefined, string | undefined]>([
    ['ends when the last of them ends', '2027-02-01T00:00:00Z', '2027-02-01T00:00:00Z'],
    ['has no end where nobody knows when one of them ends', undefined, undefined],
  ])('includes superseded tokens, and %s', (_, expiresAt, notAfter) => {
    const old = { tokenID: `${uid}.2.old`, revokeAt: later(60), statusListIndex: 5, ...(expiresAt && { expiresAt }) };
    const [estate] = estatesOf(seen({ token: withStatus({ previous: [old] }) }));
    expect(estate?.credentials).toEqual([{ tokenID }, { tokenID: old.tokenID, statusListIndex: 5 }]);
    expect(estate?.notAfter).toBe(notAfter);
  });

  test('includes what was superseded by nothing: its Secret was lost, and with it the record', () => {
    const previous = [{ tokenID: `${uid}.3.lost`, revokeAt: later(60), statusListIndex: 5 }];
    const token = { ...served, status: { previous } };
    const given = { token, secret: { state: 'foreign', confirmed: true } } as const;
    const [estate] = estatesOf(seen({ ...given, lostIssuer: issuer }));
    expect(estate).toMatchObject({ issuer, credentials: [{ tokenID: `${uid}.3.lost`, statusListIndex: 5 }] });
    expect(estatesOf(seen(given))).toEqual([]); // whoever issued it is gone: nobody can verify it
  });

  test('leaves out what somebody wrote into the Secret', () => {
    const foreign = secretOf(served, { revision: 4, tokenID: 'another-uid.4.x' });
    expect(estatesOf(seen({ secret: foreign })).map(({ credentials }) => credentials)).toEqual([[{ tokenID }]]);
  });

  test('includes a token that is in the Secret and not recorded yet, and ends with the last of all', () => {
    const next = `${uid}.4.next`;
    const longer = { ...inputs, expiresAt: '2027-03-01T00:00:00Z' };
    const [estate, ...more] = estatesOf(
      seen({ secret: secretOf(served, { revision: 4, tokenID: next, inputs: longer }) }),
    );
    expect(estate).toMatchObject({ credentials: [{ tokenID }, { tokenID: next }], notAfter: '2027-03-01T00:00:00Z' });
    expect(more).toEqual([]);
  });

  test('of a token that never ends has no end', () => {
    expect(estatesOf(seen(madeFrom({ expiresIn: 'never', expiresAt: undefined })))[0]?.notAfter).toBeUndefined();
  });

  test('is apart for each issuer', () => {
    const other = { ...inputs, issuer: { ...inputs.issuer, name: 'new', uid: 'new-uid' } };
    const secretOfOther = secretOf(served, { revision: 4, tokenID: `${uid}.4.next`, inputs: other });
    const estates = estatesOf(seen({ secret: secretOfOther }));
    expect(estates.map(({ issuer: { name }, credentials }) => [name, credentials.length])).toEqual([
      ['builtin', 1],
      ['new', 1],
    ]);
    expect(new Set(estates.map(revocationNameOf))).toEqual(new Set([`${uid}.issuer-uid`, `${uid}.new-uid`]));
  });

  test('is nothing where nothing was issued', () => {
    expect(estatesOf(seen({ token: withStatus({}, { ...served, status: {} }), secret: absent }))).toEqual([]);
    expect(estatesOf(seen({ token: { ...served, status: {} }, secret: { ...secret, metadata: {} } }))).toEqual([]);
  });
});

describe('a Revocation takes over', () => {
  test.each<[string, Parameters<typeof seen>[0], number | undefined]>([
    ['never from a token that stays', {}, undefined],
    ['60 s after the deletion of the token', { token: deleting(served) }, 59],
    ['60 s after the deletion of its bot', { botUser: deleting(botUser) }, 59],
    [
      '60 s after the first of the two',
      {
        botUser: deleting(botUser),
        token: { ...served, metadata: { ...served.metadata, deletionTimestamp: later(-30) } },
      },
      30,
    ],
  ])('%s', (_, given, seconds) => {
    expect(handOverTime(seen(given))).toEqual(seconds === undefined ? undefined : new Date(later(seconds)));
  });
});

describe('where the issuer has failed', () => {
  const token = deleting(served);
  const at = (seconds: number) => new Date(later(seconds));
  const standing = (change: Partial<Revocation['spec']> = {}): Revocation => ({
    metadata: { name: `${uid}.issuer-uid`, uid: 'x', resourceVersion: '1', creationTimestamp: later(0) },
    spec: { owner, issuer, clusterID: 'c', credentials: [{ tokenID }], notAfter: end, ...change },
  });

  test('a token that stays waits for ever, and one that goes for a minute', () => {
    expect(handOver(seen(), at(86_400))).toBeUndefined();
    expect(handOver(seen({ token }), at(58))).toBeUndefined();
  });

  test.each<[string, Partial<Situation>]>([
    ['its own deletion', { token }],
    ['the deletion of its bot', { botUser: deleting(botUser) }],
  ])('it is handed over a minute after %s', (_, given) => {
    expect(handOver(seen(given), at(59))).toMatchObject({
      do: 'hand-over',
      estate: { issuer, credentials: [{ tokenID }] },
      over: undefined,
      verdict: { reason: 'HandedOver' },
    });
  });

  test('it goes on when everything has been taken over, and not before', () => {
    const part = standing({ credentials: [] });
    expect(handOver(seen({ token, revocations: [standing()] }), at(59))).toBe('taken-over');
    expect(handOver(seen({ token, revocations: [part] }), at(59))).toMatchObject({ do: 'hand-over', over: part });
    const ofAnother = { ...standing(), metadata: { ...standing().metadata, name: `${uid}.another-issuer` } };
    const given = seen({ token, revocations: [ofAnother] });
    expect(handOver(given, at(59))).toMatchObject({ do: 'hand-over', over: undefined });
  });

  test('each issuer gets its own, one after the other', () => {
    const other = { ...inputs, issuer: { ...inputs.issuer, name: 'new', uid: 'new-uid' } };
    const unrecorded = secretOf(served, { revision: 4, tokenID: `${uid}.4.next`, inputs: other });
    const given = { token, secret: unrecorded };
    expect(handOver(seen(given), at(59))).toMatchObject({ estate: { issuer: { name: 'builtin' } } });
    const then = seen({ ...given, revocations: [standing()] });
    expect(handOver(then, at(59))).toMatchObject({ estate: { issuer: { name: 'new' } } });
  });
});

describe('what is taken over in several turns', () => {
  const estate: Estate = { owner, issuer, credentials: [{ tokenID: 'a' }], notAfter: later(60) };
  const standing = (spec: Partial<Revocation['spec']>): Revocation => ({
    metadata: { name: 'x', uid: 'x', resourceVersion: '1', creationTimestamp: later(0) },
    spec: { owner, issuer, clusterID: 'c', credentials: [{ tokenID: 'a' }], notAfter: later(60), ...spec },
  });

  test('is all kept, and ends with the last', () => {
    const before = { credentials: [{ tokenID: 'a' }, { tokenID: 'b' }], notAfter: later(30) };
    expect(joined(before, { ...estate, credentials: [{ tokenID: 'a' }, { tokenID: 'c' }] })).toEqual({
      credentials: [{ tokenID: 'a' }, { tokenID: 'b' }, { tokenID: 'c' }],
      notAfter: later(60),
    });
    expect(joined({ credentials: [] }, estate).notAfter).toBeUndefined();
    expect(joined(before, { ...estate, notAfter: undefined }).notAfter).toBeUndefined();
  });

  const { notAfter: _, ...endless } = standing({}).spec;
  test.each<[string, boolean, Revocation]>([
    ['the same', true, standing({})],
    ['more', true, standing({ credentials: [{ tokenID: 'a' }, { tokenID: 'b' }], notAfter: later(90) })],
    ['no end', true, { ...standing({}), spec: endless }],
    ['another token', false, standing({ credentials: [{ tokenID: 'b' }] })],
    ['an earlier end', false, standing({ notAfter: later(59) })],
  ])('is there when the Revocation has %s: %s', (__, there, revocation) => {
    expect(hasTakenOver(revocation, estate)).toBe(there);
  });
});
