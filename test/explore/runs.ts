import type { Credentialed } from '../../src/api/credentialed.ts';
import { BackendModel } from './backend/model.ts';
import { type Run as BackendRun, more, wrongWays, yardsticks } from './backend/runs.ts';
import type { Beside } from './credential/contents.ts';
import type { Walked } from './credential/kind.ts';
import type { Scenario } from './credential/model.ts';
import { CredentialModel } from './credential/model.ts';
import { explore, type Report } from './explore.ts';
import { ownSecretWrongWays } from './robot/own-secret-wrong-ways.ts';
import { robotAccountWorld } from './robot/robot-accounts.ts';
import { scenarios as robotScenarios } from './robot/scenarios.ts';
import { wrongWays as robotWrongWays } from './robot/wrong-ways.ts';
import { botTokenWorld } from './token/bot-tokens.ts';
import { mostStates, scenarios } from './token/scenarios.ts';

/** What a run is about: the parts of the table. */
export type Group = 'token' | 'robot' | 'yardstick' | 'more' | 'wrong way';

/** One exploration by name, so that a worker thread can be told which. */
export interface Run {
  group: Group;
  name: string;
  /** What the earlier model counted, in states. */
  yardstick?: number;
  /** A known wrong way: the violation that has to be found. */
  wrong?: RegExp;
  /** Too large for the tests. */
  onlyFull?: true;
  /** `full`: with every bound, as `npm run explore` has them. */
  go: (full: boolean) => Report;
}

function ofBackend(group: Group, { name, rules, wrong, yardstick }: BackendRun): Run {
  const events = (full: boolean) => (group === 'more' && !full ? Math.min(rules.events, 2) : rules.events);
  return {
    group,
    name,
    ...(yardstick === undefined ? {} : { yardstick }),
    ...(wrong === undefined ? {} : { wrong }),
    go: full => explore(new BackendModel({ ...rules, events: events(full) }, wrong)),
  };
}

/** `onlyFull`: too large for the tests; `full`: the bound where everything is asked for. */
interface CredentialRun<T extends Credentialed> extends Scenario<T> {
  full?: Partial<Scenario<T>>;
  onlyFull?: true;
}

function ofCredentials<T extends Credentialed, B extends Beside>(
  group: Group,
  of: Walked<T, B>,
  { full: whole, onlyFull, ...scenario }: CredentialRun<T>,
): Run {
  return {
    ...(onlyFull && { onlyFull }),
    group,
    name: scenario.name,
    go: (full: boolean) =>
      full
        ? explore(new CredentialModel(of, { ...scenario, ...whole }), { mostStates })
        : explore(new CredentialModel(of, scenario)),
  };
}

/** A world with a wrong rule may have no end. */
const mostOfWrong = 20_000;

/** Everything that is explored. The long ones come first, so that two workers end at about the same time. */
export const runs: readonly Run[] = [
  ...yardsticks.toReversed().map(run => ofBackend('yardstick', run)),
  ...more.map(run => ofBackend('more', run)),
  ...scenarios.map(run => ofCredentials('token', botTokenWorld, run)),
  ...robotScenarios.map(run => ofCredentials('robot', robotAccountWorld, run)),
  ...wrongWays.map(run => ofBackend('wrong way', run)),
  ...[...robotWrongWays, ...ownSecretWrongWays].map(({ of, scenario, wrong }) => ({
    group: 'wrong way' as const,
    name: scenario.name,
    wrong,
    go: () => explore(new CredentialModel(of, scenario), { mostStates: mostOfWrong }),
  })),
];
