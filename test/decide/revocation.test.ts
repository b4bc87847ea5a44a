import { describe, expect, test } from 'vitest';
import { Revocation } from '../../src/api/revocation.ts';
import { type Attempt, decide, isOpen, type Step } from '../../src/decide/revocation.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { deleting, later, now, tokenID, uid } from './healthy.ts';

const clusterID = 'this-cluster';

/** Handed over a moment ago, and seen by nobody yet. */
const fresh: Revocation = {
  metadata: {
    name: uid,
    namespace: 'botmint-system',
    uid: 'revocation-uid',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: later(0),
  },
  spec: {
    owner: { kind: 'BotToken', namespace: 'team-a', name: 'deploy', uid },
    clusterID,
    issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'issuer-uid', type: 'jwt' },
    credentials: [{ tokenID }],
    notAfter: later(30 * 86_400),
  },
  status: { observedGeneration: -1 },
};
const done: Attempt = { outcome: 'done' };
const failed: Attempt = { outcome: 'failed', words: 'Forbidden: a policy says no' };

function step(revocation: Revocation, attempt?: Attempt, seconds = 0): Step {
  return decide({ revocation, clusterID, attempt }, new Date(later(seconds)));
}

/** The object after the write that the step must be. */
function written(revocation: Revocation, attempt?: Attempt, seconds = 0): Revocation {
  const taken = step(revocation, attempt, seconds);
  if (taken.do !== 'write-status') throw new Error(`not a status write: ${taken.do}`);
  return Revocation.parse(applyMergePatch(revocation, { status: taken.patch }));
}

function withSpec(spec: Partial<Revocation['spec']>, revocation = fresh): Revocation {
  const generation = (revocation.metadata.generation ?? 0) + 1;
  return { ...revocation, metadata: { ...revocation.metadata, generation }, spec: { ...revocation.spec, ...spec } };
}

function endless(revocation: Revocation): Revocation {
  const { notAfter: _, ...spec } = revocation.spec;
  return { ...revocation, spec };
}

const rest = (seconds: number) => ({ do: 'rest', until: new Date(later(seconds)) });
const ready = ({ status }: Revocation) => status?.conditions?.find(({ type }) => type === 'Ready');
const revoked = written(fresh, done);
const refused = written(fresh, failed);

