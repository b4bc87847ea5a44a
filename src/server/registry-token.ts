import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Clock } from '../base/clock.ts';
import type { Retry } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Counter, Metrics } from '../base/metrics.ts';
import type { Account } from '../issuers/registry/account.ts';
import { type LogIn, LogIns } from '../issuers/registry/log-ins.ts';
import { type Access, grantedAccess, scopeText } from '../issuers/registry/scopes.ts';
import type { RegistrySigner } from '../issuers/registry/signer.ts';
import { TooManyChecks } from '../issuers/registry/slow-hash.ts';
import { canSign, signRegistryToken } from '../issuers/registry/token.ts';
import { VerifierKeyMissing, type Verifiers } from '../issuers/registry/verifiers.ts';
import { type Answer, json, mostCacheAgeMilliseconds, send } from './answer.ts';
import { Attempts } from './attempts.ts';
import { type Refused, refusal } from './refusals.ts';
import {
  parseTokenRequest,
  type ShownCredential,
  type TokenEndpointRequest,
  type TokenRequest,
} from './registry-token-request.ts';

/** What is read of an issuer. */
export interface RegistryIssuer {
  name: string;
  /** The registry's options `service` and `issuer`. */
  service: string;
  issuer: string;
  tokenLifetimeSeconds: number;
  anonymousProjects: readonly string[];
}

export interface RegistryTokenDeps {
  /** `unreadable`: it is there, or may be, in a form that this version does not know. */
  issuers: { byName(name: string): RegistryIssuer | 'unreadable' | undefined };
  accounts: { byName(issuer: string, fullName: string): Account | 'unreadable' | undefined };
  /** Undefined while the issuer has none that can be used. */
  signers: { of(issuer: string): RegistrySigner | undefined };
  verifiers: Verifiers;
  /** An account was given a token: for `lastUsed`. In the path of the token, so it only takes a note. */
  used(account: Account, at: Date): void;
  /** Milliseconds since every cache that is read here was last proven complete; Infinity before that. */
  cachesAge(): number;
  clock: Clock;
  log: Log;
  metrics: Metrics;
}

/** Serves the token endpoint of every `registry` issuer: `/registry/<name>/token`, GET with Basic and POST (OAuth2). */
export function registryTokenEndpoint(app: FastifyInstance, deps: RegistryTokenDeps): void {
  const endpoint = new TokenEndpoint(deps);
  app.register((scope, _, done) => {
    // The body stays text: what it has to be is decided where the method is known.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, parsed) => parsed(null, body));
    scope.all<{ Params: { name: string } }>('/registry/:name/token', async (request, reply) =>
      send(reply, await endpoint.answer(request.params.name, requestOf(request))),
    );
    done();
  });
}

class TokenEndpoint {
  readonly #deps: RegistryTokenDeps;
  readonly #attempts = new Attempts();
  readonly #logIns: LogIns;
  readonly #requests: Counter<'issuer' | 'result'>;
  readonly #accesses: Counter<'issuer' | 'action'>;

