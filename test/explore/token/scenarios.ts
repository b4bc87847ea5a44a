import type { BotToken } from '../../../src/api/bot-token.ts';
import type { Scenario } from '../credential/model.ts';

/** Of a scenario with its full bound, so many states are looked at: the nearest ones. */
export const mostStates = 250_000;

/** A small world, and how much of it the tests walk: as many events as they say, and `full` where everything is asked for. */
export interface Run extends Scenario<BotToken> {
  full?: Partial<Scenario<BotToken>>;
  /** Too large for the tests. */
  onlyFull?: true;
}

const both: Partial<Scenario<BotToken>> = { operators: 2, lag: 'all' };

/** Each with a few of the things that can happen, so that everything within its bound is looked at. */
export const scenarios: readonly Run[] = [
  {
    name: 'nothing happens but faults',
    operators: 2,
    late: true,
    refused: 1,
    kinds: {},
    events: 0,
  },
  {
    name: 'the token is deleted and made again',
    operators: 2,
    kinds: { 'deletes the token': 1, 'applies the token again': 1, 'deletes the Secret': 1 },
    events: 1,
    full: { events: 2 },
  },
  {
    name: 'the token is deleted and made again, late writes',
    operators: 1,
    late: true,
    kinds: { 'deletes the token': 1, 'applies the token again': 1, 'deletes the Secret': 1 },
    events: 3,
    full: { ...both, events: 2 },
  },
  {
    name: 'the spec changes',
    ...both,
    operators: 2,
    kinds: { 'asks for more': 1, 'asks for less': 1, revokes: 1 },
    events: 2,
    full: { lag: 'each' },
  },
  {
    name: 'annotations ask',
    operators: 1,
    kinds: { 'asks for a rotation': 1, 'asks for a replacement': 1, pauses: 1, resumes: 1 },
    events: 3,
    full: { late: true },
  },
  {
    name: 'the Secret is lost, edited, emptied',
    operators: 1,
    kinds: {
      'deletes the Secret': 1,
      'edits the Secret': 1,
      'empties the Secret': 1,
      'strips the Secret’s marks': 1,
      'puts a foreign Secret there': 1,
      'wants another entry': 1,
    },
    events: 2,
    full: { late: true },
  },
  {
    name: 'the Secret’s owner is stripped, the old Secret comes back',
    operators: 1,
    kinds: {
      'strips the Secret’s owner and label': 1,
      'strips the Secret’s marks': 1,
      'restores the first Secret': 1,
      'asks for more': 1,
      'deletes the token': 1,
    },
    events: 3,
    onlyEnd: true,
    full: { operators: 2, lag: 'all' },
  },
  {
    name: 'onLost: Stall',
    operators: 1,
    spec: { secret: { type: 'Opaque', data: [{ key: 'BUF_TOKEN', template: '$(token)' }], onLost: 'Stall' } },
    kinds: { 'deletes the Secret': 1, 'edits the Secret': 1, 'asks for a rotation': 1, 'asks for less': 1 },
    events: 2,
    onlyEnd: true,
  },
  {
    name: 'time passes: renewal, overlap, expiry',
    ...both,
    operators: 2,
    kinds: { 'lets 45 minutes pass': 2, 'lets 90 minutes pass': 1, 'asks for more': 1 },
    events: 2,
    full: { lag: 'each', events: 3 },
  },
  {
    name: 'time passes, without rotation',
    operators: 1,
    late: true,
    spec: { rotation: undefined } as never,
    kinds: { 'lets 90 minutes pass': 1, 'deletes the Secret': 1, 'asks for more': 1, 'deletes the bot': 1 },
    events: 2,
    full: { events: 3 },
  },
  {
    name: 'the bot is deleted, made again, disabled, enabled',
    operators: 1,
    kinds: {
      'deletes the bot': 1,
      'applies the bot again': 1,
      'disables the bot': 1,
      'enables the bot': 1,
      'deletes the token': 1,
    },
    events: 3,
    full: { operators: 2, lag: 'all' },
  },
  {
    name: 'the bot is deleted and made again under two operators',
    onlyFull: true,
    operators: 2,
    kinds: { 'deletes the bot': 1, 'applies the bot again': 1 },
    events: 2,
  },
  {
    name: 'the issuer is deleted',
    operators: 1,
    kinds: {
      'deletes the issuer': 1,
      'deletes the token': 1,
      revokes: 1,
      'deletes the Secret': 1,
      'deletes the bot': 1,
    },
    events: 3,
    full: { operators: 2, lag: 'all' },
  },
  {
    name: 'two tokens on one Secret',
    operators: 1,
    objects: 2,
    kinds: {
      'deletes the token': 1,
      'revokes the other token': 1,
      'deletes the other token': 1,
      'deletes the Secret': 1,
      'applies the token again': 1,
    },
    events: 2,
    full: { events: 3 },
  },
  {
    name: 'status wiped, finalizer taken off, old Secret back',
    operators: 1,
    kinds: {
      'restores an empty status': 1,
      'takes off the finalizer': 1,
      'restores the first Secret': 1,
      'asks for more': 1,
      'deletes the token': 1,
    },
    events: 3,
    onlyEnd: true,
    full: { operators: 2, lag: 'all', events: 2 },
  },
  {
    name: 'writes are refused',
    operators: 1,
    refused: 2,
    kinds: { 'asks for more': 1, 'deletes the token': 1, 'deletes the Secret': 1, revokes: 1, pauses: 1, resumes: 1 },
    events: 2,
  },
];
