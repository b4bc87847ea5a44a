import { sharedCluster } from '../cluster/cluster.ts';
import { FaultRuns } from './fault-runs.ts';
import { robotScenarios } from './robot-scenarios.ts';

const kinds = ['robotaccounts', 'secrets'];
const runs = new FaultRuns(sharedCluster(), robotScenarios, { mostSteps: 4, sideBySide: 6, kinds });
runs.errors();
runs.lags();
runs.secondOperator();
