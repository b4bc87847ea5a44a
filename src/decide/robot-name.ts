import type { IssuerOf } from '../api/cluster-token-issuer.ts';
import { isOlder } from '../api/object.ts';
import { accountNameOf, type RobotAccount } from '../api/robot-account.ts';
import { knownRecord } from './credential-record.ts';
import { robotExcess } from './robot-asks.ts';
import { allowsNamespace, type Labels } from './selector.ts';

/** The name that a robot logs in with. A name has no plus, so no two robots of one issuer share one by chance. */
export function fullNameOf(robot: RobotAccount, { spec: { registry } }: IssuerOf<'registry'>): string {
  return registry.robotPrefix + accountNameOf(robot);
}

/** A robot, and the labels of its namespace; undefined while that is not known. */
export interface Claim {
  robot: RobotAccount;
  namespaceLabels: Labels | undefined;
}

/**
 * Who of the robots of one full name has it. Who logs in with a name keeps it, and what an issuer refuses takes no name away from what it allows, however old
 * it is; else the older one has it. Undefined where the issuer allows none of them and none was issued.
 */
export function holderOf(claims: readonly Claim[], issuer: IssuerOf<'registry'>): RobotAccount | undefined {
  const all = claims.map(claim => ({ robot: claim.robot, strength: strengthOf(claim, issuer) }));
  const holding = all.filter(({ strength }) => strength > 0);
  holding.sort((a, b) => b.strength - a.strength || (isOlder(a.robot, b.robot) ? -1 : 1));
  return holding[0]?.robot;
}

function strengthOf(claim: Claim, issuer: IssuerOf<'registry'>): number {
  return (issuedAt(claim.robot) === issuer.metadata.uid ? 2 : 0) + (isAllowed(claim, issuer) ? 1 : 0);
}

function isAllowed({ robot, namespaceLabels }: Claim, issuer: IssuerOf<'registry'>): boolean {
  return allowsNamespace(issuer.spec.allowedNamespaces, namespaceLabels) && robotExcess(robot, issuer) === undefined;
}

/**
 * The issuer (UID) at which a robot was issued, by its record; undefined for one whose Secret was never seen as botmint had written it: anybody can make a
 * Secret that says it was issued.
 */
export function issuedAt(robot: RobotAccount): string | undefined {
  const record = knownRecord(robot);
  return record?.resourceVersion === undefined ? undefined : record.inputs.issuer.uid;
}
