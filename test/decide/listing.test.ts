import { describe, expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import type { TokenInputs } from '../../src/api/inputs.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Observed, Step } from '../../src/decide/credential-seen.ts';
import type { Listed } from '../../src/decide/listing.ts';
import {
  botUser,
  deleting,
  inputs,
  later,
  now,
  type Situation,
  secretOf,
  seen,
  served,
  tokenID,
  uid,
  withSpec,
  withStatus,
  withUserSpec,
} from './healthy.ts';

// The recorded credential is at index 5 of its list; what was superseded at 4, what is only in the Secret at 6.
const listedInputs: TokenInputs = { ...inputs, statusListIndex: 5 };
const record = { inputs: listedInputs, secret: { name: 'deploy', uid: 'secret-uid', resourceVersion: '40' } };
const token = withStatus({ issued: record });
const secret = secretOf(token, { inputs: listedInputs });
const valid: [number, Listed][] = [
  [4, 'VALID'],
  [5, 'VALID'],
  [6, 'VALID'],
];

function world(change: Partial<Situation> = {}, ...listed: [number, Listed][]): Observed {
  return seen({ token, secret, ...change, listed: new Map([...valid, ...listed]) });
}

/** `list 5 INVALID`, or what else is done. */
function said(step: Step): string {
  if (step.do === 'list') return ['list', ...step.changes.map(({ index, status }) => `${index} ${status}`)].join(' ');
  return step.do;
}

const older = (revokeAt: string, o: { expiresAt?: string } = {}) => [
  { tokenID: `${uid}.2.old`, revokeAt, statusListIndex: 4, ...o },
];
const ahead: TokenInputs = { ...listedInputs, statusListIndex: 6, overlapSeconds: 0 };
const newer = secretOf(token, { revision: 4, tokenID: `${uid}.4.new`, inputs: ahead });
const disabled = withUserSpec({ disabled: true });
const of = (status: NonNullable<BotToken['status']>) => withStatus(status, token);

describe('what the list says before the next step', () => {
  test.each<[string, Partial<Situation>, [number, Listed][], string]>([
    ['nothing new of a token at rest', {}, [], 'rest'],
    ['nothing of a token without an index', { token: served, secret: secretOf(served, {}) }, [], 'rest'],
    ['that a deleted token is over', { token: deleting(token) }, [], 'list 5 INVALID'],
    ['and then the Secret goes', { token: deleting(token) }, [[5, 'INVALID']], 'delete-secret'],
    ['that a revoked token is over', { token: withSpec({ revoked: true }, token) }, [], 'list 5 INVALID'],
    [
      'that the tokens of a bot that goes are over',
      { botUser: deleting(botUser), confirmed: { principal: true } },
      [],
      'list 5 INVALID',
    ],
    ['nothing before it is sure that the bot is gone', { botUser: undefined }, [], 'confirm'],
    ['nothing of a bot that cannot be read', { botUser: 'unreadable' }, [], 'write-status'],
    ['that what was superseded without overlap is over', { secret: newer }, [], 'list 5 INVALID'],
    ['and then the new one is recorded', { secret: newer }, [[5, 'INVALID']], 'write-status'],
    [
      'nothing of what has an overlap',
      { secret: secretOf(token, { revision: 4, tokenID: `${uid}.4.new`, inputs: { ...ahead, overlapSeconds: 60 } }) },
      [],
      'write-status',
    ],
    ['that an overlap is over', { token: of({ previous: older(later(-1)) }) }, [], 'list 4 INVALID'],
    [
      'and then the record lets go of it',
      { token: of({ previous: older(later(-1)) }) },
      [[4, 'INVALID']],
      'write-status',
    ],
    [
      'nothing of what ended by itself',
      { token: of({ previous: older(later(-1), { expiresAt: later(-1) }) }) },
      [],
      'write-status',
    ],
    ['nothing while an overlap lasts', { token: of({ previous: older(later(60)) }) }, [], 'rest'],
    ['that the tokens of a disabled bot are suspended', { botUser: disabled }, [], 'list 5 SUSPENDED'],
    [
      'all of them, what has an overlap and what is not recorded yet as well',
      { botUser: disabled, token: of({ previous: older(later(60)) }), secret: newer },
      [],
      'list 6 SUSPENDED 5 INVALID 4 INVALID',
    ],
    ['that they are valid again', {}, [[5, 'SUSPENDED']], 'list 5 VALID'],
    [
      'that a bot past its end has no valid token',
      { botUser: withUserSpec({ notAfter: later(-1) }) },
      [],
      'list 5 SUSPENDED',
    ],
    ['of a paused token too', { botUser: disabled, token: paused(token) }, [], 'list 5 SUSPENDED'],
    ['the same again where the list was deleted', {}, [[5, 'missing']], 'list 5 VALID'],
    ['nothing where nobody can verify any more', { token: deleting(token) }, [[5, 'retired']], 'delete-secret'],
    ['nothing that is not needed of a list that nobody can read', {}, [[5, 'unreadable']], 'rest'],
    ['what is needed of it all the same', { token: deleting(token) }, [[5, 'unreadable']], 'list 5 INVALID'],
  ])('%s', (_, change, listed, expected) => {
    expect(said(decide(world(change, ...listed), now))).toBe(expected);
  });
});

function paused(of: BotToken): BotToken {
  return { ...of, metadata: { ...of.metadata, annotations: { 'botmint.dev/paused': 'true' } } };
}

test('a credential that the list revoked although it should work is issued anew', () => {
  expect(decide(world({}, [5, 'INVALID']), now)).toMatchObject({ do: 'issue', cause: 'lost' });
});

describe('where the list cannot be written', () => {
  const refused = { operation: 'Revoke', reason: 'StatusListInvalid', message: 'it is none' } as const;
  const waiting = { attempts: 1, at: later(5), reason: 'StatusListInvalid', operation: 'Revoke' } as const;

  test('what depends on it waits, and says why', () => {
    const gone = deleting(token);
    const step = decide(world({ token: gone, refused }), now);
    expect(step).toMatchObject({
      do: 'write-status',
      patch: { retry: { operation: 'Revoke', reason: 'StatusListInvalid' } },
      verdict: { reason: 'StatusListInvalid' },
    });
    const noted = { ...gone, status: { ...gone.status, retry: waiting } };
    expect(decide(world({ token: noted, refused }), now)).toEqual({ do: 'rest', until: new Date(later(5)) });
  });

  test('what was superseded is not forgotten', () => {
    const previous = older(later(-1));
    const step = decide(world({ token: of({ previous }), refused }), now);
    expect(step).toMatchObject({ do: 'write-status', verdict: { reason: 'StatusListInvalid' } });
    expect(step.do === 'write-status' && step.patch).toMatchObject({ previous });
  });

  test('a new credential is issued and recorded all the same, beside what could not be revoked', () => {
    const previous = older(later(-1));
    const wider = { scopes: ['modules:read', 'modules:write', 'modules:admin'] };
    const more = {
      ...withSpec(wider, of({ previous, retry: waiting })),
      status: { ...of({ previous }).status, observedGeneration: 2, retry: waiting },
    };
    expect(decide(world({ token: more }), now).do).toBe('issue');
    const made = { ...ahead, ...wider, overlapSeconds: 60 };
    const written = secretOf(more, { revision: 4, tokenID: `${uid}.4.new`, inputs: made });
    const step = decide(world({ token: more, secret: written }), now);
    expect(step).toMatchObject({ do: 'write-status', because: 'issued' });
    expect(step.do === 'write-status' && step.patch).toMatchObject({
      previous: [{ statusListIndex: 4 }, { tokenID, statusListIndex: 5 }],
    });
  });

  test('nothing is said again and again', () => {
    const held = of({ retry: waiting });
    expect(decide(world({ token: held, botUser: disabled }), now)).toEqual({ do: 'rest', until: new Date(later(5)) });
  });
});
