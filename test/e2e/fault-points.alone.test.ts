import { sharedCluster } from '../cluster/cluster.ts';
import { FaultRuns } from './fault-runs.ts';
import { scenarios } from './scenarios.ts';

const usual = scenarios.filter(({ issuer, name }) => issuer === undefined && name !== 'delete namespace');
const kinds = ['bottokens', 'botusers', 'secrets'];
const runs = new FaultRuns(sharedCluster(), usual, { mostSteps: 8, sideBySide: 4, kinds });
runs.errors();
runs.jumps();
runs.lags();
runs.secondOperator();
