import type { IssuerOf } from '../api/cluster-token-issuer.ts';
import { permissions as allPermissions, type Permission } from '../api/permissions.ts';
import { projectsOf, type RobotAccount, robotNameOf } from '../api/robot-account.ts';
import type { RobotWish } from './grant.ts';
import { type Excess, excessOf } from './limits.ts';

/** The first thing that a robot asks for above a ceiling of its issuer. */
export function robotExcess(robot: RobotAccount, { spec }: IssuerOf<'registry'>): Excess | undefined {
  const ask = {
    namespace: robot.metadata.namespace ?? '',
    name: robotNameOf(robot),
    isSystem: robot.spec.projects !== undefined,
    expiresIn: robot.spec.expiresIn,
    permissions: permissionsOf(robot),
  };
  return excessOf(ask, spec.limits);
}

/** By project, in one order whatever order the spec has. */
export function permissionsOf(robot: RobotAccount): RobotWish['robot']['permissions'] {
  const all = projectsOf(robot.spec).map(each =>
    each.permissions === undefined
      ? { project: each.name, permissions: defaultOf(robot, each.name), defaulted: true as const }
      : { project: each.name, permissions: inOrder(each.permissions) },
  );
  return all.sort((a, b) => (a.project < b.project ? -1 : 1));
}

/** All, as many as this version knows: what an earlier one gave stays, so that an upgrade gives nobody more. */
function defaultOf({ status }: RobotAccount, project: string): readonly Permission[] {
  const before = status?.permissions?.find(each => each.project === project && each.defaulted === true);
  return before === undefined ? allPermissions : inOrder(before.permissions);
}

function inOrder(some: readonly string[]): readonly Permission[] {
  return allPermissions.filter(permission => some.includes(permission));
}