  constructor(deps: RegistryTokenDeps) {
    this.#deps = deps;
    this.#logIns = new LogIns(deps.verifiers);
    this.#requests = deps.metrics.counter(
      'botmint_registry_token_requests_total',
      'Requests for registry tokens by issuer and result.',
      ['issuer', 'result'],
    );
    this.#accesses = deps.metrics.counter(
      'botmint_registry_accesses_total',
      'Accesses to repositories that were put into tokens, by issuer and action.',
      ['issuer', 'action'],
    );
  }

  async answer(name: string, request: TokenEndpointRequest): Promise<Answer> {
    const issuer = this.#deps.issuers.byName(name);
    const outcome = await this.#outcome(issuer, request);
    const result = 'answer' in outcome ? outcome.result : outcome.error;
    // Under no name that somebody has made up.
    if (issuer !== undefined) this.#requests.inc({ issuer: name, result });
    if ('answer' in outcome) return outcome.answer;
    return refusal(outcome, issuer === 'unreadable' ? undefined : issuer);
  }

  async #outcome(issuer: RegistryIssuer | 'unreadable' | undefined, request: TokenEndpointRequest): Promise<Outcome> {
    // Even "no such issuer" is an answer from the caches.
    if (this.#deps.cachesAge() > mostCacheAgeMilliseconds) return unavailable('the caches are too old');
    if (issuer === 'unreadable') return unavailable('the issuer cannot be read');
    if (issuer === undefined) return { error: 'not_found', says: 'no issuer has this name' };
    const parsed = parseTokenRequest(request);
    if ('error' in parsed) return parsed;
    if (parsed.service !== undefined && parsed.service !== issuer.service) {
      const says = `this issuer is for the service ${issuer.service}: spec.registry.service has to be what the registry has as auth.token.service`;
      return { error: 'invalid_request', says };
    }
    const { credential } = parsed;
    if (credential === undefined) return this.#issued(issuer, parsed, undefined);
    const account = await this.#authenticated(issuer, credential, request.address);
    return 'error' in account ? account : this.#issued(issuer, parsed, account);
  }

  async #authenticated(
    issuer: RegistryIssuer,
    { username, secret }: ShownCredential,
    address: string,
  ): Promise<Account | Refused> {
    const { accounts, clock } = this.#deps;
    const account = accounts.byName(issuer.name, username);
    if (account === 'unreadable') return unavailable('the robot account cannot be read');
    const name = `${issuer.name} ${username}`;
    const limit = this.#attempts.limit(name, address, clock.monotonic());
    try {
      return admission(await this.#logIns.logIn({ name, account, secret }, { limit, now: clock.now() }));
    } catch (error) {
      if (!(error instanceof TooManyChecks || error instanceof VerifierKeyMissing)) throw error;
      return unavailable(error.message, error.retry);
    }
  }

  /** What is asked for and not allowed is left out of the token, and the registry says so to its client. */
  async #issued(issuer: RegistryIssuer, request: TokenRequest, account: Account | undefined): Promise<Outcome> {
    const { clock, signers, log } = this.#deps;
    const now = clock.now();
    const signer = signers.of(issuer.name);
    if (signer === undefined || !canSign(signer, now)) {
      log.error({ issuer: issuer.name }, 'registry token not signed: no valid key');
      return unavailable('the issuer has no valid signing key');
    }
    const requester = account === undefined ? anonymous : { anonymous: false as const, grants: account.grants };
    const access = grantedAccess(request.scopes, requester, issuer.anonymousProjects);
    const of = {
      issuer: issuer.issuer,
      service: issuer.service,
      subject: account?.fullName ?? '',
      access,
      lifetimeSeconds: issuer.tokenLifetimeSeconds,
    };
    const { token, issuedAt, expiresInSeconds } = await signRegistryToken(signer, of, now);
    this.#count(issuer, access);
    if (account !== undefined) this.#deps.used(account, now);
    const answer = json(200, {
      // Older clients look for the one, newer ones for the other.
      token,
      access_token: token,
      expires_in: expiresInSeconds,
      issued_at: issuedAt.toISOString(),
      ...(request.form === 'post' ? { token_type: 'Bearer', scope: scopeText(access) } : {}),
    });
    return { result: account === undefined ? 'anonymous' : 'issued', answer };
  }

  #count(issuer: RegistryIssuer, access: readonly Access[]): void {
    for (const action of access.flatMap(({ actions }) => actions)) {
      this.#accesses.inc({ issuer: issuer.name, action });
    }
  }
}

const anonymous = { anonymous: true } as const;

type Outcome = { result: 'issued' | 'anonymous'; answer: Answer } | Refused;

function admission(seen: LogIn): Account | Refused {
  switch (seen.result) {
    case 'ok':
      return seen.account;
    case 'limited':
      return { error: 'too_many_requests', says: 'too many attempts', retryAfterSeconds: seen.retryAfterSeconds };
    case 'refused':
      return { error: 'invalid_grant', says: 'unknown robot account or wrong secret' };
    case 'disabled':
    case 'expired':
      return { error: 'invalid_grant', says: `the robot account is ${seen.result}` };
  }
}

function unavailable(says: string, retry?: Retry): Refused {
  const retryAfterSeconds = retry?.kind === 'after' ? retry.seconds : undefined;
  return { error: 'temporarily_unavailable', says, retryAfterSeconds };
}

function requestOf({ method, url, headers, body, ip }: FastifyRequest): TokenEndpointRequest {
  const question = url.indexOf('?');
  const search = question === -1 ? '' : url.slice(question);
  return { method, search, headers, body: typeof body === 'string' ? body : '', address: ip };
}
