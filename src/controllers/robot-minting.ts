import type { RobotAccount } from '../api/robot-account.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { Refused, Step } from '../decide/credential-seen.ts';
import { robotInputsOf, verifierOf } from '../decide/inputs-of.ts';
import { brokenSource, type SourceAt } from '../decide/own-secret.ts';
import { numberAt, toBeMade } from '../decide/robot-account.ts';
import { generateSecret } from '../issuers/registry/secrets.ts';
import type { Subject, Verifiers } from '../issuers/registry/verifiers.ts';
import { newTokenID } from '../issuers/token-id.ts';
import type { Mint, Remake } from './credential-secret.ts';
import type { RobotSources } from './robot-sources.ts';
import { type Minted, rendered } from './secret-writes.ts';
import type { World } from './world.ts';

export interface RobotMintingOptions {
  world: Pick<World, 'clock'>;
  sources: Pick<RobotSources, 'read'>;
  verifiers: Verifiers;
  digestKey: SecretValue;
  /** A number that no robot of the issuer has had. */
  takeID: (issuer: { name: string; uid: string }, signal: AbortSignal) => Promise<number>;
}

/**
 * How the secrets of robots are made: generated, or read from where their owner has put them, with the verifier that the token
 * server checks them by.
 */
export function robotMinting(o: RobotMintingOptions): Mint<RobotAccount> {
  return async (robot, step, signal) => {
    const { wish } = step;
    if (wish.robot === undefined) throw new TypeError('the wish of a token is for no robot');
    const { source } = wish.robot;
    const secret = source === undefined ? generateSecret() : await ownSecret(o.sources, robot, source, signal);
    if (secret === undefined || 'refused' in secret) return secret;
    const id = numberAt(robot, wish.issuer) ?? (await o.takeID(wish.issuer, signal));
    return minted(robot, step, { secret, isOwn: source !== undefined, id }, o);
  };
}

/** The secret at the very version that was decided about; undefined where there is another one by now. */
async function ownSecret(
  sources: RobotMintingOptions['sources'],
  robot: RobotAccount,
  at: SourceAt,
  signal: AbortSignal,
): Promise<SecretValue | { refused: Refused } | undefined> {
  const read = await sources.read(robot, at, signal);
  if (read === undefined || 'value' in read) return read?.value;
  const message = brokenSource(`the key ${at.key} of Secret ${at.name}`, read.broken);
  return { refused: { operation: 'Write', reason: 'SourceInvalid', message } };
}

async function minted(
  robot: RobotAccount,
  step: Step & { do: 'issue' },
  { secret, isOwn, id }: { secret: SecretValue; isOwn: boolean; id: number },
  { verifiers, digestKey, world }: RobotMintingOptions,
): Promise<Minted> {
  const { revision } = step;
  const subject = { uid: robot.metadata.uid, revision };
  const by = await verifierFor(verifiers, subject, secret, isOwn);
  const inputs = robotInputsOf(robot, step, { id, ...by, now: world.clock.now() });
  return rendered(secret, { revision, tokenID: newTokenID(subject.uid, revision), inputs }, digestKey);
}

async function verifierFor(verifiers: Verifiers, subject: Subject, secret: SecretValue, isOwn: boolean) {
  const verifier = isOwn ? await verifiers.ofOwn(subject, secret) : verifiers.ofGenerated(subject, secret);
  return { verifier, verifierKey: verifiers.numberOf(verifier) };
}

/**
 * How the verifier of a robot is made anew when the operator's key has changed: from the secret that was read back out of its
 * Secret, whose digest was the recorded one. Inputs that have a verifier stay as they are.
 */
export function robotRemaking(verifiers: Verifiers): Remake<RobotAccount> {
  return async ({ metadata: { uid } }, { revision, inputs }, secret) => {
    if (inputs.robot === undefined || inputs.robot.verifier !== toBeMade) return inputs;
    const isOwn = inputs.robot.source !== undefined;
    const by = await verifierFor(verifiers, { uid, revision }, secret, isOwn);
    return { ...inputs, robot: { ...inputs.robot, ...verifierOf(by) } };
  };
}
