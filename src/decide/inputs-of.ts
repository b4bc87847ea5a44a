import type { BotToken } from '../api/bot-token.ts';
import { timestamp } from '../api/conditions.ts';
import type { Inputs } from '../api/inputs.ts';
import type { Step } from './credential-seen.ts';
import { renderingOf } from './secret-metadata.ts';
import { endOf, wholeSeconds } from './times.ts';

/** What a credential is made from, as it will be recorded; its digest is known once it is rendered. */
export function inputsOf(token: BotToken, step: Step & { do: 'issue' }, by: { keyID: string; now: Date }): Inputs {
  const { wish, overlapSeconds, replaces } = step;
  const { username, issuer, botUser, expiresIn, audiencesDefaulted, notAfter, rotate, replace } = wish;
  const issuedAt = wholeSeconds(by.now);
  const expiresAt = endOf(issuedAt, expiresIn, notAfter);
  return {
    format: 1,
    username,
    issuer,
    botUser,
    expiresIn,
    issuedAt: timestamp(issuedAt),
    ...(expiresAt === undefined ? {} : { expiresAt: timestamp(expiresAt) }),
    audiences: [...wish.audiences],
    ...(audiencesDefaulted ? { audiencesDefaulted } : {}),
    scopes: [...wish.scopes],
    identities: [...wish.identities],
    keyID: by.keyID,
    ...(notAfter === undefined ? {} : { notAfter }),
    handled: { ...(rotate === undefined ? {} : { rotate }), ...(replace === undefined ? {} : { replace }) },
    ...(overlapSeconds === undefined ? {} : { overlapSeconds }),
    replaces,
    secret: renderingOf(token),
    digest: '',
  };
}
