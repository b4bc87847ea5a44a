import { z } from 'zod';
import { SecretValue } from '../../src/base/secret-value.ts';
import { eventually } from '../cluster/wait.ts';
import type { SeenRequest } from '../faults/proxy.ts';
import { registryIssuer, robotAccount } from './manifests.ts';
import { OwnRegistryIssuer, robotPath } from './own-registry-issuer.ts';
import { type Judge, ownSecretName } from './runs.ts';
import type { Scenario } from './scenarios.ts';
import type { Site } from './site.ts';

// What users do with robots, for runs in which the operator is killed or disturbed in the middle. All have one issuer; who gets in is asked
// at the token endpoint of the running operator.

const issuer = 'robots';
const name = 'robot';
const day = 24 * 3600 * 1000;
const hub = (site: Site) => OwnRegistryIssuer.of(site, issuer);
/** No two runs have a robot of one full name. */
const nameIn = (namespace: string) => `ci-${namespace}`;
const usernameIn = (namespace: string) => `robot_shop+${nameIn(namespace)}`;
const secretPath = (namespace: string, of = name) => `/api/v1/namespaces/${namespace}/secrets/${of}`;

async function withIssuer(site: Site): Promise<void> {
  const limits = { usernames: ['*'], projects: ['*'], permissions: ['PushArtifacts', 'PullArtifacts'] };
  await site.apply(registryIssuer(issuer, { limits }), '');
  await hub(site).says('KeysPublished');
}

const apply = (site: Site, namespace: string, spec: object = {}) =>
  site.apply(robotAccount(name, issuer, { name: nameIn(namespace), ...spec }), namespace);

/** A robot as it is before something is done with it. */
const served =
  (spec: object = {}) =>
  async (site: Site, namespace: string): Promise<void> => {
    await withIssuer(site);
    await apply(site, namespace, spec);
    await site.ready('robotaccounts', namespace, name, 'Issued');
  };

const edit = (spec: object) => (site: Site, namespace: string) => site.api.patch(robotPath(namespace, name), { spec });
const annotate = (annotation: string) => (site: Site, namespace: string) =>
  site.api.patch(robotPath(namespace, name), { metadata: { annotations: { [`botmint.dev/${annotation}`]: 'now' } } });
const says = (reason: string) => async (site: Site, namespace: string) => {
  await site.ready('robotaccounts', namespace, name, reason);
};

/** Waits until this revision, or a later one, is recorded and in force. */
const isAt = (least: number) => async (site: Site, namespace: string) => {
  const revision = async () => (await hub(site).status(namespace, name)).revision ?? 0;
  await eventually(`revision ${least} is recorded`, async () => (await revision()) >= least);
  await site.ready('robotaccounts', namespace, name, 'Issued');
};

/** Waits until what the Secret holds lets in so far. */
const reaches = (wanted: readonly string[]) => async (site: Site, namespace: string) => {
  await eventually('the permissions are in force', async () => {
    const { permissions = [] } = await hub(site).status(namespace, name);
    return permissions.flatMap(each => each.permissions).join() === wanted.join();
  });
  await site.ready('robotaccounts', namespace, name, 'Issued');
};

const isGone = async (site: Site, namespace: string) => {
  await eventually('the robot is gone', async () => (await site.robot(namespace, name)) === undefined);
  await eventually('its Secret is gone', async () => (await site.secret(namespace, name)) === undefined);
};

// An own secret ------------------------------------------------------------------------------------------------------

const encoded = (value: string) => ({ secret: Buffer.from(value).toString('base64') });
const fromMine = {
  type: 'kubernetes.io/dockerconfigjson',
  valueFrom: { secretKeyRef: { name: ownSecretName, key: 'secret' } },
};

async function bring(site: Site, namespace: string): Promise<void> {
  const metadata = { name: ownSecretName };
  await site.api.create(`/api/v1/namespaces/${namespace}/secrets`, { metadata, data: encoded('Own-secret-1') });
  await served({ secret: fromMine })(site, namespace);
}

/** No watch covers it: it is looked at with the robot, which is touched here so that nobody waits. */
async function bringAnother(site: Site, namespace: string): Promise<void> {
  await site.api.patch(secretPath(namespace, ownSecretName), { data: encoded('Own-secret-2') });
  await annotate('looked-at')(site, namespace);
}

// Who judges ---------------------------------------------------------------------------------------------------------

const Body = z.object({ data: z.record(z.string(), z.string().nullable()) });

