import { expectTypeOf, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import type { Credentialed } from '../../src/api/credentialed.ts';

test('every kind with a credential is one that is decided on', () => {
  expectTypeOf<BotToken>().toExtend<Credentialed>();
});
