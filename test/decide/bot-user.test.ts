import { describe, expect, test } from 'vitest';
import { BotUser } from '../../src/api/bot-user.ts';
import { revokeFinalizer } from '../../src/api/names.ts';
import { botUserGrant } from '../../src/decide/bot-token-grant.ts';
import { decide, type Observed } from '../../src/decide/bot-user.ts';
import { applyMergePatch } from '../base/apply-merge-patch.ts';
import { botUser, deleting, issuer, later, now } from './healthy.ts';
import { registry } from './robots.ts';

const bot = { ...botUser, metadata: { ...botUser.metadata, finalizers: [revokeFinalizer] } };
const available = botUserGrant(bot, [], { issuer, namespaceLabels: {} }, now);
const ready: BotUser = {
  ...bot,
  status: written({ botUser: bot, grant: available, activeTokens: 2, confirmedTokens: undefined }),
};
const seen = (change: Partial<Observed> = {}): Observed => ({
  botUser: ready,
  grant: available,
  activeTokens: 2,
  confirmedTokens: undefined,
  ...change,
});

test('a bot that can be used is left alone', () => expect(decide(seen(), new Date(later(60)))).toEqual({ do: 'rest' }));

test('a bot gets its finalizer first', () => {
  expect(decide(seen({ botUser }), now)).toEqual({ do: 'add-finalizer' });
});

test('its status says its username and how many tokens it has', () => {
  expect(ready.status).toMatchObject({ username: 'ci-bot', activeTokens: 2, observedGeneration: 1 });
  expect(decide(seen({ activeTokens: 3 }), now)).toMatchObject({ do: 'write-status', patch: { activeTokens: 3 } });
  const { username: _, ...spec } = bot.spec;
  expect(written(seen({ botUser: { ...bot, spec } }))).toMatchObject({ username: 'ci' });
});

test('a bot that cannot be used says why', () => {
  const grant = botUserGrant(bot, [], { issuer: undefined, namespaceLabels: {} }, now);
  expect(decide(seen({ grant }), now)).toMatchObject({ do: 'write-status', verdict: { reason: 'IssuerNotFound' } });
});

test('a bot of an issuer that has none is refused, and not its tokens only', () => {
  const grant = botUserGrant(bot, [], { issuer: registry, namespaceLabels: {} }, now);
  const verdict = { state: 'stalled', reason: 'UnsupportedByIssuer' };
  expect(decide(seen({ grant }), now)).toMatchObject({ do: 'write-status', verdict });
});

describe('a bot that is deleted', () => {
  const going = deleting(ready);

  test.each<[string, Partial<Observed>, object]>([
    ['waits for its tokens', { activeTokens: 1 }, { do: 'write-status', verdict: { reason: 'BotUserDeleted' } }],
    ['counts them live before it believes that there is none', { activeTokens: 0 }, { do: 'confirm-tokens' }],
    ['waits for tokens that the cache does not show', { activeTokens: 0, confirmedTokens: 1 }, { do: 'write-status' }],
    ['goes without any', { activeTokens: 0, confirmedTokens: 0 }, { do: 'remove-finalizer' }],
    ['waits for one that came after the count', { activeTokens: 1, confirmedTokens: 0 }, { do: 'write-status' }],
    ['is nobody else’s business without our finalizer', { botUser: deleting(botUser) }, { do: 'rest' }],
  ])('%s', (_, change, step) => expect(decide(seen({ botUser: going, ...change }), now)).toMatchObject(step));

  test('says so once', () => {
    const waiting = { ...going, status: written(seen({ botUser: going })) };
    expect(decide(seen({ botUser: waiting }), new Date(later(60)))).toEqual({ do: 'rest' });
  });
});

function written(given: Observed): NonNullable<BotUser['status']> {
  const step = decide(given, now);
  if (step.do !== 'write-status') throw new Error(`not a status write: ${step.do}`);
  return BotUser.parse(applyMergePatch(given.botUser, { status: step.patch })).status ?? {};
}
