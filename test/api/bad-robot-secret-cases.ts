// RobotAccounts whose secret is wrong: its life, where it comes from and where it goes.
import { type Bad, noTimes, refused, robot } from './sample.ts';

const valueFrom = (name: string, key = 'password') => ({ valueFrom: { secretKeyRef: { name, key } } });

const lives: readonly Bad[] = [
  ...['24h', '60m', '1s', '0d', '-1', '30', 'Never', '1.5d', ''].map(expiresIn =>
    refused(
      `expiresIn: ${JSON.stringify(expiresIn)}`,
      robot({ expiresIn }),
      'spec.expiresIn',
      'must be whole days or months of 30 days, such as 90d or 12mo; or never',
      'both',
    ),
  ),
  refused('expiresIn left out', robot({ expiresIn: undefined }), 'spec.expiresIn', 'Required value', 'both'),
  refused('notAfter as a life', robot({ notAfter: '90d' }), 'spec.notAfter', 'date-time', 'both'),
  ...noTimes.map(notAfter => refused(`notAfter ${notAfter}`, robot({ notAfter }), 'spec.notAfter', '[Zz]', 'both')),
  refused(
    'rotation of what never ends',
    robot({ expiresIn: 'never', rotation: {} }),
    'spec.rotation',
    'a secret that never expires cannot be rotated',
    'server',
  ),
  refused(
    'renewBefore above half',
    robot({ expiresIn: '2d', rotation: { renewBefore: '25h' } }),
    'spec.rotation.renewBefore',
    'at most half of expiresIn',
    'server',
  ),
  refused(
    'an overlap longer than the life',
    robot({ expiresIn: '1d', rotation: { overlap: '25h' } }),
    'spec.rotation.overlap',
    'no secret outlives its own end',
    'server',
  ),
  ...['renewBefore', 'overlap'].map(field =>
    refused(
      `${field}: never`,
      robot({ rotation: { [field]: 'never' } }),
      `spec.rotation.${field}`,
      'must be a whole number and one unit',
      'both',
    ),
  ),
];

const secrets: readonly Bad[] = [
  refused(
    'rotation of an own secret',
    robot({ rotation: {}, secret: valueFrom('own') }),
    'spec.rotation',
    'rotation and secret.valueFrom exclude each other',
    'server',
  ),
  refused(
    'an own secret out of the Secret that is written',
    robot({ secret: { name: 'same', ...valueFrom('same') } }),
    'spec.secret.valueFrom',
    'must not read the Secret that is written',
    'server',
  ),
  refused(
    'an own secret out of the Secret that is written, by default',
    robot({ secret: valueFrom('sample') }),
    'spec.secret.valueFrom',
    'must not read the Secret that is written',
    'server',
  ),
  refused(
    'an own secret from nowhere',
    robot({ secret: { valueFrom: {} } }),
    'spec.secret.valueFrom.secretKeyRef',
    'Required value',
    'both',
  ),
  refused(
    'an own secret out of no Secret',
    robot({ secret: valueFrom('') }),
    'spec.secret.valueFrom.secretKeyRef.name',
    'must be the name of a Kubernetes object',
    'both',
  ),
  refused(
    'an own secret under no key',
    robot({ secret: valueFrom('own', '') }),
    'spec.secret.valueFrom.secretKeyRef.key',
    'must be a key that a Secret can have',
    'both',
  ),
  refused(
    'an own secret in plain text',
    robot({ secret: { value: 'Abcdefg1' } }),
    'spec.secret.value',
    'unknown field',
    'server',
  ),
  ...(
    [
      ['spec.secret.data[0].template', { key: 'a', template: '$(token)$(port)' }, 'unknown placeholder $(port)'],
      ['spec.secret.data[0]', { key: 'a', template: '$(token)', format: 'JSON' }, 'exactly one of template and format'],
      ['spec.secret.data', { key: 'a', template: '$(username)' }, 'no key holds the secret'],
    ] as const
  ).map(([field, entry, message]) =>
    refused(`${message} in ${field}`, robot({ secret: { type: 'Opaque', data: [entry] } }), field, message, 'server'),
  ),
  refused(
    'a label of Kubernetes',
    robot({ secret: { labels: { 'app.kubernetes.io/name': 'x' } } }),
    'spec.secret.labels',
    'the prefix is reserved',
    'server',
  ),
  refused(
    'an annotation of Flux',
    robot({ secret: { annotations: { 'kustomize.toolkit.fluxcd.io/prune': 'x' } } }),
    'spec.secret.annotations',
    'the prefix is reserved',
    'server',
  ),
  refused(
    'keys of its own in an image pull secret',
    robot({ secret: { data: [{ key: 'password', template: '$(token)' }] } }),
    'spec.secret.data',
    'needs the key .dockerconfigjson: add it, or set another type',
    'server',
  ),
  ...(
    [
      ['the bare secret', { template: '$(token)' }],
      ['text before the JSON', { template: 'x {"auths": {"r.example": {"password": "$(token)"}}}' }],
      ['a list', { template: '["$(token)"]' }],
      ['an export file', { format: 'JSON' }],
      ['a .netrc', { format: 'Netrc' }],
    ] as const
  ).map(([what, entry]) =>
    refused(
      `${what} as an image pull secret`,
      robot({ secret: { data: [{ key: '.dockerconfigjson', ...entry }] } }),
      'spec.secret.data',
      'holds a JSON object: set format: DockerConfigJSON',
      'server',
    ),
  ),
];

const copies: readonly Bad[] = [
  refused(
    'copies to nowhere',
    robot({ secret: { copies: { imagePullSecretsOf: ['default'] } } }),
    'spec.secret.copies.namespaceSelector',
    'Required value',
    'both',
  ),
  refused(
    'copies to a label that cannot be',
    robot({ secret: { copies: { namespaceSelector: { matchLabels: { 'a b': 'c' } } } } }),
    'spec.secret.copies.namespaceSelector.matchLabels',
    'must be a name of at most 63',
    'server',
  ),
  refused(
    'a ServiceAccount whose name is none',
    robot({ secret: { copies: { namespaceSelector: {}, imagePullSecretsOf: ['A'] } } }),
    'spec.secret.copies.imagePullSecretsOf[0]',
    'must be the name of a Kubernetes object',
    'both',
  ),
  refused(
    'image pull secrets of another type',
    robot({
      secret: {
        type: 'Opaque',
        data: [{ key: 'a', template: '$(token)' }],
        copies: { namespaceSelector: {}, imagePullSecretsOf: ['default'] },
      },
    }),
    'spec.secret.copies.imagePullSecretsOf',
    'with Secrets of type kubernetes.io/dockerconfigjson only',
    'server',
  ),
];

export const badRobotSecrets: readonly Bad[] = [...lives, ...secrets, ...copies];
