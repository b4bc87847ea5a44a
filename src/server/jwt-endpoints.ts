import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ClusterTokenIssuer, IssuerOf } from '../api/cluster-token-issuer.ts';
import { parseDuration } from '../api/durations.ts';
import { BotmintError, retryOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Counter, Metrics } from '../base/metrics.ts';
import { SecretValue } from '../base/secret-value.ts';
import { CallerAccess, type Reviewer } from './access.ts';
import { type Answer, failure, json, mostCacheAgeMilliseconds, send, unavailable } from './answer.ts';
import { type Document, type EndpointRequest, etagOf, methodNotAllowed, published } from './documents.ts';
import { Introspection, type IntrospectionDeps, parseIntrospectionRequest, publishedKeys } from './introspection.ts';
import { endpointPaths, type Route, routeOf } from './issuer-paths.ts';
import { StatusListEndpoints, type StatusListEndpointsDeps } from './status-lists.ts';

/** The longest that a relying party may keep discovery and keys; a key that was stopped verifies for so long where they are kept. */
const longestMaxAgeSeconds = 300;
/** A token with the longest lists of identities, scopes and audiences that the kinds allow must fit. */
const bodyLimit = 128 * 1024;
/** For the reads behind one introspection. */
const deadlineMilliseconds = 5_000;

export interface JWTEndpointsDeps extends IntrospectionDeps, StatusListEndpointsDeps {
  issuers: { values(): Iterable<ClusterTokenIssuer> };
  /** For TokenReview and SubjectAccessReview. */
  reviewer: Reviewer;
  /** Milliseconds since every cache that is read here was last proven complete; Infinity before that. */
  cachesAge(): number;
  log: Log;
  metrics: Metrics;
}

/**
 * Serves discovery, keys, status lists and introspection of every issuer, each below `/issuers/<name>` and below its issuerURL. It takes
 * every path that no other route of the app has, because any path may be that of an issuerURL.
 */
export function jwtEndpoints(app: FastifyInstance, deps: JWTEndpointsDeps): void {
  const endpoints = new Endpoints(deps);
  app.register((scope, _, done) => {
    // The body stays text: which paths take one, and of which type, is decided where the path is known.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit }, (_request, body, parsed) => parsed(null, body));
    scope.all('/*', async (request, reply) => send(reply, await endpoints.answer(requestOf(request))));
    done();
  });
}

class Endpoints {
  readonly #deps: JWTEndpointsDeps;
  readonly #introspection: Introspection;
  readonly #statusLists: StatusListEndpoints;
  readonly #access: CallerAccess;
  readonly #introspections: Counter<'issuer' | 'result'>;

  constructor(deps: JWTEndpointsDeps) {
    this.#deps = deps;
    this.#introspection = new Introspection(deps);
    this.#statusLists = new StatusListEndpoints(deps);
    this.#access = new CallerAccess(deps.reviewer, deps.clock);
    this.#introspections = deps.metrics.counter(
      'botmint_introspections_total',
      'Introspection requests by issuer and result.',
      ['issuer', 'result'],
    );
  }

  async answer(request: EndpointRequest): Promise<Answer> {
    const route = routeOf(request.path, request.host, this.#deps.issuers.values());
    // Even "no such issuer" is an answer from the caches.
    if (this.#deps.cachesAge() > mostCacheAgeMilliseconds) return this.#tooOld(route);
    if (route === undefined) return failure(404, 'not_found', 'no issuer has this path');
    switch (route.endpoint) {
      case 'discovery':
        return published(request, document(route.issuer, discovery(route.issuer), 'application/json'));
      case 'jwks': {
        const keys = publishedKeys(route.issuer);
        return published(request, document(route.issuer, { keys }, 'application/jwk-set+json'));
      }
      case 'statusLists':
        return this.#statusLists.all(request, route.issuer);
      case 'statusList':
        return this.#statusLists.answer(request, route.issuer, route.list);
      case 'introspect':
        return this.#introspect(request, route);
    }
  }

  #tooOld(route: Route | undefined): Answer {
    if (route?.endpoint === 'introspect') {
      this.#introspections.inc({ issuer: route.issuer.metadata.name, result: 'unavailable' });
    }
    return unavailable('the caches of this replica are too old');
  }

  async #introspect(request: EndpointRequest, { issuer }: Route): Promise<Answer> {
    const { result, answer } = await this.#introspected(request, issuer);
    this.#introspections.inc({ issuer: issuer.metadata.name, result });
    return answer;
  }

  async #introspected(request: EndpointRequest, issuer: IssuerOf<'jwt'>): Promise<Outcome> {
    const refused = malformed(request);
    if (refused !== undefined) return { result: 'invalid', answer: refused };
    try {
      return (await this.#turnedAway(request, issuer)) ?? (await this.#judged(request, issuer));
    } catch (error) {
      return this.#unanswered(error, issuer);
    }
  }

  async #turnedAway(request: EndpointRequest, issuer: IssuerOf<'jwt'>): Promise<Outcome | undefined> {
    const { issuerURL } = issuer.spec.jwt;
    const bearer = bearerOf(request);
    if (bearer === undefined) return { result: 'unauthenticated', answer: unauthenticated(issuerURL, '') };
    const seen = await this.#access.check(bearer, { name: issuer.metadata.name, issuerURL });
    switch (seen.access) {
      case 'allowed':
        return undefined;
      case 'unauthenticated':
        return { result: 'unauthenticated', answer: unauthenticated(issuerURL, ', error="invalid_token"') };
      case 'forbidden':
        return { result: 'forbidden', answer: forbidden(seen.username, issuer.metadata.name) };
    }
  }

  async #judged(request: EndpointRequest, issuer: IssuerOf<'jwt'>): Promise<Outcome> {
    const token = parseIntrospectionRequest(request.body);
    if (token === undefined) {
      return { result: 'invalid', answer: failure(400, 'invalid_request', 'exactly one parameter token is needed') };
    }
    const seen = await this.#introspection.introspect(token, issuer, AbortSignal.timeout(deadlineMilliseconds));
    return { result: seen.active ? 'active' : 'inactive', answer: json(200, seen) };
  }

  /** The message is left out: what the API server says of a review might quote what it was sent. */
  #unanswered(error: unknown, issuer: IssuerOf<'jwt'>): Outcome {
    const reason = error instanceof BotmintError ? error.reason : error instanceof Error ? error.name : 'Unknown';
    this.#deps.log.warn({ issuer: issuer.metadata.name, reason }, 'introspection could not be answered');
    const retry = retryOf(error);
    const seconds = retry.kind === 'after' ? retry.seconds : undefined;
    return { result: 'unavailable', answer: unavailable('the API server did not answer', seconds) };
  }
}

