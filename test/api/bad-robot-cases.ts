// RobotAccounts that are wrong in what they are and may do.
import { type Bad, long, refused, robot, systemRobot } from './sample.ts';

const pull = { permissions: ['PullArtifacts'] };

const names: readonly Bad[] = [
  ...['Ci', '-a', 'a-', 'a--b', 'a._b', 'a b', 'robot$ci', 'payments+ci', ''].map(name =>
    refused(
      `named ${JSON.stringify(name)}`,
      robot({ name }),
      'spec.name',
      'must be lower-case letters and digits, with single dots, hyphens or underscores',
      'both',
    ),
  ),
  refused('a name of 256 characters', robot({ name: long(256) }), 'spec.name', '255', 'both'),
  refused(
    'an object whose name is none of a robot',
    robot({}, 'a--b'),
    'spec.name',
    "the name of the object cannot be a robot's name",
    'server',
  ),
  refused(
    'a name that is too long with its project',
    robot({ project: long(128), name: long(127) }),
    'spec.name',
    'project and name together may have 254 characters at most',
    'server',
  ),
  refused(
    'an object whose name is too long with its project',
    robot({ project: long(128) }, long(127)),
    'spec.name',
    'project and name together may have 254',
    'server',
  ),
];

const projects: readonly Bad[] = [
  ...['Payments', '-a', 'a-', 'a___b', 'a..b', 'a/b', 'a b', 'a:b', '*', ''].map(project =>
    refused(
      `project ${JSON.stringify(project)}`,
      robot({ project }),
      'spec.project',
      'must be what a registry takes as a project',
      'both',
    ),
  ),
  ...['**', 'a*', 'A', 'a/b'].map(name =>
    refused(
      `projects: ${JSON.stringify(name)}`,
      systemRobot({ name }),
      'spec.projects[0].name',
      'or * for every project',
      'both',
    ),
  ),
  refused(
    'project together with projects',
    robot({ projects: [{ name: 'shop' }] }),
    'spec',
    'exactly one of project (a project robot) and projects (a system robot)',
    'server',
  ),
  refused('no project at all', robot({ project: undefined }), 'spec', 'exactly one of project', 'server'),
  refused('projects without any', systemRobot(), 'spec.projects', 'at least 1', 'both'),
  refused('a project twice', systemRobot({ name: 'a' }, { name: 'a', ...pull }), 'spec.projects[1]', 'Dupl', 'server'),
  refused('a project without a name', systemRobot(pull), 'spec.projects[0].name', 'Required value', 'both'),
  refused(
    '101 projects',
    systemRobot(...Array.from({ length: 101 }, (_, n) => ({ name: `p${n}` }))),
    'spec.projects',
    '100',
    'both',
  ),
];

const permissions: readonly Bad[] = [
  refused(
    'a permission that is none of the ten',
    robot({ permissions: ['PullArtifacts', 'Everything'] }),
    'spec.permissions[1]',
    'supported values: "PushArtifacts", "PullArtifacts"',
    'both',
  ),
  refused(
    'a permission in other letters',
    systemRobot({ name: 'a', permissions: ['pullartifacts'] }),
    'spec.projects[0].permissions[0]',
    'supported values',
    'both',
  ),
  refused('no permission at all', robot({ permissions: [] }), 'spec.permissions', 'at least 1', 'both'),
  refused(
    'a permission twice',
    robot({ permissions: ['PullArtifacts', 'PullArtifacts'] }),
    'spec.permissions[1]',
    'Duplicate value',
    'server',
  ),
  refused(
    'a push without a pull',
    robot({ permissions: ['PushArtifacts'] }),
    'spec.permissions',
    'PushArtifacts needs PullArtifacts as well',
    'server',
  ),
  refused(
    'a push without a pull in one of several projects',
    systemRobot({ name: 'a' }, { name: 'b', permissions: ['PushArtifacts', 'CreateTag'] }),
    'spec.projects[1].permissions',
    'PushArtifacts needs PullArtifacts as well',
    'server',
  ),
  refused(
    'permissions beside projects',
    robot({ project: undefined, projects: [{ name: 'a' }], ...pull }),
    'spec.permissions',
    'with projects, permissions stand at each project',
    'server',
  ),
];

export const badRobots: readonly Bad[] = [
  refused('no issuer', robot({ issuerRef: undefined }), 'spec.issuerRef', 'Required value', 'both'),
  refused(
    'a kind of issuer of a later version',
    robot({ issuerRef: { kind: 'TokenIssuer', name: 'x' } }),
    'spec.issuerRef.kind',
    'supported values: "ClusterTokenIssuer"',
    'both',
  ),
  refused(
    'an issuer whose name is none',
    robot({ issuerRef: { kind: 'ClusterTokenIssuer', name: 'A' } }),
    'spec.issuerRef.name',
    'must be the name of a Kubernetes object',
    'both',
  ),
  refused('a description of 513 characters', robot({ description: long(513) }), 'spec.description', '512', 'both'),
  refused('disabled as a text', robot({ disabled: 'true' }), 'spec.disabled', 'must be of type boolean', 'both'),
  refused('an adoption by force', robot({ adoptionPolicy: 'Force' }), 'spec.adoptionPolicy', 'supported', 'both'),
  refused('a deletion of nothing', robot({ deletionPolicy: 'Keep' }), 'spec.deletionPolicy', 'supported', 'both'),
  refused(
    'a restart of what does not roll',
    robot({ restart: [{ kind: 'Job', name: 'web' }] }),
    'spec.restart[0].kind',
    'supported values',
    'both',
  ),
  refused('revoked, as a token', robot({ revoked: true }), 'spec.revoked', 'unknown field', 'server'),
  ...names,
  ...projects,
  ...permissions,
];
