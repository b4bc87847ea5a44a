// RobotAccounts that are right.
import { permissions } from '../../src/api/permissions.ts';
import { type Good, long, robot, says, systemRobot } from './sample.ts';

const own = { valueFrom: { secretKeyRef: { name: 'own', key: 'password' } } };
const data = [{ key: 'password', template: '$(token)' }];

export const goodRobots: readonly Good[] = [
  says('with nothing but what is required', robot()),
  ...permissions
    .filter(word => word !== 'PushArtifacts')
    .map(word => says(`that may ${word} alone`, robot({ permissions: [word] }))),
  says('that may push and pull', robot({ permissions: ['PushArtifacts', 'PullArtifacts'] })),
  says('that may do everything', robot({ permissions: [...permissions] })),
  ...['1d', '90d', '12mo', '99999d', 'never'].map(expiresIn => says(`expiresIn: ${expiresIn}`, robot({ expiresIn }))),
  ...['a', 'ci-push', 'a.b_c-1', '1'].map(name => says(`named ${name}`, robot({ name }))),
  says('with a name of its own, because the name of the object is none', robot({ name: 'ci' }, 'a.b--c')),
  ...['a', 'my--team', 'a__b', 'a.b', long(248)].map(project =>
    says(`in project ${project.slice(0, 20)}`, robot({ project })),
  ),
  says('of two projects', systemRobot({ name: 'payments', permissions: ['PullArtifacts'] }, { name: 'shop' })),
  says('of every project', systemRobot({ name: '*', permissions: ['PullArtifacts'] })),
  says(
    'of a hundred projects',
    systemRobot(...Array.from({ length: 100 }, (_, n) => ({ name: `p${n}`, permissions: [...permissions] }))),
  ),
  says('with an end', robot({ disabled: true, notAfter: '2027-06-30T00:00:00Z', description: long(512) })),
  says('rotated with an overlap', robot({ rotation: { renewBefore: '45d', overlap: '1d' } })),
  says('that restarts who reads the Secret', robot({ restart: [{ kind: 'Deployment', name: 'web' }] })),
  says('with an own secret', robot({ secret: own })),
  says('with an own secret in a Secret of another name', robot({ secret: { ...own, name: 'out' } }, 'own')),
  says('with every policy', robot({ adoptionPolicy: 'Adopt', deletionPolicy: 'Retain' })),
  says('without an image pull secret', robot({ secret: { type: 'Opaque', data } })),
  says(
    'with every format',
    robot({
      secret: {
        data: [
          { key: '.dockerconfigjson', format: 'DockerConfigJSON' },
          { key: '.netrc', format: 'Netrc' },
          { key: '.npmrc', format: 'Npmrc' },
          { key: 'robot.json', format: 'JSON' },
          { key: 'login', template: 'docker login -u $(username) -p $(token) $(host)' },
        ],
      },
    }),
  ),
  says(
    'copied to other namespaces and their ServiceAccounts',
    robot({
      secret: { copies: { namespaceSelector: { matchLabels: { team: 'payments' } }, imagePullSecretsOf: ['default'] } },
    }),
  ),
  says('copied to all namespaces', robot({ secret: { copies: { namespaceSelector: {} } } })),
  says('copied, and for nobody', robot({ secret: { copies: { namespaceSelector: {}, imagePullSecretsOf: [] } } })),
];