interface Outcome {
  result: 'active' | 'inactive' | 'unauthenticated' | 'forbidden' | 'invalid' | 'unavailable';
  answer: Answer;
}

/** What kube-apiserver's own issuer serves (OpenID Connect Discovery), and where introspection (RFC 8414 section 2) and status lists are. */
function discovery(issuer: IssuerOf<'jwt'>): object {
  const { issuerURL, algorithm } = issuer.spec.jwt;
  const algorithms = new Set([algorithm, ...publishedKeys(issuer).map(key => key.alg)]);
  return {
    issuer: issuerURL,
    jwks_uri: issuerURL + endpointPaths.jwks,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...algorithms],
    introspection_endpoint: issuerURL + endpointPaths.introspect,
    introspection_endpoint_auth_methods_supported: ['Bearer'],
    status_list_aggregation_endpoint: issuerURL + endpointPaths.statusLists,
  };
}

/**
 * How long a relying party may keep discovery and keys: half of the time that a key is published before it signs, because
 * kube-apiserver, for one, looks for a key that it does not know only after max-age.
 */
function maxAgeSeconds({ spec }: IssuerOf<'jwt'>): number {
  return Math.min(longestMaxAgeSeconds, Math.floor(Number(parseDuration(spec.jwt.keyActivationDelay)) / 2));
}

function document(issuer: IssuerOf<'jwt'>, value: object, contentType: string): Document {
  const body = JSON.stringify(value);
  return { body, contentType, maxAgeSeconds: maxAgeSeconds(issuer), etag: etagOf(body) };
}

/** What is wrong with an introspection request before anybody is asked who sends it. */
function malformed(request: EndpointRequest): Answer | undefined {
  if (request.method !== 'POST') return methodNotAllowed('POST');
  const type = String(request.headers['content-type'] ?? '').split(';')[0];
  if (type?.trim().toLowerCase() === 'application/x-www-form-urlencoded') return undefined;
  return failure(415, 'invalid_request', 'the body must be application/x-www-form-urlencoded');
}

/** The credential of RFC 6750 section 2.1, and nothing that the API server could not read anyway. */
function bearerOf(request: EndpointRequest): SecretValue | undefined {
  const [, token] = /^bearer +([\w\-.~+/]+=*) *$/i.exec(String(request.headers.authorization ?? '')) ?? [];
  return token === undefined ? undefined : new SecretValue(token);
}

function unauthenticated(issuerURL: string, error: string): Answer {
  const challenge = { 'www-authenticate': `Bearer realm="botmint"${error}` };
  return failure(401, 'invalid_token', `show a ServiceAccount token made for the audience ${issuerURL}`, challenge);
}

function forbidden(username: string, issuer: string): Answer {
  const missing = `${username} may not create introspections.botmint.dev with the name ${issuer}`;
  return failure(403, 'insufficient_scope', missing, {
    'www-authenticate': 'Bearer realm="botmint", error="insufficient_scope"',
  });
}

function requestOf({ method, url, host, headers, body }: FastifyRequest): EndpointRequest {
  const [path = '', query = ''] = url.split('?', 2);
  return { method, path, query, host, headers, body: typeof body === 'string' ? body : '' };
}
