import { parseArgs } from 'node:util';

/** What can be measured apart; `memory` and `start` share the tokens that they need. */
export const parts = [
  'issue',
  'rotation',
  'crowd',
  'latency',
  'status-list',
  'registry-token',
  'robots',
  'copies',
  'memory',
  'start',
] as const;
export type Part = (typeof parts)[number];

/** How much is measured. */
export interface Sizes {
  /** Objects of one measured wave; floor and operator get as many. */
  wave: number;
  /** Objects before each wave that are not counted: both sides are warm then. */
  warmUp: number;
  namespaces: number;
  /** Objects that are applied one by one at `perSecond`. */
  singles: number;
  perSecond: number;
  /** Tokens of one bot, among which `rounds` batches of so many more are issued. */
  crowd: number;
  batch: number;
  rounds: number;
  /** Idle tokens, ascending. */
  idle: readonly number[];
  /** Of those: with how many the start is measured. */
  startAt: number;
  /** How long the operator is left alone before its memory is read. */
  idleSeconds: number;
}

export interface Options {
  parts: ReadonlySet<Part>;
  sizes: Sizes;
  quick: boolean;
  /** The table goes into docs/performance.md as well. */
  write: boolean;
  /** Where CPU profiles of the operator go; undefined for none. */
  profile: string | undefined;
}

const full: Sizes = {
  wave: 2000,
  warmUp: 400,
  namespaces: 50,
  singles: 150,
  perSecond: 5,
  crowd: 2000,
  batch: 300,
  rounds: 2,
  idle: [0, 1000, 5000, 10_000],
  startAt: 5000,
  idleSeconds: 30,
};

const quick: Sizes = {
  wave: 200,
  warmUp: 40,
  namespaces: 5,
  singles: 20,
  perSecond: 5,
  crowd: 200,
  batch: 40,
  rounds: 1,
  idle: [0, 100, 300],
  startAt: 300,
  idleSeconds: 5,
};

/** An argument that is not understood; the message says what would be. */
export class ArgumentInvalid extends Error {}

/** `npm run bench -- [<part> …] [--quick] [--write] [--profile <directory>]`; without parts, all. */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parsed(args);
  const unknown = positionals.find(name => !isPart(name));
  if (unknown !== undefined) throw new ArgumentInvalid(`there is no part '${unknown}': ${parts.join(', ')}`);
  const chosen = new Set(positionals.filter(isPart));
  const isWhole = chosen.size === 0 || chosen.size === parts.length;
  if (values.write === true && (values.quick === true || !isWhole)) {
    throw new ArgumentInvalid('--write takes the figures of a whole run: leave out --quick and the names of parts');
  }
  return {
    parts: chosen.size === 0 ? new Set(parts) : chosen,
    sizes: values.quick === true ? quick : full,
    quick: values.quick === true,
    write: values.write === true,
    profile: values.profile,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { quick: { type: 'boolean' }, write: { type: 'boolean' }, profile: { type: 'string' } },
    });
  } catch (error) {
    throw new ArgumentInvalid(error instanceof Error ? error.message : 'unreadable arguments');
  }
}

function isPart(name: string): name is Part {
  return parts.some(part => part === name);
}
