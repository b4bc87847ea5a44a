// Objects that are wrong, judged by the real API server (admission.cluster.test.ts) and, where
// it knows the rule, by zod (cases.test.ts).
import { badBots } from './bad-bot-cases.ts';
import { badIssuers } from './bad-issuer-cases.ts';
import { badRegistries } from './bad-registry-cases.ts';
import { badRobots } from './bad-robot-cases.ts';
import { badRobotSecrets } from './bad-robot-secret-cases.ts';
import { badSecrets } from './bad-secret-cases.ts';
import { badTokens } from './bad-token-cases.ts';
import { badRevocations } from './revocation-cases.ts';

export const bad = [
  ...badTokens,
  ...badSecrets,
  ...badBots,
  ...badIssuers,
  ...badRegistries,
  ...badRobots,
  ...badRobotSecrets,
  ...badRevocations,
];
