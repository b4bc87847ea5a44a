import { isDeepStrictEqual } from 'node:util';
import type { ClusterTokenIssuer, IssuerOf } from '../../../src/api/cluster-token-issuer.ts';
import { isOfType } from '../../../src/api/cluster-token-issuer.ts';
import { type Inputs, parseInputsText } from '../../../src/api/inputs.ts';
import { inputsAnnotation, tokenIDAnnotation } from '../../../src/api/names.ts';
import type { RobotAccount } from '../../../src/api/robot-account.ts';
import { commonEvents, type Users } from '../credential/events.ts';
import type { Event, Manifests } from '../credential/kind.ts';
import { type Source, type Surroundings, sources, touched } from './source.ts';
import { anotherKey, firstKey, newestOf, nextKey } from './verifying.ts';

type World = Users<RobotAccount, Surroundings>;

/** Everything that can happen to the objects of a robot, by name. */
export function eventsOf(manifests: Manifests<RobotAccount, Surroundings>): {
  readonly [name: string]: Event<RobotAccount, Surroundings>;
} {
  const [manifest] = manifests.objects;
  const { secret } = manifest.spec;
  return {
    ...commonEvents(manifests, 'robot'),
    'gives it more': world => world.changeSpec({ permissions: ['PushArtifacts', 'PullArtifacts', 'DeleteArtifacts'] }),
    'gives it less': world => world.changeSpec({ permissions: ['PullArtifacts'] }),
    'wants a longer life': world => world.changeSpec({ expiresIn: '8d' }),
    'wants a shorter life': world => world.changeSpec({ expiresIn: '2d' }),
    'wants no end': world => world.changeSpec({ expiresIn: 'never' }),
    'sets an end': world => world.changeSpec({ notAfter: '2026-12-03T00:00:00Z' }),
    'disables it': world => world.changeSpec({ disabled: true }),
    'enables it': world => world.object()?.spec.disabled === true && world.changeSpec({ disabled: false }),
    'disables the other robot': world => world.changeSpec({ disabled: true }, 1),
    'brings an own secret': world =>
      world.changeSpec({ secret: { ...secret, valueFrom: { secretKeyRef: { name: 'mine', key: 'secret' } } } }),
    'takes the own secret out': world => world.object()?.spec.secret.valueFrom !== undefined && ownless(world),
    'makes the source': world => changeSource(world, before => before === undefined && sources.first),
    'makes the source anew': world => changeSource(world, before => before === undefined && sources.anew),
    'changes the source': world => changeSource(world, before => before !== undefined && sources.second),
    'touches the source': world => changeSource(world, before => before !== undefined && touched(before)),
    'makes the source weak': world => changeSource(world, before => before !== undefined && sources.weak),
    'takes the key out of the source': world => changeSource(world, before => before !== undefined && sources.keyless),
    'deletes the source': world => changeSource(world, before => before !== undefined && undefined),
    'rotates the key of verifiers': world => changeKeys(world, keys => [...keys, nextKey(keys)]),
    'takes older keys of verifiers away': world => changeKeys(world, keys => [newestOf(keys)]),
    'restores the first key of verifiers': world => changeKeys(world, () => [firstKey]),
    'loses the keys of verifiers': world => changeKeys(world, () => [anotherKey]),
    'lowers the ceiling': world => world.changeIssuer(issuer => withCeiling(issuer, ['PullArtifacts'], 2)),
    'allows nothing any more': world => world.changeIssuer(issuer => withCeiling(issuer, [], 2)),
    'has a low ceiling': world => world.changeIssuer(issuer => withCeiling(issuer, ['PullArtifacts'], 1)),
    'raises the ceiling': world => world.changeIssuer(issuer => withCeiling(issuer, ['*'])),
    'makes the issuer anew': world => world.changeIssuer(madeAnew),
    'makes the issuer anew, which allows less': world =>
      world.changeIssuer(issuer => withCeiling(madeAnew(issuer), ['PullArtifacts'])),
    'moves the registry': world => world.changeIssuer(moved),
    'writes a later end into the Secret': writesLaterEnd,
    'writes the newest source into the Secret': writesNewestSource,
    'lets 30 minutes pass': world => world.passTime(30),
    'lets 2 hours pass': world => world.passTime(2 * 60),
    'lets 3 days pass': world => world.passTime(3 * 24 * 60),
    'lets 5 days pass': world => world.passTime(5 * 24 * 60),
  };
}

/** `false`: there is nothing to do it to. */
function changeSource(world: World, change: (before: Source | undefined) => Source | undefined | false): boolean {
  return world.changeBeside(before => {
    const source = change(before.source);
    return source === false ? undefined : { ...before, source };
  });
}

function changeKeys(world: World, change: (before: Surroundings['keys']) => Surroundings['keys']): boolean {
  return world.changeBeside(before => {
    const keys = change(before.keys);
    return isDeepStrictEqual(keys, before.keys) ? undefined : { ...before, keys };
  });
}

function ownless(world: World): boolean {
  const { valueFrom: _, ...secret } = world.object()?.spec.secret ?? {};
  return world.changeSpec({ secret: secret as RobotAccount['spec']['secret'] });
}

/** `generation`: 1 where it was so from the start, 2 where something was taken away, so that it is known of what is in force. */
function withCeiling(
  issuer: ClusterTokenIssuer,
  permissions: NonNullable<ClusterTokenIssuer['spec']['limits']['permissions']>,
  generation = issuer.metadata.generation ?? 1,
): ClusterTokenIssuer {
  const { spec, metadata } = issuer;
  return {
    ...issuer,
    metadata: { ...metadata, generation },
    spec: { ...spec, limits: { ...spec.limits, permissions } },
  };
}

/** Deleted, whatever it had a finalizer for, and applied again. */
function madeAnew(issuer: ClusterTokenIssuer): ClusterTokenIssuer {
  return { ...issuer, metadata: { ...issuer.metadata, uid: `${issuer.metadata.uid}-anew` } };
}

function moved(issuer: ClusterTokenIssuer): IssuerOf<'registry'> | undefined {
  if (!isOfType(issuer, 'registry')) return undefined;
  return { ...issuer, spec: { ...issuer.spec, registry: { ...issuer.spec.registry, host: 'moved.example.com' } } };
}

/** Whoever may edit the Secret tries to give its robot a longer life. */
function writesLaterEnd(world: World): boolean {
  return forges(world, inputs => ({ ...inputs, expiresIn: '900d', expiresAt: '2029-05-19T00:00:00Z' }));
}

/** The same person tries to keep the secret that is there, whatever its owner brings. What is not recorded yet is recorded as it stands there. */
function writesNewestSource(world: World): boolean {
  const source = world.beside()?.source;
  const tokenID = world.secret()?.metadata.annotations?.[tokenIDAnnotation];
  if (source === undefined || world.object()?.status?.tokenID !== tokenID) return false;
  const { uid, at: resourceVersion } = source;
  return forges(world, ({ robot, ...inputs }) => ({
    ...inputs,
    robot: { ...robot, source: { name: 'mine', key: 'secret', uid, resourceVersion } },
  }));
}

function forges(world: World, forge: (inputs: Inputs) => object): boolean {
  const inputs = parseInputsText(world.secret()?.metadata.annotations?.[inputsAnnotation]);
  if (inputs === undefined) return false;
  return world.patchSecret({ metadata: { annotations: { [inputsAnnotation]: JSON.stringify(forge(inputs)) } } });
}
