import { describe, expect, test } from 'vitest';
import type { BotUser } from '../../src/api/bot-user.ts';
import { tokenGrant } from '../../src/decide/bot-token-grant.ts';
import { decide } from '../../src/decide/credential.ts';
import {
  absent,
  botUser,
  deleting,
  finalized,
  issuer,
  later,
  madeFrom,
  now,
  type Situation,
  seen,
  served,
  withSpec,
  withUserSpec,
} from './healthy.ts';
import { registry } from './robots.ts';
import { told } from './told.ts';

// What a BotUser says of its tokens: disabled, its end, and whose they may be.

const dueAt = new Date('2026-12-25T17:16:04Z');

describe('a disabled bot', () => {
  const disabled = withUserSpec({ disabled: true });

  test.each<[string, Partial<Situation>, string, Date?]>([
    ['takes nothing away, and no token is Ready', {}, 'Ready=False, Stalled=True, BotUserDisabled'],
    ['issues nothing', { token: finalized, secret: absent }, 'Ready=False, Stalled=True, BotUserDisabled'],
    ['renews nothing', {}, 'Ready=False, Stalled=True, BotUserDisabled', dueAt],
    ['is said before what its issuer says', { issuer: deleting(issuer) }, 'Ready=False, Stalled=True, BotUserDisabled'],
    ['is said while a refused write waits', waiting(), 'Ready=False, Stalled=True, BotUserDisabled'],
  ])('%s', (_, given, expected, time = now) => {
    expect(told(seen({ botUser: disabled, ...given }), time)).toBe(expected);
  });
});

describe('a bot that ends', () => {
  const ends = (notAfter: string) => withUserSpec({ notAfter });

  test('gives its tokens no longer life', () => {
    const step = decide(seen({ token: finalized, secret: absent, botUser: ends('2027-01-01T02:00:00.5+01:00') }), now);
    expect(step).toMatchObject({ do: 'issue', wish: { notAfter: '2027-01-01T01:00:00Z' } });
  });

  test('does not renew a token that ends with it', () => {
    const end = '2027-01-30T00:00:00Z';
    const made = madeFrom({ notAfter: end });
    expect(told(seen({ ...made, botUser: ends(end) }), dueAt)).toBe('Ready=True, Issued');
    expect(told(seen({ ...made, botUser: ends(end) }), new Date(end))).toMatch(/^Ready=False, Stalled=True, Expired/);
  });

  test('and has ended issues nothing more', () => {
    const over = seen({ botUser: ends(later(-1)), token: finalized, secret: absent });
    expect(told(over)).toBe('Ready=False, Stalled=True, Expired');
  });

  test('does not wake what had ended by itself', () => {
    const { rotation: _, ...spec } = served.spec;
    const made = madeFrom({ expiresAt: later(-1), notAfter: later(-1) });
    const given = { secret: made.secret, token: { ...made.token, spec } };
    expect(told(seen({ ...given, botUser: withUserSpec({}) }))).toBe('Ready=False, Stalled=True, Expired');
  });
});

describe('a bot of another namespace', () => {
  const token = withSpec({ botUserRef: { name: 'ci', namespace: 'team-b' } });
  const theirs = (allowedNamespaces: BotUser['spec']['allowedNamespaces']): BotUser => ({
    ...botUser,
    metadata: { ...botUser.metadata, namespace: 'team-b' },
    spec: { ...botUser.spec, allowedNamespaces },
  });
  const team = { matchLabels: { team: 'a' } };

  test.each<[string, BotUser['spec']['allowedNamespaces'], Record<string, string> | undefined, boolean]>([
    ['its own only', { from: 'Same' }, { team: 'a' }, false],
    ['all', { from: 'All' }, { team: 'a' }, true],
    ['all, one that is not known yet', { from: 'All' }, undefined, true],
    ['by label', { from: 'Selector', selector: team }, { team: 'a' }, true],
    ['by another label', { from: 'Selector', selector: team }, { team: 'b' }, false],
    ['by label, one that is not known yet', { from: 'Selector', selector: team }, undefined, false],
  ])('lets in %s', (_, allowed, tokenNamespaceLabels, expected) => {
    const around = { issuer, namespaceLabels: {}, tokenNamespaceLabels };
    const grant = tokenGrant(token, theirs(allowed), [], around, now);
    expect(grant.allowed).toBe(expected);
    if (!grant.allowed) expect(grant.blocked).toMatchObject({ state: 'stalled', reason: 'NamespaceNotAllowed' });
  });

  test('is never asked about its own', () => {
    const grant = tokenGrant(
      served,
      { ...botUser, spec: { ...botUser.spec } },
      [],
      { issuer, namespaceLabels: {} },
      now,
    );
    expect(grant.allowed).toBe(true);
  });

  test('that lets nobody in any more takes nothing away', () => {
    expect(told(seen({ token, botUser: theirs({ from: 'Same' }) }))).toBe('Ready=True, NamespaceNotAllowed');
  });
});

function waiting(): Partial<Situation> {
  const retry = { attempts: 3, at: later(300), reason: 'WriteRefused' };
  return { token: { ...served, status: { ...served.status, retry } } };
}

describe('an issuer that cannot do what is asked for', () => {
  test('issues no tokens where it is a registry', () => {
    expect(told(seen({ token: finalized, secret: absent, issuer: registry }))).toBe(
      'Ready=False, Stalled=True, UnsupportedByIssuer',
    );
  });

  test.each([{ template: '$(token)@$(host)' }, { format: 'Netrc' as const }])('has no host for %o', entry => {
    const data = [{ key: 'k', ...entry }];
    const token = { ...finalized, spec: { ...finalized.spec, secret: { ...finalized.spec.secret, data } } };
    expect(told(seen({ token, secret: absent }))).toBe('Ready=False, Stalled=True, UnsupportedByIssuer');
  });
});
