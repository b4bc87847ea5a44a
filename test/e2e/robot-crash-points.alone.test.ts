import { sharedCluster } from '../cluster/cluster.ts';
import { CrashRuns } from './crash-runs.ts';
import { robotScenarios } from './robot-scenarios.ts';

// A renewal has the writes of a rotation.
const scenarios = robotScenarios.filter(({ name }) => name !== 'renew');
new CrashRuns(sharedCluster(), scenarios).eachStep(
  'killed before and after each request, the operator ends for robots where the clean run ends',
  scenarios,
);