function secretsIn({ resource, body }: SeenRequest): string[] {
  if (resource !== 'secrets' || !body.includes('"data"')) return [];
  return Object.values(Body.parse(JSON.parse(body)).data).flatMap(value => {
    const held = passwordIn(value === null ? '' : Buffer.from(value, 'base64').toString());
    return held === undefined ? [] : [held];
  });
}

function passwordIn(text: string): string | undefined {
  return /"password":"([^"]+)"/.exec(text)?.[1];
}

async function letsIn(site: Site, secret: string, _: Scenario, namespace: string): Promise<boolean> {
  const login = { username: usernameIn(namespace), secret: new SecretValue(secret) };
  const answer = await eventually(
    'an answer to the attempt',
    async () => {
      const { status, text } = await hub(site).ask({ login });
      // Many secrets that have had their day are shown from one address; and a busy operator may not know for a moment.
      if (status !== 429 && status !== 503) return { status, text };
      throw new Error(`it answers ${status}`);
    },
    { everyMilliseconds: 500 },
  );
  if (![200, 401].includes(answer.status)) throw new Error(`the endpoint answered ${answer.status}: ${answer.text}`);
  return answer.status === 200;
}

export const robotJudge: Judge = {
  resource: 'robotaccounts',
  name,
  minted: (_, namespace, requests) => [
    ...new Set(requests.filter(request => request.namespace === namespace).flatMap(secretsIn)),
  ],
  isLive: letsIn,
  held: values => passwordIn(values['.dockerconfigjson'] ?? ''),
  leave: async (site, namespace) => {
    await site.api.delete(robotPath(namespace, name));
    await isGone(site, namespace);
  },
};

const overlapping = { rotation: { overlap: '10d' } };

const scenarios: readonly Omit<Scenario, 'judge'>[] = [
  { name: 'create', prepare: withIssuer, act: apply, settled: says('Issued'), live: 1, issues: 1 },
  {
    name: 'take permissions away',
    prepare: served(),
    act: edit({ permissions: ['PullArtifacts'] }),
    settled: reaches(['PullArtifacts']),
    live: 1,
    issues: 1,
  },
  {
    name: 'ask for more than the ceiling',
    prepare: served(),
    act: edit({ permissions: ['PullArtifacts', 'DeleteArtifacts'] }),
    settled: says('ExceedsIssuerLimit'),
    live: 1,
    issues: 1,
  },
  {
    name: 'move the end',
    prepare: served(),
    act: edit({ expiresIn: '60d', notAfter: '2099-01-01T00:00:00Z' }),
    settled: async (site, namespace) => {
      const lasts = async () => {
        const { issuedAt = '', expiresAt = '' } = await hub(site).status(namespace, name);
        return Date.parse(expiresAt) - Date.parse(issuedAt) === 60 * day;
      };
      await eventually('the end is moved', lasts);
      await site.ready('robotaccounts', namespace, name, 'Issued');
    },
    live: 1,
    // The same secret, written a second time.
    issues: 2,
  },
  { name: 'rotate', prepare: served(), act: annotate('rotate'), settled: isAt(2), live: 1, issues: 2 },
  {
    name: 'rotate with overlap',
    prepare: served(overlapping),
    act: annotate('rotate'),
    settled: isAt(2),
    live: 2,
    issues: 2,
  },
  {
    name: 'replace',
    // What was promised an overlap ends as well.
    prepare: async (site, namespace) => {
      await served(overlapping)(site, namespace);
      await annotate('rotate')(site, namespace);
      await isAt(2)(site, namespace);
    },
    act: annotate('replace'),
    settled: isAt(3),
    live: 1,
    issues: 3,
  },
  {
    name: 'lose the Secret',
    prepare: served(),
    act: (site, namespace) => site.api.delete(secretPath(namespace)),
    settled: isAt(2),
    live: 1,
    issues: 2,
  },
  {
    name: 'disable',
    prepare: served(),
    act: edit({ disabled: true }),
    settled: says('Disabled'),
    live: 0,
    keepsSecret: true,
    issues: 1,
  },
  { name: 'change an own secret', prepare: bring, act: bringAnother, settled: isAt(2), live: 1, issues: 2 },
  {
    name: 'delete',
    prepare: served(),
    act: (site, namespace) => site.api.delete(robotPath(namespace, name)),
    settled: isGone,
    live: 0,
    issues: 1,
  },
  {
    name: 'renew',
    prepare: served({ expiresIn: '30d', ...overlapping }),
    clockOffsetMilliseconds: 25 * day,
    act: async () => undefined,
    settled: isAt(2),
    live: 2,
    issues: 2,
  },
];

export const robotScenarios: readonly Scenario[] = scenarios.map(scenario => ({ ...scenario, judge: robotJudge }));
