import { availableParallelism } from 'node:os';
import { exploreAll } from './pool.ts';
import { runs } from './runs.ts';
import { failures, tableOf } from './table.ts';

// `npm run explore`: everything with every bound, or only the runs whose names contain what is given.
const chosen = runs.filter(({ name, group }) => `${group} ${name}`.includes(process.argv[2] ?? ''));
const results = await exploreAll(chosen, {
  threads: Math.min(2, availableParallelism()),
  full: true,
  each: ({ run, report }) => process.stderr.write(`${run.name}: ${report.states} states\n`),
});
const wrong = failures(results, { full: true });
process.stdout.write(`${[tableOf(results), ...wrong].join('\n')}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
