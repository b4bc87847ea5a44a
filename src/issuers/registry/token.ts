import { randomUUID } from 'node:crypto';
import type { Access } from './scopes.ts';
import type { RegistrySigner } from './signer.ts';

/** Clients take a shorter life for this one, and would go on using a token that has ended (distribution's token spec). */
const leastLifetimeSeconds = 60;

/** What a registry reads in a token (docs/content/spec/auth/jwt.md). Of these, 2.8 demands that `aud` is a string and `exp` a whole number. */
export interface RegistryClaims {
  iss: string;
  /** The account's full name; empty for anonymous access. */
  sub: string;
  aud: string;
  exp: number;
  nbf: number;
  iat: number;
  jti: string;
  access: readonly Access[];
}

/** What a token is made of. */
export interface RegistryToken {
  /** The registry's `issuer` and `service` options. */
  issuer: string;
  service: string;
  subject: string;
  access: readonly Access[];
  lifetimeSeconds: number;
}

export interface SignedToken {
  token: string;
  issuedAt: Date;
  expiresInSeconds: number;
}

/** Whether a registry would take a token that is signed now for as long as clients expect to use one. */
export function canSign({ validFrom, validTo }: RegistrySigner, now: Date): boolean {
  return validFrom <= now && validTo.getTime() - now.getTime() >= leastLifetimeSeconds * 1000;
}

/**
 * Signs an access token, which ends with the signer's certificate at the latest. It can be used until its end, whatever happens to the account: its life
 * is what bounds that.
 */
export async function signRegistryToken(
  signer: RegistrySigner,
  of: RegistryToken,
  now: Date,
  id: () => string = randomUUID,
): Promise<SignedToken> {
  const { lifetimeSeconds } = of;
  if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds < leastLifetimeSeconds) {
    throw new RangeError(`a registry token lives at least ${leastLifetimeSeconds} s`);
  }
  const iat = Math.floor(now.getTime() / 1000);
  const exp = Math.min(iat + lifetimeSeconds, Math.floor(signer.validTo.getTime() / 1000));
  const claims: RegistryClaims = {
    iss: of.issuer,
    sub: of.subject,
    aud: of.service,
    exp,
    nbf: iat,
    iat,
    jti: id(),
    access: of.access,
  };
  return { token: await signer.sign(claims), issuedAt: new Date(iat * 1000), expiresInSeconds: exp - iat };
}
