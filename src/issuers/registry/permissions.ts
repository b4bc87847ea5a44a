import { everyProject, type Permission } from '../../api/permissions.ts';

/** What a token of the distribution protocol can allow on a repository, in the order in which it is written. */
export const actions = ['pull', 'push', 'delete'] as const;
export type Action = (typeof actions)[number];

/** A registry asks for pull beside push: it looks for layers that it has already before it takes new ones. */
const pushing: readonly Action[] = ['pull', 'push'];

/** The ten permissions, and what each allows on a distribution registry. It keeps charts as artifacts, and tags are manifests. */
const allowedBy = {
  PushArtifacts: pushing,
  PullArtifacts: ['pull'],
  DeleteArtifacts: ['delete'],
  ReadHelmCharts: ['pull'],
  CreateHelmChartVersion: pushing,
  DeleteHelmChartVersion: ['delete'],
  CreateTag: pushing,
  DeleteTag: ['delete'],
  // A distribution registry has neither labels nor a scanner.
  CreateArtifactLabels: [],
  CreateScan: [],
} as const satisfies Record<Permission, readonly Action[]>;

/** A word that is none of the ten is refused where it enters, so it is never looked up here. */
export function isPermission(word: string): word is Permission {
  return Object.hasOwn(allowedBy, word);
}

/** The permissions that mean nothing on a distribution registry; a status names them. */
export function withoutEffect(asked: readonly Permission[]): Permission[] {
  return asked.filter(permission => allowedBy[permission].length === 0);
}

/** Permissions in one project; `*` is every project. */
export interface Grant {
  project: string;
  permissions: readonly Permission[];
}

/** The actions on a repository: those in its project, its first path segment, and those in every project. Grants add up. */
export function actionsOn(repository: string, grants: readonly Grant[]): Action[] {
  const slash = repository.indexOf('/');
  const project = slash === -1 ? everyProject : repository.slice(0, slash);
  const reaching = grants.filter(grant => grant.project === project || grant.project === everyProject);
  const allowed = reaching.flatMap(grant => grant.permissions.flatMap((each): readonly Action[] => allowedBy[each]));
  return actions.filter(action => allowed.includes(action));
}

/** The actions on every repository there is. */
export function actionsEverywhere(grants: readonly Grant[]): Action[] {
  return actionsOn('', grants);
}
