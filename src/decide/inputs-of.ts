import { timestamp } from '../api/conditions.ts';
import type { Credentialed } from '../api/credentialed.ts';
import type { RobotInputs, TokenInputs } from '../api/inputs.ts';
import type { RobotAccount } from '../api/robot-account.ts';
import type { Step } from './credential-seen.ts';
import { createdAtOf } from './robot-account.ts';
import { renderingOf } from './secret-metadata.ts';
import { endOf, wholeSeconds } from './times.ts';

type Issue = Step & { do: 'issue' };

/** What a token is made from, as it will be recorded; its digest is known once it is rendered. */
export function tokenInputsOf(object: Credentialed, step: Issue, by: { keyID: string; now: Date }): TokenInputs {
  const { wish } = step;
  if (wish.robot !== undefined) throw new TypeError('the wish of a robot is for no token');
  const { botUser, audiencesDefaulted } = wish;
  return {
    ...commonInputsOf(object, step, by.now),
    botUser,
    audiences: [...wish.audiences],
    ...(audiencesDefaulted ? { audiencesDefaulted } : {}),
    scopes: [...wish.scopes],
    identities: [...wish.identities],
    keyID: by.keyID,
  };
}

/** The same of a robot's secret. */
export function robotInputsOf(
  object: Credentialed,
  step: Issue,
  by: { id: number; verifier: string; verifierKey?: number | undefined; now: Date },
): RobotInputs {
  const { wish } = step;
  if (wish.robot === undefined) throw new TypeError('the wish of a token is for no robot');
  const { host, source } = wish.robot;
  const common = commonInputsOf(object, step, by.now);
  const createdAt = createdAtOf(object as RobotAccount, wish.issuer) ?? common.issuedAt; // the wish says that it is one
  const robot = { id: by.id, createdAt, ...(source === undefined ? {} : { source }), ...verifierOf(by) };
  return { ...common, host, robot };
}

/** A verifier with the number of its key. */
export function verifierOf({ verifier, verifierKey }: { verifier: string; verifierKey?: number | undefined }) {
  return { verifier, ...(verifierKey === undefined ? {} : { verifierKey }) };
}

function commonInputsOf(object: Credentialed, { wish, overlapSeconds, replaces }: Issue, now: Date) {
  const { username, issuer, expiresIn, notAfter, rotate, replace } = wish;
  const issuedAt = wholeSeconds(now);
  const expiresAt = endOf(issuedAt, expiresIn, notAfter);
  return {
    format: 1 as const,
    username,
    issuer,
    expiresIn,
    issuedAt: timestamp(issuedAt),
    ...(expiresAt === undefined ? {} : { expiresAt: timestamp(expiresAt) }),
    ...(notAfter === undefined ? {} : { notAfter }),
    handled: { ...(rotate === undefined ? {} : { rotate }), ...(replace === undefined ? {} : { replace }) },
    ...(overlapSeconds === undefined ? {} : { overlapSeconds }),
    replaces,
    secret: renderingOf(object),
    digest: '',
  };
}
