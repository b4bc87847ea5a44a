import type { BotToken } from '../../../src/api/bot-token.ts';
import type { BotUser } from '../../../src/api/bot-user.ts';
import { commonEvents } from '../credential/events.ts';
import type { Event, Manifests } from '../credential/kind.ts';

/** Everything that can happen to the objects of a token, by name. */
export function eventsOf(manifests: Manifests<BotToken, BotUser>): {
  readonly [name: string]: Event<BotToken, BotUser>;
} {
  const { beside: bot } = manifests;
  return {
    ...commonEvents(manifests, 'token'),
    'asks for more': world => world.changeSpec({ scopes: ['a', 'b', 'c'] }),
    'asks for less': world => world.changeSpec({ scopes: ['a'] }),
    revokes: world => world.changeSpec({ revoked: true }),
    'revokes the other token': world => world.changeSpec({ revoked: true }, 1),
    'disables the bot': world =>
      world.changeBeside(each =>
        each.spec.disabled === true ? undefined : { ...each, spec: { ...each.spec, disabled: true } },
      ),
    'enables the bot': world =>
      world.changeBeside(each =>
        each.spec.disabled === true && bot !== undefined ? { ...each, spec: bot.spec } : undefined,
      ),
    'deletes the bot': world => world.deleteBeside(),
    'applies the bot again': world =>
      bot !== undefined && world.applyBeside({ ...bot, metadata: { ...bot.metadata, uid: 'bot-2', finalizers: [] } }),
    'lets 45 minutes pass': world => world.passTime(45),
    'lets 90 minutes pass': world => world.passTime(90),
  };
}
