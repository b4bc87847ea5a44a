import type { RobotAccount } from '../../../src/api/robot-account.ts';
import type { Observed } from '../../../src/decide/credential-seen.ts';
import { isReadAt, ownRecordOf } from '../../../src/decide/own-secret.ts';
import { robotAccounts } from '../../../src/decide/robot-account.ts';
import { ownSecret, type WrongWay, way, withoutRefusal } from './wrong-ways.ts';

const bringing = {
  spec: { rotation: undefined, secret: ownSecret() } as never,
  before: ['makes the source'],
};

/** What is special to secrets that their owners bring, each rule by itself. */
export const ownSecretWrongWays: readonly WrongWay[] = [
  way('a source that was only touched brings another secret', /the same secret is issued again/, {
    ...bringing,
    without: { sees: withoutComparison },
    kinds: { 'touches the source': 1 },
  }),
  way('a leaked secret of its owner is replaced by itself', /in place of itself/, {
    ...bringing,
    without: { sees: withoutRefusal },
    kinds: { 'asks for a replacement': 1 },
  }),
  way('the Secret is asked where its secret was read', /END: the secret is not the own one/, {
    ...bringing,
    world: { kind: { ...robotAccounts, isRevision: () => true } },
    kinds: { 'changes the source': 1, 'writes the newest source into the Secret': 1 },
  }),
];

/** Only the place and the version count. */
function withoutComparison(seen: Observed): Observed {
  const { principal, object } = seen;
  if (principal.state !== 'self' || !principal.grant.allowed || principal.grant.value.robot === undefined) return seen;
  const { value } = principal.grant;
  const { unchanged: _, ...robot } = value.robot;
  const record = ownRecordOf(object as RobotAccount);
  if (record !== undefined && robot.source !== undefined && isReadAt(record.source, robot.source)) return seen;
  return { ...seen, principal: { ...principal, grant: { allowed: true, value: { ...value, robot } } } };
}
