import { sharedCluster } from '../cluster/cluster.ts';
import { allScenarios, CrashRuns } from './crash-runs.ts';

// Those in which a credential ends, or stays as it is.
const scenarios = allScenarios.filter(({ issues, prepare }) => issues !== 2 && prepare !== undefined);
new CrashRuns(sharedCluster(), scenarios).eachStep(
  'killed before and after each request, the operator ends where the clean run ends',
  scenarios,
);
