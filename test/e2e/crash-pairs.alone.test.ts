import { describe, expect, test } from 'vitest';
import { sharedCluster } from '../cluster/cluster.ts';
import { allScenarios, CrashRuns, type Moment, mostPoints } from './crash-runs.ts';

// A crash while the next process puts right what the first one left: in the two shortest scenarios that end a credential.
const scenarios = allScenarios.filter(({ name }) => name === 'replace' || name === 'revoke');
const runs = new CrashRuns(sharedCluster(), scenarios);

const pairs: [Moment, Moment][] = [
  ['before', 'before'],
  ['before', 'after'],
  ['after', 'before'],
  ['after', 'after'],
];

describe('killed twice, the operator ends where the clean run ends', () => {
  for (const scenario of scenarios) {
    test.each(pairs)(`${scenario.name}: %s and %s each two steps`, { timeout: 1_800_000 }, async (one, other) => {
      for (let k = 1; ; k++) {
        const first = { k, moment: one };
        for (let l = 1; (await runs.run(scenario, [first, { k: l, moment: other }])) === 2; l++)
          expect(l).toBeLessThan(mostPoints);
        if ((await runs.run(scenario, [first])) === 0) break;
      }
    });
  }
});