describe('a Revocation', () => {
  test('is tried at once', () => {
    expect(step(fresh)).toEqual({ do: 'revoke' });
  });

  test.each<Attempt>([done, { outcome: 'not-found' }])(
    'that is carried out ($outcome) says so, is looked at once more five minutes later, and goes',
    attempt => {
      const first = written(fresh, attempt);
      expect(first.status).toMatchObject({ revokedAt: later(0), observedGeneration: 1 });
      expect(ready(first)).toMatchObject({ status: 'True', reason: 'Revoked' });
      expect(ready(first)?.message).toContain(later(300));
      // Also while what the pass has tried is still known: that was the first look.
      for (const known of [undefined, attempt]) expect(step(first, known)).toEqual(rest(300));
      expect(step(first, undefined, 299)).toEqual(rest(300));
      expect(step(first, undefined, 300)).toEqual({ do: 'revoke' });
      expect(step(first, attempt, 300)).toMatchObject({ do: 'delete', verdict: { reason: 'Revoked' } });
    },
  );

  test('that fails has the words of the issuer, and is tried again: 5 s, doubling to ten minutes, for as long as it takes', () => {
    expect(ready(refused)).toMatchObject({ status: 'False', reason: 'RevocationFailed' });
    expect(ready(refused)?.message).toBe('ClusterTokenIssuer builtin did not revoke: Forbidden: a policy says no');
    expect(step(refused, failed)).toEqual(rest(5)); // the failed attempt is put down already
    let revocation = endless(fresh);
    let time = 0;
    const waits = Array.from({ length: 10 }, () => {
      revocation = written(revocation, failed, time);
      const wait = Date.parse(revocation.status?.retry?.at ?? '') / 1000 - now.getTime() / 1000 - time;
      time += wait;
      expect(step(revocation, undefined, time)).toEqual({ do: 'revoke' });
      return wait;
    });
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600, 600]);
    expect(revocation.status?.retry).toMatchObject({ attempts: 10, reason: 'RevocationFailed' });
    const healed = written(revocation, done, time);
    expect(healed.status).toMatchObject({ revokedAt: later(time) });
    expect(healed.status).not.toHaveProperty('retry');
  });

  test('is not tried before the issuer wants to be asked again, and not ten minutes later than now', () => {
    const slow = written(fresh, { ...failed, notBeforeSeconds: 90 });
    expect(step(slow)).toEqual(rest(90));
    const day = written(fresh, { ...failed, notBeforeSeconds: 86_400 });
    expect(step(day)).toEqual(rest(600));
  });

  test('whose second look fails stays revoked, and is looked at again', () => {
    const second = written(revoked, failed, 300);
    expect(second.status).toMatchObject({ revokedAt: later(0), retry: { attempts: 1 } });
    expect(ready(second)).toMatchObject({ status: 'True', reason: 'RevocationFailed' });
    expect(step(second, undefined, 301)).toEqual(rest(305));
    expect(step(second, undefined, 305)).toEqual({ do: 'revoke' });
    expect(step(second, done, 305)).toMatchObject({ do: 'delete' });
  });

  test.each([
    ['was carried out', revoked],
    ['has failed', refused],
  ])('that %s is tried at once, and in full, when credentials were added', (_, revocation) => {
    const more = withSpec({ credentials: [{ tokenID }, { tokenID: 'another' }] }, revocation);
    expect(step(more)).toEqual({ do: 'revoke' });
    const tried = written(more, failed);
    expect(tried.status).toMatchObject({ observedGeneration: 2, retry: { attempts: 1 } });
    expect(tried.status).not.toHaveProperty('revokedAt');
    expect(written(more, done, 60).status).toMatchObject({ observedGeneration: 2, revokedAt: later(60) });
  });

  test('goes when everything that it is about has ended by itself, and no clock is so wrong that it has not', () => {
    const short = withSpec({ notAfter: later(-3599) });
    expect(step(short)).toEqual({ do: 'revoke' });
    const over = withSpec({ notAfter: later(-3600) });
    expect(step(over)).toMatchObject({ do: 'delete', verdict: { reason: 'CredentialsEnded' } });
    expect(step(written(short, failed))).toEqual(rest(1)); // sooner than the next attempt
  });

  test('of credentials that never end never gives up', () => {
    expect(step(endless(refused), undefined, 10 * 365 * 86_400)).toEqual({ do: 'revoke' });
  });

  test('of another cluster is left alone, says so once, and goes with its credentials', () => {
    const foreign = withSpec({ clusterID: 'another' });
    const told = written(foreign);
    expect(told.status?.conditions?.find(({ type }) => type === 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'OtherCluster',
    });
    expect(step(told)).toEqual(rest(30 * 86_400 + 3600));
    expect(step(told, undefined, 30 * 86_400 + 3600)).toMatchObject({ do: 'delete' });
  });

  test('that somebody deletes is not held up', () => {
    expect(step(deleting(fresh))).toEqual({ do: 'rest', until: undefined });
  });

  test('is not held up by a clock that was wrong when it failed', () => {
    expect(step(written(fresh, failed, 86_400))).toEqual({ do: 'revoke' });
  });
});

test.each<[string, boolean, Revocation]>([
  ['nobody has tried', true, fresh],
  ['that has failed', true, refused],
  ['that is carried out', false, revoked],
  ['to which credentials were added since', true, withSpec({}, revoked)],
  ['whose credentials have ended', false, withSpec({ notAfter: later(-3600) })],
])('one %s is open: %s', (_, open, revocation) => expect(isOpen(revocation, now)).toBe(open));
