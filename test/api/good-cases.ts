// Objects that are right: the real API server (admission.cluster.test.ts) and zod (cases.test.ts) take them.

import { goodRevocations } from './revocation-cases.ts';
import { goodRobots } from './robot-cases.ts';
import {
  bot,
  data,
  type Good,
  holder,
  issuer,
  jwt,
  long,
  registryIssuer,
  says,
  secret,
  selector,
  token,
  url,
} from './sample.ts';

export const good: readonly Good[] = [
  says('a token with nothing but what is required', token()),
  ...['1s', '10m', '1h', '90d', '12mo', '99999d', '999mo', 'never'].map(expiresIn =>
    says(`expiresIn: ${expiresIn}`, token({ expiresIn })),
  ),
  says('rotation with nothing in it', token({ rotation: {} })),
  says('rotation of ten minutes', token({ expiresIn: '10m', rotation: {} })),
  says('renewBefore of exactly half, in another unit', token({ expiresIn: '2d', rotation: { renewBefore: '24h' } })),
  ...['0s', '2d', '90d'].map(overlap => says(`an overlap of ${overlap}`, token({ rotation: { overlap } }))),
  says('a BotUser of another namespace', token({ botUserRef: { name: 'ci', namespace: 'team-b' } })),
  ...['Reissue', 'Stall'].map(onLost => says(`onLost: ${onLost}`, secret({ onLost }))),
  says('a bot with an end', bot({ disabled: true, notAfter: '2027-06-30T00:00:00+02:00' })),
  ...['2027-06-30t00:00:00.5z', '9999-12-31T23:59:59Z', '2027-06-30T00:00:00.123456789-00:00'].map(notAfter =>
    says(`a bot that ends at ${notAfter}`, bot({ notAfter })),
  ),
  ...['Same', 'All'].map(from => says(`a bot for ${from}`, bot({ allowedNamespaces: { from } }))),
  says(
    'a bot for namespaces by label',
    bot({ allowedNamespaces: { from: 'Selector', selector: { matchLabels: { a: 'b' } } } }),
  ),
  says(
    'workloads to restart, two of one name',
    token({
      restart: [
        { kind: 'Deployment', name: 'web' },
        { kind: 'StatefulSet', name: 'web' },
        { kind: 'DaemonSet', name: 'a.b-c' },
      ],
    }),
  ),
  says('nobody to restart', token({ restart: [] })),
  says('revoked from the start', token({ revoked: true })),
  says('a label of 200 characters', token({ label: long(200) })),
  says('audiences and scopes', token({ audiences: ['https://a.example', 'b'], scopes: ['orders:read', 'a/b.c'] })),
  says(
    'every placeholder',
    secret(data({ key: 'all', template: '$(token) $(tokenID) $(username) $(host) $(expiresAt) $x $y (z)' })),
  ),
  says('a token inside of the ready-made JSON alone', secret(data({ key: 'token.json', format: 'JSON' }))),
  ...['.netrc', 'a', 'A_B-c.d', 'x..y', '_'].map(name => says(`key ${name}`, secret(data({ ...holder, key: name })))),
  says(
    'basic-auth with a password',
    secret({ type: 'kubernetes.io/basic-auth', ...data({ key: 'password', template: '$(token)' }) }),
  ),
  says(
    'dockerconfigjson',
    secret({
      type: 'kubernetes.io/dockerconfigjson',
      ...data({ key: '.dockerconfigjson', template: '{"auths":{"r.example":{"password":"$(token)"}}}' }),
    }),
  ),
  says(
    'dockerconfigjson over several lines, beside another key',
    secret({
      type: 'kubernetes.io/dockerconfigjson',
      ...data(
        { key: '.dockerconfigjson', template: '{\n  "auths": {"r.example": {"password": "$(token)"}}\n}\n' },
        { key: 'token', template: '$(token)' },
      ),
    }),
  ),
  says(
    'labels',
    secret({ labels: { team: 'payments', 'example.com/tier': '', 'argocd.argoproj.io/secret-type': 'repository' } }),
  ),
  says('annotations', secret({ annotations: { 'example.com/note': 'anything at all, even: spaces' } })),
  says('a Secret name of several parts', secret({ name: 'a.b-c.d' })),
  says('a bot with nothing in its spec', bot()),
  says('a bot with a username', bot({ username: 'acme-ci' }, 'name.with.dots')),
  says(
    'a bot with identities',
    bot({
      identities: [
        { service: 'github', id: 'acme-ci' },
        { service: 'sap.s4', id: 'X/1@b' },
      ],
    }),
  ),
  says('an issuer that nobody may use yet', issuer()),
  ...[
    'https://t.example',
    'https://t.example:8443',
    'https://t.example/a/b.c',
    'https://10.0.0.1',
    'https://[::1]:8443/x',
  ].map(text => says(`issuerURL ${text}`, url(text))),
  says(
    'key rotation with a delay that is just shorter, in another unit',
    issuer({ jwt: { ...jwt, keyRotation: '1h', keyActivationDelay: '59m' } }),
  ),
  says('the shortest delay', issuer({ jwt: { ...jwt, keyActivationDelay: '10s' } })),
  says('an issuer for all', issuer({ allowedNamespaces: { from: 'All' } })),
  says('an issuer for namespaces by label', selector({ matchLabels: { 'kubernetes.io/metadata.name': 'default' } })),
  says(
    'an issuer for namespaces by expression',
    selector({
      matchExpressions: [
        { key: 'team', operator: 'In', values: ['a', 'b'] },
        { key: 'x/y', operator: 'Exists' },
      ],
    }),
  ),
  says(
    'ceilings',
    issuer({
      limits: {
        maxLifetime: '90d',
        scopes: ['*', 'orders:*', '{namespace}:*'],
        identities: ['*', 'github/acme-*', '*/*'],
      },
    }),
  ),
  says('a registry', registryIssuer()),
  ...['r', 'registry.example.com:5000', '10.0.0.1:80', '[::1]:5000', 'localhost'].map(host =>
    says(`a registry at ${host}`, registryIssuer({ host })),
  ),
  ...['robot$', 'robot_', 'r'].map(robotPrefix =>
    says(`a registry whose robots begin with ${robotPrefix}`, registryIssuer({ robotPrefix })),
  ),
  says(
    'a registry with projects for everybody',
    registryIssuer({ tokenLifetime: '60s', anonymous: { projects: ['public', 'a__b'] } }),
  ),
  ...['24h', '1d', '86400s'].map(tokenLifetime =>
    says(`a registry with tokens of ${tokenLifetime}`, registryIssuer({ tokenLifetime })),
  ),
  says('a registry with nothing for everybody', registryIssuer({ anonymous: {} })),
  says(
    'ceilings of a registry',
    registryIssuer(
      {},
      {
        limits: {
          maxLifetime: '90d',
          usernames: ['*', '{namespace}.*'],
          projects: ['*', '{namespace}', 'shop-*', 'my--team'],
          permissions: ['PullArtifacts', '*'],
        },
      },
    ),
  ),
  says(
    'a token copied to namespaces by expression',
    secret({ copies: { namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] } } }),
  ),
  ...goodRevocations,
  ...goodRobots,
];
