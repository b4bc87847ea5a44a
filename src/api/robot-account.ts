import * as z from 'zod';
import { celSecretName, restartOf, rotationOf, rotationRules, secretNameRule } from './credentialed.ts';
import { lifetimeInDays } from './durations.ts';
import { objectName, project, projectOrEvery, robotName } from './forms.ts';
import { ageColumn, createdByColumn, defineKind, readyColumns } from './kind.ts';
import { objectFields, unseen } from './object.ts';
import { permissions } from './permissions.ts';
import { RobotSecret } from './robot-secret.ts';
import { RobotStatus } from './robot-status.ts';
import { celMatches, guarded, immutable, mapBy, type Rule, setOf, text, time } from './schema.ts';

const issuerRef = immutable(
  z.object({
    kind: z.enum(['ClusterTokenIssuer']).describe('The kind of the issuer.'),
    name: text({ max: 253, form: objectName }).describe('The name of the issuer.'),
  }),
  'issuerRef',
).describe('The registry that the robot is an account of: an issuer of type `registry`. Immutable.');

const permission = z.enum(permissions).describe('One permission.');
const permissionSet = guarded(setOf(permission, { min: 1, max: permissions.length }), {
  rule: "!('PushArtifacts' in self) || 'PullArtifacts' in self",
  message: 'PushArtifacts needs PullArtifacts as well: whoever pushes asks first what is there',
});
const allTen =
  'A change takes effect without a new secret. Left out: all ten, those of the version of botmint that first saw the robot.';

const systemProject = z
  .object({
    name: text({ max: 255, form: projectOrEvery }).describe('A project, or `*` for every project, also later ones.'),
    permissions: permissionSet.exactOptional().describe(`What the robot may do in this project. ${allTen}`),
  })
  .describe('A project and what the robot may do in it.');

const oneOfProjects: Rule[] = [
  {
    rule: 'has(self.project) != has(self.projects)',
    message: 'exactly one of project (a project robot) and projects (a system robot) must be set',
  },
  {
    rule: '!has(self.permissions) || !has(self.projects)',
    message: 'with projects, permissions stand at each project',
    fieldPath: '.permissions',
  },
  {
    rule: 'has(self.project) == has(oldSelf.project) && (!has(self.project) || self.project == oldSelf.project)',
    message: 'a robot cannot be transferred to another project: make a new RobotAccount',
    fieldPath: '.project',
  },
];

const spec = guarded(
  z.object({
    issuerRef,
    name: text({ max: 255, form: robotName })
      .exactOptional()
      .describe(
        'The name of the robot in its project, or at the system. It logs in with `status.fullName`, which its issuer makes of it. Immutable. Left out: the name of the object.',
      ),
    project: text({ max: 255, form: project })
      .exactOptional()
      .describe(
        'The project of the robot, such as `payments`: the first part of the names of its repositories. Immutable. Either this or `projects`.',
      ),
    permissions: permissionSet
      .exactOptional()
      .describe(
        `What the robot may do in its \`project\`, such as \`[PullArtifacts]\`. ${allTen} With \`projects\`, permissions stand at each project.`,
      ),
    projects: mapBy('name', systemProject, { min: 1, max: 100 })
      .exactOptional()
      .describe(
        'For a robot of several projects, a system robot: each with its permissions. Either this or `project`.',
      ),
    description: z.string().max(512).exactOptional().describe('What the robot is for. For people only.'),
    expiresIn: lifetimeInDays().describe(
      'How long the robot lives, in days (`d`) or months of 30 days (`mo`), such as `90d`, counted from the issue of its secret; or `never`. A change moves its end, and the secret stays.',
    ),
    notAfter: time()
      .exactOptional()
      .describe(
        'The end of this robot, such as `2027-06-30T00:00:00Z`, whatever its `expiresIn`. An absolute time, so that making the object anew gives no new life.',
      ),
    disabled: z
      .boolean()
      .exactOptional()
      .describe('`true`: the robot cannot log in until it is `false` again; then the same secret works again.'),
    adoptionPolicy: z
      .enum(['Refuse', 'Adopt'])
      .default('Refuse')
      .describe(
        'What happens when the issuer has a robot of that name already. Refuse: nothing. Adopt: it becomes this one, where the issuer allows that; one of type registry has no robots of its own. Left out: Refuse.',
      ),
    deletionPolicy: z
      .enum(['Delete', 'Deactivate', 'Retain'])
      .default('Delete')
      .describe(
        'What becomes of the robot at its issuer when this object is deleted. Its secrets end in any case, and all three mean the same for an issuer of type registry. Left out: Delete.',
      ),
    rotation: rotationOf('secret', 'none, as with `0s`.').exactOptional(),
    secret: RobotSecret,
    restart: restartOf('secret').exactOptional(),
  }),
  ...oneOfProjects,
  ...rotationRules('secret'),
  {
    rule: '!has(self.secret.valueFrom) || !has(self.rotation)',
    message: 'an own secret is rotated by whoever brings it: rotation and secret.valueFrom exclude each other',
    fieldPath: '.rotation',
  },
).describe('What the robot may do, and where its secret goes.');

