import { expect, test } from 'vitest';
import { JWTRevoker } from '../../../src/issuers/jwt/revoke.ts';
import type { RevocationOrder } from '../../../src/issuers/revoker.ts';

const { signal } = new AbortController();
const order: RevocationOrder = {
  mark: { clusterID: 'c', kind: 'BotToken', namespace: 'team-a', name: 'deploy', uid: 'u' },
  issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'issuer-uid' },
  credentials: [{ tokenID: 'u.1.a', statusListIndex: 7 }, { tokenID: 'u.2.b' }],
};

/** A cluster in which the issuer of this UID has status lists. */
function world(uid: string | undefined, fails?: Error) {
  const invalid: number[] = [];
  const revoker = new JWTRevoker({
    isThere: async issuer => issuer.uid === uid,
    markInvalid: async (_, indexes) => {
      if (fails !== undefined) throw fails;
      invalid.push(...indexes);
    },
  });
  return { invalid, revoke: () => revoker.revoke(order, signal) };
}

test('what has a place in a status list is INVALID there; what has none is dead for who introspects', async () => {
  const { invalid, revoke } = world('issuer-uid');
  expect(await revoke()).toBe('done');
  expect(invalid).toEqual([7]);
});

test.each([undefined, 'another-uid'])(
  'with its issuer its lists are gone, also when the name is in use again: %s',
  async uid => {
    const { invalid, revoke } = world(uid);
    expect(await revoke()).toBe('not-found');
    expect(invalid).toEqual([]);
  },
);

test('a list that cannot be written is an error, which says by itself when it is tried again', async () => {
  const fails = new Error('refused');
  await expect(world('issuer-uid', fails).revoke()).rejects.toBe(fails);
});
