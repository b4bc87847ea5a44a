import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, sharedCluster } from '../cluster/cluster.ts';
import { refusal, renamed, Samples } from './on-server.ts';
import { bot, type Good, issuer, jwt, registryIssuer, revocation, robot, systemRobot, token } from './sample.ts';

const cluster = sharedCluster();
let samples: Samples;
beforeAll(async () => {
  samples = new Samples(cluster, await cluster.namespace());
});

describe('an update', () => {
  const other = { ...jwt, issuerURL: 'https://other.example.com' };

  test.each<[string, Good, object, string, string]>([
    ['of botUserRef', token(), { botUserRef: { name: 'other' } }, 'spec.botUserRef', 'botUserRef is immutable'],
    [
      'of the name of the Secret',
      token({ secret: { name: 'a' } }),
      { secret: { name: 'b' } },
      'spec.secret.name',
      'is immutable',
    ],
    [
      'that takes the name of the Secret away',
      token({ secret: { name: 'a' } }),
      { secret: null },
      'spec.secret.name',
      'is immutable',
    ],
    [
      'that gives the Secret another name than its default',
      token(),
      { secret: { name: 'b' } },
      'spec.secret.name',
      'is immutable',
    ],
    [
      'of the type of the Secret',
      token(),
      { secret: { type: 'kubernetes.io/basic-auth', data: [{ key: 'password', template: '$(token)' }] } },
      'spec.secret.type',
      'is immutable, as it is in Kubernetes',
    ],
    [
      'of revoked to false',
      token({ revoked: true }),
      { revoked: false },
      'spec.revoked',
      'a revoked token stays revoked',
    ],
    [
      'that takes revoked away',
      token({ revoked: true }),
      { revoked: null },
      'spec.revoked',
      'a revoked token stays revoked',
    ],
    ['of issuerRef', bot(), { issuerRef: { name: 'other' } }, 'spec.issuerRef', 'issuerRef is immutable'],
    [
      'of the username',
      bot({ username: 'a' }),
      { username: 'b' },
      'spec.username',
      'the username (spec.username, or the name of the object) is immutable',
    ],
    ['that takes the username away', bot({ username: 'a' }), { username: null }, 'spec.username', 'is immutable'],
    ['that gives another username than the default', bot(), { username: 'b' }, 'spec.username', 'is immutable'],
    ['of issuerRef of a robot', robot(), { issuerRef: { name: 'other' } }, 'spec.issuerRef', 'issuerRef is immutable'],
    ['of its name', robot({ name: 'a' }), { name: 'b' }, 'spec.name', "the robot's name (spec.name"],
    ['that takes its name away', robot({ name: 'a' }), { name: null }, 'spec.name', 'is immutable'],
    ['of its project', robot(), { project: 'b' }, 'spec.project', 'cannot be transferred to another project'],
    [
      'that makes a system robot of a project robot',
      robot(),
      { project: null, projects: [{ name: 'payments' }] },
      'spec.project',
      'cannot be transferred to another project',
    ],
    [
      'of the name of its Secret',
      robot(),
      { secret: { name: 'b' } },
      'spec.secret.name',
      'is immutable: make a new RobotAccount',
    ],
    [
      'of the type of its Secret',
      robot(),
      { secret: { type: 'Opaque' } },
      'spec.secret.type',
      'is immutable, as it is in Kubernetes: make a new RobotAccount',
    ],
    ['of robotPrefix', registryIssuer(), { registry: { robotPrefix: 'r_' } }, 'spec.registry.robotPrefix', 'immutable'],
    [
      'of the type of an issuer',
      issuer(),
      { jwt: null, registry: { service: 'a', issuer: 'b', host: 'c' } },
      'spec',
      'the type of an issuer is immutable',
    ],
    ['of issuerURL', issuer(), { jwt: other }, 'spec.jwt.issuerURL', 'issuerURL is immutable'],
    ['that takes the type of an issuer away', issuer(), { jwt: null }, 'spec', 'the type of an issuer is immutable'],
    ['of what a Revocation is for', revocation(), { owner: { name: 'other' } }, 'spec.owner', 'owner is immutable'],
    ['of its cluster', revocation(), { clusterID: 'other' }, 'spec.clusterID', 'clusterID is immutable'],
    ['of its issuer', revocation(), { issuer: { uid: 'other' } }, 'spec.issuer', 'issuer is immutable'],
    [
      'that takes a credential away',
      revocation(),
      { credentials: [{ tokenID: 'owner-uid.2.x' }] },
      'spec.credentials',
      'credentials may be added, none may be taken away',
    ],
    [
      'that brings the end of a Revocation forward',
      revocation({ notAfter: '2027-01-30T00:00:00Z' }),
      { notAfter: '2027-01-29T23:59:59Z' },
      'spec.notAfter',
      'notAfter may be put off, never brought forward',
    ],
    [
      'that gives an end to one that has none',
      revocation(),
      { notAfter: '2027-01-30T00:00:00Z' },
      'spec.notAfter',
      'notAfter may be put off, never brought forward',
    ],
  ])('%s is refused', async (_, sample, spec, field, message) => {
    const answer = await updated(sample, spec);
    expect(answer.status).toBe(422);
    const body = refusal.parse(answer.body);
    expect(body.message).toContain(message);
    expect(body.details?.causes.map(cause => cause.field)).toContain(field);
  });

  test.each<[string, Good, object]>([
    [
      'of all else in a BotToken',
      token(),
      {
        label: 'x',
        expiresIn: '1h',
        audiences: ['a'],
        scopes: ['b'],
        rotation: {},
        secret: { data: [{ key: 'a', format: 'JSON' }], labels: { a: 'b' } },
      },
    ],
    ['that revokes', token(), { revoked: true }],
    [
      'of all else in a robot',
      robot(),
      {
        permissions: ['PullArtifacts'],
        description: 'x',
        expiresIn: 'never',
        notAfter: '2027-01-30T00:00:00Z',
        disabled: true,
        adoptionPolicy: 'Adopt',
        deletionPolicy: 'Retain',
        secret: {
          data: [{ key: '.dockerconfigjson', format: 'DockerConfigJSON' }],
          valueFrom: { secretKeyRef: { name: 'own', key: 'a' } },
          copies: { namespaceSelector: {} },
        },
      },
    ],
    ['that gives a system robot other projects', systemRobot({ name: 'a' }), { projects: [{ name: '*' }] }],
    ["that spells out a robot's name", robot({}, 'spelled'), { name: 'spelled' }],
    [
      'of all else in a registry',
      registryIssuer(),
      { registry: { service: 'b', issuer: 'c', host: 'd', tokenLifetime: '1h', anonymous: { projects: ['a'] } } },
    ],
    ['that spells out the name of the Secret', token({}, 'spelled'), { secret: { name: 'spelled' } }],
    ['of all else in a BotUser', bot(), { description: 'x', identities: [{ service: 'a', id: 'b' }] }],
    ['that spells out the username', bot({}, 'spelled'), { username: 'spelled' }],
    [
      'of all else in an issuer',
      issuer(),
      {
        jwt: { audiences: ['b'], algorithm: 'EdDSA' },
        allowedNamespaces: { from: 'All' },
        limits: { maxLifetime: '1d' },
      },
    ],
    [
      'that adds credentials, and puts off the end',
      revocation({ notAfter: '2027-01-30T00:00:00+01:00' }),
      { credentials: [{ tokenID: 'owner-uid.1.x' }, { tokenID: 'owner-uid.2.x' }], notAfter: '2027-01-30T00:00:00Z' },
    ],
  ])('%s is accepted', async (_, sample, spec) => {
    const answer = await updated(sample, spec);
    expect(answer.body).toMatchObject({ spec });
  });
});

/** Stores a sample, under a name of its own unless the test gave it one, merges a change into its spec and takes it away. */
async function updated(sample: Good, spec: object): Promise<Answer> {
  const stored = sample.object.metadata.name === 'sample' ? renamed(sample) : sample;
  expect((await samples.create(stored)).status).toBe(201);
  const answer = await samples.change(stored, spec);
  await samples.remove(stored);
  return answer;
}
