import type { FastifyInstance } from 'fastify';
import type { BotToken } from '../../src/api/bot-token.ts';
import type { BotUser } from '../../src/api/bot-user.ts';
import type { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { generateSigningKey, importSigningKey, type PublicJWK, type SigningKey } from '../../src/issuers/jwt/keys.ts';
import type { SecretMetadata } from '../../src/issuers/jwt/live.ts';
import { signBotToken } from '../../src/issuers/jwt/sign.ts';
import { jwtEndpoints } from '../../src/server/jwt-endpoints.ts';
import { createPlain } from '../../src/server/listen.ts';
import * as healthy from '../issuers/jwt/healthy.ts';

/** What a replica has in its caches and what the API server has: plain values that a test changes. */
export interface World {
  cached: { issuers: ClusterTokenIssuer[]; tokens: BotToken[]; botUsers: BotUser[] };
  /** Status lists by number: of the issuer with this UID, or something that is none. */
  lists: Map<number, { issuerUID: string; lst: string } | 'unreadable'>;
  live: { tokens: BotToken[]; botUsers: BotUser[]; secrets: Record<string, SecretMetadata> };
  /** Requests to the API server, in order. */
  asked: string[];
  /** Thrown by every request to the API server while it is set. */
  outage: Error | undefined;
  /** Milliseconds. */
  cachesAge: number;
  monotonic: number;
  now: Date;
  /** Answers of TokenReview and SubjectAccessReview. */
  review: (path: string, body: { spec: Record<string, unknown> }) => unknown;
}

export interface Served {
  app: FastifyInstance;
  world: World;
  metrics: Metrics;
  logged: string[];
  key: SigningKey;
  publicJWK: PublicJWK;
}

const authenticated = { username: 'system:serviceaccount:shop:gateway', uid: 'u', groups: ['system:serviceaccounts'] };

/** Everybody with a token made for the issuer is who they are, and may introspect. */
export function friendly(path: string, body: { spec: Record<string, unknown> }): unknown {
  if (!path.includes('tokenreviews')) return { status: { allowed: true } };
  return { status: { authenticated: true, audiences: body.spec.audiences, user: { ...authenticated, extra: {} } } };
}

/** The endpoints over a healthy world: one issuer that publishes one key, one bot, one recorded token. */
export async function serve(change: Partial<World> = {}): Promise<Served> {
  const { privateKey } = await generateSigningKey('ES256');
  const { key, publicJWK } = await importSigningKey(privateKey, 'ES256');
  const world: World = {
    cached: { issuers: [healthy.publishing([publicJWK])], tokens: [healthy.token], botUsers: [healthy.botUser] },
    lists: new Map(),
    live: { tokens: [healthy.token], botUsers: [healthy.botUser], secrets: {} },
    asked: [],
    outage: undefined,
    cachesAge: 0,
    monotonic: 0,
    now: healthy.now,
    review: friendly,
    ...change,
  };
  const metrics = new Metrics();
  const logged: string[] = [];
  const log = createLog('silent', 'json');
  log.warn = (...line: unknown[]) => void logged.push(JSON.stringify(line));
  const { app } = createPlain({ log });
  jwtEndpoints(app, { ...connected(world, key), log, metrics });
  return { app, world, metrics, logged, key, publicJWK };
}

function connected(world: World, key: SigningKey) {
  const ask = async <T>(what: string, answer: () => T | Promise<T>): Promise<T> => {
    world.asked.push(what);
    if (world.outage !== undefined) throw world.outage;
    return answer();
  };
  const named =
    ({ namespace, name }: { namespace: string; name: string }) =>
    ({ metadata }: { metadata: { namespace?: string; name: string } }) =>
      metadata.namespace === namespace && metadata.name === name;
  const withUID = (uid: string) => (object: { metadata: { uid: string } }) => object.metadata.uid === uid;
  return {
    issuers: { values: () => world.cached.issuers },
    statusLists: {
      published: (list: number, { uid }: { uid: string }) => {
        const found = world.lists.get(list);
        return found === 'unreadable' || found?.issuerUID === uid ? found : undefined;
      },
      numbers: ({ uid }: { uid: string }) =>
        [...world.lists]
          .filter(([, list]) => list !== 'unreadable' && list.issuerUID === uid)
          .map(([number]) => number),
    },
    keys: { active: () => ask('signing key', () => key) },
    botTokens: { byUID: (uid: string) => world.cached.tokens.find(withUID(uid)) },
    botUsers: { byUID: (uid: string) => world.cached.botUsers.find(withUID(uid)) },
    read: {
      botToken: (ref: Ref) => ask(`BotToken ${ref.namespace}/${ref.name}`, () => world.live.tokens.find(named(ref))),
      botUser: (ref: Ref) => ask(`BotUser ${ref.namespace}/${ref.name}`, () => world.live.botUsers.find(named(ref))),
      secret: (ref: Ref) =>
        ask(`Secret ${ref.namespace}/${ref.name}`, () => world.live.secrets[`${ref.namespace}/${ref.name}`]),
    },
    reviewer: {
      post: async <T>(path: string, body: object, parse: (value: unknown) => T): Promise<T> =>
        parse(await ask(path.split('/').at(-1) ?? '', () => world.review(path, JSON.parse(JSON.stringify(body))))),
    },
    clock: { now: () => world.now, monotonic: () => world.monotonic },
    cachesAge: () => world.cachesAge,
  };
}
interface Ref {
  namespace: string;
  name: string;
}

/** A token of the healthy bot, of the recorded revision unless said otherwise. */
export async function issued({ key }: Pick<Served, 'key'>, tokenID = healthy.recordedID): Promise<string> {
  const token = { namespace: 'team-a', name: 'deploy', uid: healthy.tokenUID };
  const jwt = await signBotToken(key, { issuerURL: healthy.issuerURL, tokenID, token, inputs: healthy.inputs });
  return jwt.reveal();
}

export interface Ask {
  path?: string;
  caller?: string | undefined;
  contentType?: string;
  host?: string;
}

/** Asks as a gateway would. */
export async function introspect({ app }: Pick<Served, 'app'>, token: string, ask: Ask = {}) {
  const { path = '/issuers/builtin/introspect', caller = 'Bearer caller-token', host = 'any.example' } = ask;
  const response = await app.inject({
    method: 'POST',
    url: path,
    headers: {
      host,
      'content-type': ask.contentType ?? 'application/x-www-form-urlencoded',
      ...(caller === '' ? {} : { authorization: caller }),
    },
    payload: new URLSearchParams({ token }).toString(),
  });
  const body: unknown = response.json();
  return { status: response.statusCode, headers: response.headers, body };
}