const robot = (object: string) => `(has(${object}.spec.name) ? ${object}.spec.name : ${object}.metadata.name)`;

// Asked at every write, even of the status or a finalizer alone: they are about nothing that an older CRD prunes.
const nameRules: readonly Rule[] = [
  {
    rule: `${robot('self')} == ${robot('oldSelf')}`,
    message: "the robot's name (spec.name, or the name of the object) is immutable: make a new RobotAccount",
    fieldPath: '.spec.name',
  },
  {
    rule: `has(self.spec.name) || ${celMatches('self.metadata.name', robotName.pattern)}`,
    message:
      "the name of the object cannot be a robot's name (single dots, hyphens or underscores between letters and digits): set spec.name",
    fieldPath: '.spec.name',
  },
  {
    rule: `!has(self.spec.project) || self.spec.project.size() + ${robot('self')}.size() <= 254`,
    message: 'project and name together may have 254 characters at most',
    fieldPath: '.spec.name',
  },
  {
    rule: `!has(self.spec.secret.valueFrom) || self.spec.secret.valueFrom.secretKeyRef.name != ${celSecretName('self')}`,
    message: 'secret.valueFrom must not read the Secret that is written: set another secret.name',
    fieldPath: '.spec.secret.valueFrom',
  },
];

/** An account of a registry for machines, and the Secret that its name and secret are written to. */
export const RobotAccount = guarded(
  z.object({ ...objectFields, spec, status: RobotStatus.meta(unseen).exactOptional() }),
  ...nameRules,
  secretNameRule('RobotAccount'),
).describe(
  'A robot account of a container registry, with which machines pull and push. Its secret is issued once, written into one Secret, and rotated from then on. Deleting it ends the account first.',
);
export type RobotAccount = z.infer<typeof RobotAccount>;

/** The effective name in the project, or at the system: `spec.name`, else the object's. */
export function robotNameOf({ spec, metadata }: RobotAccount): string {
  return spec.name ?? metadata.name;
}

/** The name that a robot logs in with but for the prefix of its issuer. */
export function accountNameOf(robot: RobotAccount): string {
  const { project } = robot.spec;
  return project === undefined ? robotNameOf(robot) : `${project}+${robotNameOf(robot)}`;
}

/** The projects that the spec names, in one form for robots of one and of several. Permissions that are left out stay so. */
export function projectsOf({ project, permissions, projects = [] }: RobotAccount['spec']) {
  return project === undefined ? projects : [{ name: project, ...(permissions && { permissions }) }];
}

/**
 * What was allowed (the status says) less what the spec has taken away since: that counts at once. A project whose permissions
 * the spec leaves out keeps all of them. Undefined where nothing was allowed yet.
 */
export function permissionsInForce(spec: RobotAccount['spec'], status: RobotAccount['status']) {
  const named = new Map(projectsOf(spec).map(({ name, permissions }) => [name, permissions]));
  return status?.permissions
    ?.filter(({ project }) => named.has(project))
    .map(each => {
      const asked = new Set<string>(named.get(each.project) ?? each.permissions);
      return { ...each, permissions: each.permissions.filter(permission => asked.has(permission)) };
    });
}

export const robotAccountKind = defineKind<RobotAccount>({
  kind: 'RobotAccount',
  plural: 'robotaccounts',
  namespaced: true,
  shortNames: ['robot', 'robots'],
  columns: [
    { name: 'Full name', type: 'string', jsonPath: '.status.fullName' },
    { name: 'Enabled', type: 'boolean', jsonPath: '.status.enabled' },
    ...readyColumns,
    { name: 'Created', type: 'string', jsonPath: '.status.createdAt' },
    { name: 'Expires', type: 'string', jsonPath: '.status.expiresAt' },
    { name: 'Description', type: 'string', jsonPath: '.spec.description' },
    { name: 'Permissions', type: 'string', jsonPath: '.status.permissions', wide: true },
    { name: 'Last used', type: 'string', jsonPath: '.status.lastUsed', wide: true },
    createdByColumn,
    ageColumn,
  ],
  selectableFields: ['.spec.issuerRef.name', '.status.tokenID'],
  schema: RobotAccount,
});
