import * as fc from 'fast-check';
import { test } from 'vitest';
import { type Happening, start, step, users, type World } from './happenings.ts';
import { followsTheRules, hasSettled, snapshot } from './invariants.ts';
import type { Fault } from './network.ts';

// One token, two operators that both believe to be in charge, users who change their minds, and a network that loses, doubles
// and delays. After every step the invariants of section 3 of the design are asked; in the end, the world has to come to rest.

/** About 3 seconds, and the same walks each time: such a run is red for what was changed. `WALKS=20000` looks for what nobody has seen. */
const walks =
  process.env.WALKS === undefined ? { numRuns: 500, seed: 20261122 } : { numRuns: Number(process.env.WALKS) };
const faults: Fault[] = ['lost', 'unanswered', 'refused', 'crash before', 'crash after'];

/** Mostly operators that act; each of the rest often enough to meet each other. */
function happening(who: (0 | 1)[], bad: readonly Fault[]): fc.Arbitrary<Happening> {
  const operator = (...fault: Fault[]) =>
    fc.record({ by: fc.constant('operator' as const), who: fc.constantFrom(...who), fault: fc.constantFrom(...fault) });
  const what = fc.constantFrom('token' as const, 'botUser' as const, 'secret' as const);
  const does = fc.constantFrom(...Object.keys(users).filter(isUser));
  const minutes = fc.constantFrom(1, 20, 45, 90);
  return fc.oneof(
    { weight: 10, arbitrary: operator('none') },
    { weight: 4, arbitrary: operator(...bad) },
    { weight: 5, arbitrary: fc.record({ by: fc.constant('watch' as const), who: fc.constantFrom(...who), what }) },
    { weight: 2, arbitrary: fc.record({ by: fc.constant('network' as const) }) },
    { weight: 2, arbitrary: fc.record({ by: fc.constant('time' as const), minutes }) },
    { weight: 5, arbitrary: fc.record({ by: fc.constant('user' as const), does }) },
  );
}

test.each<[string, 1 | 2, fc.Arbitrary<Happening>]>([
  ['one operator', 1, happening([0], faults)],
  ['two operators and late writes', 2, happening([0, 1], [...faults, 'late'])],
])(
  'with %s, credentials live and die by the rules, and in the end there is one and nothing to write',
  (_, count, one) => {
    const happenings = fc.array(one, { maxLength: 50, size: 'max' });
    fc.assert(
      fc.property(happenings, list => walk(start(count), list)),
      walks,
    );
  },
  180_000,
);

test.each<[string, Happening[], (1 | 2)?]>([
  ['nothing at all', []],
  ['a deletion', [...calm(4), { by: 'user', does: 'deletes the token' }]],
  ['a revocation', [...calm(4), { by: 'user', does: 'revokes' }]],
  ['a deletion of the bot', [...calm(4), { by: 'user', does: 'deletes the bot' }]],
  [
    'a workload made anew when the answer to the record of its restart was lost',
    [
      ...calm(2),
      { by: 'user', does: 'asks for more' },
      { by: 'watch', who: 0, what: 'token' },
      ...calm(5),
      { by: 'operator', who: 0, fault: 'unanswered' },
      { by: 'user', does: 'makes the workload anew' },
      ...calm(2),
    ],
  ],
  [
    'a narrower token that lost its marks before it was recorded, when more is asked for by then',
    [
      ...calm(4),
      { by: 'user', does: 'asks for something else' },
      { by: 'watch', who: 0, what: 'token' },
      ...calm(2),
      { by: 'user', does: 'asks for more' },
      { by: 'operator', who: 0, fault: 'crash before' },
      { by: 'user', does: 'takes off the marks' },
      ...calm(4),
    ],
  ],
  [
    'a narrower token that was lost before it was recorded, when more is asked for by then, in an overlap',
    [
      ...calm(1),
      { by: 'user', does: 'asks for more' },
      ...calm(3),
      { by: 'user', does: 'asks for something else' },
      ...calm(5),
      { by: 'user', does: 'asks for more' },
      { by: 'user', does: 'loses the Secret' },
    ],
  ],
  [
    'a narrower token of one operator that lost its marks before the other, which was asked for more, issued one',
    [
      ...calm(3),
      { by: 'user', does: 'asks for less' },
      ...calm(1, 1),
      { by: 'user', does: 'asks for more' },
      { by: 'watch', who: 0, what: 'token' },
      ...calm(2, 1),
      { by: 'user', does: 'takes off the marks' },
      ...calm(2),
      { by: 'operator', who: 1, fault: 'unanswered' },
    ],
    2,
  ],
])('%s comes to its end', (_, happenings, count = 1) => walk(start(count), happenings));

function walk(world: World, happenings: readonly Happening[]): void {
  let before = snapshot(world.server);
  for (const one of happenings) {
    step(world, one);
    const after = snapshot(world.server);
    followsTheRules(before, after, { cause: one.by === 'user' ? one.does : one.by, raced: world.operators.length > 1 });
    before = after;
  }
  hasSettled(world.server, world.operators);
}

function isUser(text: string): text is keyof typeof users {
  return text in users;
}

function calm(count: number, who: 0 | 1 = 0): Happening[] {
  return Array.from({ length: count }, () => ({ by: 'operator', who, fault: 'none' }));
}
