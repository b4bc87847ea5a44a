import { BackendModel } from './backend/model.ts';
import { type Run as BackendRun, more, wrongWays, yardsticks } from './backend/runs.ts';
import { CredentialModel } from './credential/model.ts';
import { explore, type Report } from './explore.ts';
import { botTokenWorld } from './token/bot-tokens.ts';
import { mostStates, scenarios } from './token/scenarios.ts';

/** What a run is about: the parts of the table. */
export type Group = 'token' | 'yardstick' | 'more' | 'wrong way';

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

/** Everything that is explored. The long ones come first, so that two workers end at about the same time. */
export const runs: readonly Run[] = [
  ...yardsticks.toReversed().map(run => ofBackend('yardstick', run)),
  ...more.map(run => ofBackend('more', run)),
  ...scenarios.map(({ full: whole, onlyFull, ...scenario }) => ({
    ...(onlyFull && { onlyFull }),
    group: 'token' as const,
    name: scenario.name,
    go: (full: boolean) =>
      full
        ? explore(new CredentialModel(botTokenWorld, { ...scenario, ...whole }), { mostStates })
        : explore(new CredentialModel(botTokenWorld, scenario)),
  })),
  ...wrongWays.map(run => ofBackend('wrong way', run)),
];
