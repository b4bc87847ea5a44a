import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { botTokenKind } from '../../src/api/bot-token.ts';
import { clusterTokenIssuerKind, issuerSpec, issuerTypes } from '../../src/api/cluster-token-issuer.ts';
import { type CRD, crdOf } from '../../src/api/crd.ts';
import { robotAccountKind } from '../../src/api/robot-account.ts';
import { type Structural, structural } from '../../src/api/structural.ts';
import { type Answer, eventually, sharedCluster } from '../cluster/cluster.ts';
import { issuer, jwt, robot, token } from './sample.ts';

// In a group of its own, so that the other tests keep the CRDs that they have.
const group = 'upgrade.example.com';
const cluster = sharedCluster();
const finalizer = 'upgrade.example.com/revoke';
let namespace = '';
beforeAll(async () => {
  namespace = await cluster.namespace();
});
const installed: string[] = [];
afterAll(async () => {
  const api = await cluster.api();
  await Promise.all(installed.map(name => api.delete(`${crdPath}/${name}`)));
});

const crdPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const current = crdOf(botTokenKind);
const ready = {
  type: 'Ready',
  status: 'True',
  reason: 'Issued',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  observedGeneration: 1,
};
const issued = { inputs: { format: 1, any: { thing: [] } }, secret: { name: 'a', uid: 'b' } };

describe('a BotToken', () => {
  test('lives through an upgrade that adds fields, and back', async () => {
    const previous = changed(
      current,
      spec => {
        delete spec.properties?.rotation;
        spec['x-kubernetes-validations'] =
          spec['x-kubernetes-validations']?.filter(({ rule }) => !rule.includes('rotation')) ?? [];
      },
      status => delete status.properties?.issued,
    );
    const kind = new Installed(previous, `namespaces/${namespace}/`);
    await kind.serve(previous, token({ rotation: {} }).object, 'refused');
    await kind.create('old', token().object.spec);

    await kind.serve(current, token({ rotation: {} }).object, 'accepted');
    await kind.create('new', token({ rotation: { renewBefore: '10d' } }).object.spec);
    for (const name of ['old', 'new']) {
      await kind.patch(name, { metadata: { finalizers: [finalizer] } });
      await kind.patch(`${name}/status`, { status: { revision: 1, issued, conditions: [ready] } });
    }
    expect(await kind.get('old')).toMatchObject({ spec: token().object.spec, status: { issued } });

    await kind.serve(previous, token({ rotation: {} }).object, 'refused');
    expect(await kind.get('new')).not.toHaveProperty('spec.rotation');
    for (const name of ['old', 'new']) await kind.goes(name);
  });

  test('of a newer version can still be let go', async () => {
    const next = changed(current, spec => {
      const { botUserRef, secret } = spec.properties ?? {};
      Object.assign(botUserRef?.properties ?? {}, { namespace: { type: 'string', maxLength: 63 } });
      Object.assign(secret?.properties?.data?.items?.properties?.format ?? {}, { enum: ['JSON', 'Pgpass'] });
    });
    const pgpass = { botUserRef: { name: 'a', namespace: 'b' }, secret: { data: [{ key: 'a', format: 'Pgpass' }] } };
    const kind = new Installed(next, `namespaces/${namespace}/`);
    await kind.serve(next, token(pgpass).object, 'accepted');
    await kind.create('newer', token(pgpass).object.spec);
    await kind.patch('newer', { metadata: { finalizers: [finalizer] } });

    await kind.serve(current, token(pgpass).object, 'refused');
    await kind.goes('newer');
  });
});

describe('a RobotAccount', () => {
  test('of a newer version can still be let go', async () => {
    const older = crdOf(robotAccountKind);
    const next = changed(older, ({ properties: { issuerRef, permissions, secret } = {} }) => {
      Object.assign(issuerRef?.properties?.kind ?? {}, { enum: ['ClusterTokenIssuer', 'TokenIssuer'] });
      Object.assign(permissions?.items ?? {}, { enum: ['PullArtifacts', 'ReadSignatures'] });
      Object.assign(secret?.properties?.data?.items?.properties?.format ?? {}, {
        enum: ['DockerConfigJSON', 'Pgpass'],
      });
    });
    const data = [
      { key: '.dockerconfigjson', format: 'DockerConfigJSON' },
      { key: 'a', format: 'Pgpass' },
    ];
    const object = robot({
      issuerRef: { kind: 'TokenIssuer', name: 'registry' },
      permissions: ['PullArtifacts', 'ReadSignatures'],
      secret: { data },
    }).object;
    const kind = new Installed(next, `namespaces/${namespace}/`);
    await kind.serve(next, object, 'accepted');
    await kind.create('newer', object.spec);
    await kind.patch('newer', { metadata: { finalizers: [finalizer] } });

    await kind.serve(older, object, 'refused');
    const inForce = [{ project: 'payments', permissions: ['ReadSignatures'] }];
    await kind.patch('newer/status', { status: { id: 1, fullName: 'robot_payments+newer', permissions: inForce } });
    await kind.goes('newer');
  });
});

