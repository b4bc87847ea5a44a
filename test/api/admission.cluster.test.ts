import { beforeAll, describe, expect, test } from 'vitest';
import { sharedCluster } from '../cluster/cluster.ts';
import { bad } from './bad-cases.ts';
import { good } from './good-cases.ts';
import { refusal, renamed, Samples } from './on-server.ts';
import { bot, type Good, issuer, registryIssuer, robot, token } from './sample.ts';

const cluster = sharedCluster();
let samples: Samples;
beforeAll(async () => {
  samples = new Samples(cluster, await cluster.namespace());
});

describe('the API server accepts', () => {
  test.each(good.map(sample => [sample.says, sample] as const))('%s', async (_, sample) => {
    const answer = await samples.judge(sample);
    expect(answer.body).toMatchObject({ kind: sample.object.kind });
    expect(answer.headers.warning).toBeUndefined();
  });
});

describe('the API server refuses', () => {
  test.each(bad.map(sample => [sample.says, sample.field, sample] as const))(
    '%s, and says so at %s',
    async (_, __, sample) => {
      const answer = await samples.judge(sample);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      const { message, details } = refusal.parse(answer.body);
      expect(message).toContain(sample.message);
      // Fields that nobody knows are named in the message alone.
      const fields = details?.causes.map(({ field }) => field) ?? [];
      expect([...fields, ...(message.includes(`"${sample.field}"`) ? [sample.field] : [])]).toContain(sample.field);
    },
  );

  test('and says everything that is wrong in one answer, and nothing else', async () => {
    const sample = token({
      expiresIn: '10x',
      rotation: { renewBefore: '1y' },
      secret: { data: [{ key: '..', template: '$(x)' }] },
    });
    const { details } = refusal.parse((await samples.judge(sample)).body);
    expect(details?.causes.map(({ field }) => field).toSorted()).toEqual([
      'spec.expiresIn',
      'spec.rotation.renewBefore',
      'spec.secret.data',
      'spec.secret.data[0].key',
      'spec.secret.data[0].template',
    ]);
  });
});

describe('what is left out is filled in', () => {
  test.each<[string, Good, object]>([
    [
      'a BotToken',
      token(),
      { spec: { secret: { type: 'Opaque', data: [{ key: 'BUF_TOKEN', template: '$(token)' }] } } },
    ],
    [
      'a part of its Secret',
      token({ secret: { name: 'x' } }),
      { spec: { secret: { name: 'x', type: 'Opaque', data: [{ key: 'BUF_TOKEN' }] } } },
    ],
    [
      'a RobotAccount',
      robot(),
      {
        spec: {
          adoptionPolicy: 'Refuse',
          deletionPolicy: 'Delete',
          secret: {
            type: 'kubernetes.io/dockerconfigjson',
            data: [{ key: '.dockerconfigjson', format: 'DockerConfigJSON' }],
          },
        },
      },
    ],
    ['a registry', registryIssuer(), { spec: { registry: { robotPrefix: 'robot_', tokenLifetime: '5m' } } }],
    ['a BotUser', bot(), { spec: { issuerRef: { kind: 'ClusterTokenIssuer', name: 'builtin' } } }],
    [
      'an issuer',
      issuer(),
      {
        spec: {
          jwt: { algorithm: 'ES256', keyRotation: '90d', keyActivationDelay: '20m' },
          allowedNamespaces: { from: 'None' },
          limits: {},
        },
      },
    ],
  ])('of %s', async (_, sample, expected) => {
    const named = renamed(sample);
    const answer = await samples.create(named);
    expect(answer.body).toMatchObject({ ...expected, status: { observedGeneration: -1 } });
    expect(named.kind.parse(answer.body)).toMatchObject({ ...expected, status: { observedGeneration: -1 } });
    await samples.remove(named);
  });
});
