import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { Metrics } from '../../src/base/metrics.ts';
import type { SecretValue } from '../../src/base/secret-value.ts';
import { SecretValue as Value } from '../../src/base/secret-value.ts';
import { HandOver } from '../../src/controllers/hand-over.ts';
import { ensureInstallation } from '../../src/controllers/installation.ts';
import { RobotAccounts } from '../../src/controllers/robot-accounts.ts';
import { RobotIDs } from '../../src/controllers/robot-ids.ts';
import { VerifierKeys } from '../../src/controllers/verifier-keys.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import { accountOf } from '../../src/issuers/registry/live.ts';
import { LogIns } from '../../src/issuers/registry/log-ins.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { clientFor } from '../kube/follower.ts';
import { silent } from '../kube/local-server.ts';
import { RegistryPlace } from './registry-place.ts';

const cluster = sharedCluster();
const signal = AbortSignal.timeout(600_000);
/** A key for verifiers, as it is written into the operator's Secret. */
export const newKey = () => randomBytes(32).toString('base64');

/** An issuer, and replicas that know its robots and the operator's keys. */
export async function installed() {
  const place = await RegistryPlace.make();
  const { api, namespace } = place;
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const { client } = clientFor(cluster.kubeconfigPath);
  const installation = await ensureInstallation(client, namespace, 4, signal);
  const edit = (data: object) => api.patch(`${path}/botmint-operator`, { data });
  const replica = async (o: { follows?: boolean; ahead?: number } = {}) => {
    const { caches } = await place.replica();
    const clock = place.calendar;
    const { verifierKeys: keys, digestKey } = await ensureInstallation(client, namespace, 4, signal);
    const around = { client, namespace, secrets: caches.secrets, clock, log: silent };
    const verifierKeys = new VerifierKeys({ ...around, keys, knownAheadMilliseconds: o.ahead ?? 0 });
    let changes = 0;
    verifierKeys.onChange(() => changes++);
    const world = { caches, client, clock, metrics: tokenMetrics(new Metrics()), report: () => {} };
    const ids = new RobotIDs({ client, namespace });
    const { verifiers } = verifierKeys;
    const robots = new RobotAccounts(world, {
      statusLists: { seen: () => 'retired', write: async () => {} } as never, // robots are in none
      handOver: new HandOver(world, { namespace, clusterID: installation.clusterID }),
      digestKey,
      verifiers,
      refreshKeys: stopping => verifierKeys.refresh(stopping),
      takeID: issuer => ids.take(issuer, () => [], signal),
    });
    const follow = async () => {
      const stopping = new AbortController();
      const running = verifierKeys.run(stopping.signal);
      onTestFinished(async () => {
        stopping.abort();
        await running;
      });
    };
    if (o.follows !== false) await follow();
    const robot = (name: string) => caches.robots.get(`${namespace}/${name}`);
    const reconcile = async (name: string) => {
      await eventually(`the cache has ${name}`, () => robot(name));
      await robots.reconcile(`${namespace}/${name}`, signal);
    };
    const enter = async (name: string, shown: SecretValue) => {
      const seen = await eventually(`the cache has ${name}`, () => robot(name));
      const account = accountOf(seen, place, caches.secrets.get(`${namespace}/${name}`));
      const limit = { take: () => undefined, giveBack: () => {} };
      const attempt = { name: 'hub robot', account, secret: shown };
      return (await new LogIns(verifiers).logIn(attempt, { limit, now: clock.now() })).result;
    };
    return { caches, verifierKeys, verifiers, follow, reconcile, robot, enter, changes: () => changes };
  };
  return { place, edit, replica, path };
}

const Robot = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  status: z.looseObject({
    tokenID: z.string(),
    revision: z.number(),
    issued: z.looseObject({ inputs: z.looseObject({ robot: z.looseObject({ verifier: z.string() }) }) }),
  }),
});

/** A robot as it is made, and as the API server has it. */
export async function robotOf({ place }: Awaited<ReturnType<typeof installed>>, name: string, own?: string) {
  const { api, namespace } = place;
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/robotaccounts`;
  const secretPath = `/api/v1/namespaces/${namespace}/secrets`;
  const source = { metadata: { name: `${name}-source` }, stringData: { password: own } };
  if (own !== undefined) await api.create(secretPath, { apiVersion: 'v1', kind: 'Secret', ...source });
  const valueFrom = { secretKeyRef: { name: `${name}-source`, key: 'password' } };
  const spec = {
    issuerRef: { kind: 'ClusterTokenIssuer', name: place.name },
    project: 'shop',
    permissions: ['PullArtifacts'],
    expiresIn: 'never',
    secret: { type: 'Opaque', data: [{ key: 'token', template: '$(token)' }], ...(own && { valueFrom }) },
  };
  await api.create(path, { apiVersion: 'botmint.dev/v1alpha1', kind: 'RobotAccount', metadata: { name }, spec });
  onTestFinished(() =>
    api.patch(`${path}/${name}`, { metadata: { finalizers: null } }).then(
      () => {},
      () => {},
    ),
  );
  const object = async () => Robot.parse(await api.get(`${path}/${name}`));
  const secret = async () => {
    const { data } = z
      .looseObject({ data: z.object({ token: z.string() }) })
      .parse(await api.get(`${secretPath}/${name}`));
    return new Value(Buffer.from(data.token, 'base64').toString());
  };
  const verifier = async () => (await object()).status.issued.inputs.robot.verifier;
  return { object, secret, verifier };
}