describe('a ClusterTokenIssuer', () => {
  test('of a type of a newer version can still be let go, and changes no type', async () => {
    const quay = { schema: z.object({ service: z.string().max(253).describe('-') }).describe('-'), limits: [] };
    const spec = issuerSpec({ ...issuerTypes, quay });
    const older = crdOf(clusterTokenIssuerKind);
    const newer = changed(older, before => Object.assign(before, structural(spec)));
    const object = issuer({ jwt: undefined, quay: { service: 'r' } }).object;
    const kind = new Installed(older, '');
    await kind.serve(newer, object, 'accepted');
    await kind.create('quay', object.spec);
    await kind.patch('quay', { metadata: { finalizers: [finalizer] } });
    const withJWT = { spec: { jwt, quay: null } };
    await expect(kind.patch('quay', withJWT)).rejects.toThrow('the type of an issuer is immutable');

    await kind.serve(older, object, 'refused');
    await expect(kind.patch('quay', withJWT)).rejects.toThrow('the type of an issuer is immutable');
    await kind.goes('quay');
  });
});

/** A kind in the versions that a test gives it, one after the other, and its objects. */
class Installed {
  readonly #name: string;
  readonly #path: string;
  readonly #kind: string;

  constructor({ metadata, spec }: CRD, scope: string) {
    const plural = metadata.name.split('.')[0] ?? '';
    this.#name = `${plural}.${group}`;
    this.#path = `/apis/${group}/v1alpha1/${scope}${plural}`;
    this.#kind = z.object({ kind: z.string() }).parse(spec.names).kind;
    installed.push(this.#name);
  }

  /** Applies a version, and waits until the API server judges an object by it. */
  async serve(crd: CRD, probe: object, verdict: 'accepted' | 'refused'): Promise<void> {
    const own = { ...crd, metadata: { name: this.#name }, spec: { ...crd.spec, group, names: names(crd) } };
    const headers = { 'content-type': 'application/apply-patch+yaml' };
    const api = await cluster.api();
    const path = `${crdPath}/${this.#name}?fieldManager=test&force=true`;
    expect((await api.call(path, { method: 'PATCH', body: own, headers })).status).toBeLessThan(300);
    const expected = verdict === 'accepted' ? [201] : [400, 422];
    await eventually(`the new version of ${this.#name}`, async () =>
      expected.includes((await this.#post('probe', probe, 'fieldValidation=Strict&dryRun=All')).status),
    );
  }

  async create(name: string, spec: object): Promise<void> {
    expect(await this.#post(name, { spec }, '')).toMatchObject({ status: 201 });
  }

  async patch(name: string, body: object): Promise<object> {
    return (await cluster.api()).patch(`${this.#path}/${name}`, body);
  }

  async get(name: string): Promise<object | undefined> {
    return (await cluster.api()).get(`${this.#path}/${name}`);
  }

  /** What the operator does with an object at its end: its status can be written, and its finalizer goes. */
  async goes(name: string): Promise<void> {
    await this.patch(`${name}/status`, { status: { conditions: [{ ...ready, reason: 'Revoked' }] } });
    await (await cluster.api()).delete(`${this.#path}/${name}`);
    await this.patch(`${name}/status`, { status: { observedGeneration: 2 } });
    await this.patch(name, { metadata: { finalizers: [] } });
    expect(await this.get(name)).toBeUndefined();
  }

  async #post(name: string, object: object, query: string): Promise<Answer> {
    const body = { ...object, apiVersion: `${group}/v1alpha1`, kind: this.#kind, metadata: { name } };
    return (await cluster.api()).call(`${this.#path}?${query}`, { method: 'POST', body });
  }
}

/** Short names and the category belong to the real kinds. */
function names({ spec }: CRD): object {
  return { ...spec.names, shortNames: [], categories: [] };
}

function changed(
  crd: CRD,
  spec: (schema: Structural) => void,
  status: (schema: Structural) => void = () => undefined,
): CRD {
  const copy = structuredClone(crd);
  const { properties = {} } = copy.spec.versions[0].schema.openAPIV3Schema;
  if (properties.spec) spec(properties.spec);
  if (properties.status) status(properties.status);
  return copy;
}
