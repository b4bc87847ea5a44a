import { expectTypeOf, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import type { Credentialed } from '../../src/api/credentialed.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';

test('every kind with a credential is one that is decided on', () => {
  expectTypeOf<BotToken>().toExtend<Credentialed>();
  expectTypeOf<RobotAccount>().toExtend<Credentialed>();
});
