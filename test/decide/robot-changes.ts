import { replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import * as robots from './robots.ts';

const robot = robots.withSpec;
const robotSecret = (change: object) => robot({ secret: { ...robots.served.spec.secret, ...change } });
const asked = (annotations: Record<string, string>) => ({
  ...robots.served,
  metadata: { ...robots.served.metadata, annotations },
});
const hub = (change: object) => {
  const { registry: issuer } = robots;
  return { ...issuer, spec: { ...issuer.spec, registry: { ...issuer.spec.registry, ...change } } };
};
const { project = '', permissions = [], rotation: _, ...bare } = robots.served.spec;

/** A robot of two projects, which is in one of them no more. */
const fewerProjects = (): Partial<robots.Situation> => {
  const pull = ['PullArtifacts' as const];
  const before = robots.madeFrom({ username: 'robot_ci' }, { ...robots.served, spec: { ...bare, projects: [] } });
  const status = ['payments', 'shop'].map(name => ({ project: name, permissions: pull }));
  const spec = { ...bare, projects: [{ name: 'shop', permissions: pull }] };
  return { ...before, robot: { ...before.robot, spec, status: { ...before.robot.status, permissions: status } } };
};

const own = { name: 'own', key: 'secret' };
const source = { state: 'found', uid: 'source-uid', resourceVersion: '5', broken: [] } as const;
const recordedSource = { ...own, uid: source.uid, resourceVersion: source.resourceVersion };
/** A robot with a secret of its own, which has not changed since. */
export const withOwn = (): Partial<robots.Situation> & { robot: RobotAccount } => {
  const spec = { ...bare, project, permissions, secret: { ...bare.secret, valueFrom: { secretKeyRef: own } } };
  const made = robots.madeFrom(
    { robot: { ...robots.inputs.robot, source: recordedSource } },
    { ...robots.served, spec },
  );
  return { ...made, source };
};

const ownAsked = (annotations: Record<string, string>): Partial<robots.Situation> => {
  const given = withOwn();
  return { ...given, robot: { ...given.robot, metadata: { ...given.robot.metadata, annotations } } };
};

/** What a row of the table in docs/lifecycle.md does to the healthy robot. */
export const robotChanges: { [row: string]: Partial<robots.Situation> } = {
  'RobotAccount `spec.permissions`: more, or fewer': { robot: robot({ permissions: ['PullArtifacts'] }) },
  'RobotAccount `spec.permissions`: another order': {
    robot: robot({ permissions: ['PullArtifacts', 'PushArtifacts'] }),
  },
  'RobotAccount `spec.projects`: one more, one less, or other permissions in one': fewerProjects(),
  'RobotAccount `spec.disabled`: true, or false again': { robot: robot({ disabled: true }) },
  'RobotAccount `spec.expiresIn`: longer, shorter, or `never`: counted from the issue of the secret': {
    robot: robot({ expiresIn: '91d' }),
  },
  'RobotAccount `spec.expiresIn`: so short that the end has passed, with `spec.rotation`': {
    robot: robot({ expiresIn: '10d' }),
  },
  'RobotAccount `spec.expiresIn`: the same in another unit': { robot: robot({ expiresIn: '3mo' }) },
  'RobotAccount `spec.notAfter`: any that has not passed': { robot: robot({ notAfter: '2027-01-01T00:00:00Z' }) },
  'RobotAccount `spec.notAfter`: one that has passed': { robot: robot({ notAfter: '2026-11-30T00:00:00Z' }) },
  'RobotAccount `spec.description`: any': { robot: robot({ description: 'another' }) },
  'RobotAccount `spec.deletionPolicy`: any': { robot: robot({ deletionPolicy: 'Retain' }) },
  'RobotAccount `spec.adoptionPolicy`: Adopt, which a registry cannot': { robot: robot({ adoptionPolicy: 'Adopt' }) },
  'RobotAccount `spec.rotation`: any: it counts from the next issue': {
    robot: robot({ rotation: { renewBefore: '20d', overlap: '1d' } }),
  },
  'RobotAccount `spec.restart`: any: it counts from the next issue': {
    robot: robot({ restart: [{ kind: 'Deployment', name: 'web' }] }),
  },
  'RobotAccount `spec.secret.data`: any': {
    robot: robotSecret({ data: [...robots.inputs.secret.data, { key: 'export.json', format: 'JSON' }] }),
  },
  'RobotAccount `spec.secret.labels`: any': { robot: robotSecret({ labels: { team: 'b' } }) },
  'RobotAccount `spec.secret.annotations`: any': { robot: robotSecret({ annotations: { note: 'x' } }) },
  'RobotAccount `spec.secret.onLost`: any': { robot: robotSecret({ onLost: 'Stall' }) },
  'RobotAccount `spec.secret.copies`: any: [copies](copies.md) come and go': {
    robot: robotSecret({ copies: { namespaceSelector: {} } }),
  },
  'RobotAccount `spec.secret.valueFrom`: set, or another one, or another value in it': {
    ...withOwn(),
    source: { ...source, resourceVersion: '6' },
  },
  'RobotAccount `spec.secret.valueFrom`: its Secret is written again with the same value, or the value is in another one':
    {
      ...withOwn(),
      source: { ...source, resourceVersion: '6', sameAs: robots.tokenID },
    },
  'RobotAccount `spec.secret.valueFrom`: taken out': {
    ...withOwn(),
    robot: { ...withOwn().robot, spec: robots.served.spec },
  },
  'RobotAccount `spec.secret.valueFrom`: its Secret is gone': {
    ...withOwn(),
    source: { state: 'absent', what: 'secret' },
  },
  'RobotAccount annotation `botmint.dev/rotate`: a new value': { robot: asked({ [rotateAnnotation]: '1' }) },
  'RobotAccount annotation `botmint.dev/replace`: a new value': { robot: asked({ [replaceAnnotation]: '1' }) },
  'RobotAccount annotation `botmint.dev/rotate`: a new value, with an own secret: the same one once more, with a life of its own':
    ownAsked({ [rotateAnnotation]: '1' }),
  'RobotAccount annotation `botmint.dev/replace`: a new value, and the Secret of the own secret still holds the present one':
    ownAsked({ [replaceAnnotation]: '1' }),
  'RobotAccount annotation `botmint.dev/rotate`: taken off': robots.madeFrom({ handled: { rotate: '1' } }),
  'ClusterTokenIssuer `spec.registry.host`: any': { issuer: hub({ host: 'other.example.com' }) },
  'ClusterTokenIssuer `spec.registry.service`: any: the registry must be told as well': {
    issuer: hub({ service: 'other' }),
  },
  'ClusterTokenIssuer `spec.registry.issuer`: any: the registry must be told as well': {
    issuer: hub({ issuer: 'other' }),
  },
  'ClusterTokenIssuer `spec.registry.tokenLifetime`: any: it counts from the next login': {
    issuer: hub({ tokenLifetime: '1h' }),
  },
  'ClusterTokenIssuer `spec.registry.anonymous`: any': { issuer: hub({ anonymous: { projects: ['shop'] } }) },
  'ClusterTokenIssuer `spec.limits`: lower than what a robot has: the next wish is refused': {
    issuer: { ...robots.registry, spec: { ...robots.registry.spec, limits: { usernames: ['*'] } } },
  },
};
