import type { FastifyInstance } from 'fastify';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import type { Account } from '../../src/issuers/registry/account.ts';
import { makeLeaf, makeSigningAuthority } from '../../src/issuers/registry/chain.ts';
import { generateSecret } from '../../src/issuers/registry/secrets.ts';
import { type RegistrySigner, readSigner } from '../../src/issuers/registry/signer.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { createPlain } from '../../src/server/listen.ts';
import { type RegistryIssuer, registryTokenEndpoint } from '../../src/server/registry-token.ts';

/** What a replica knows: plain values that a test changes. */
export interface World {
  issuers: Map<string, RegistryIssuer>;
  /** By full name, whatever the issuer. */
  accounts: Map<string, Account>;
  /** Names of issuers and full names of robots. */
  unreadable: Set<string>;
  signers: Map<string, RegistrySigner>;
  /** Milliseconds. */
  cachesAge: number;
  monotonic: number;
  now: Date;
  /** Full names, in order. */
  used: string[];
  /** How often a slow hash was made. */
  slowHashes: number;
}

export interface Served {
  app: FastifyInstance;
  world: World;
  metrics: Metrics;
  logged: string[];
  verifiers: Verifiers;
}

export const now = new Date('2026-11-22T12:00:00Z');
export const issuer: RegistryIssuer = {
  name: 'hub',
  service: 'registry.example',
  issuer: 'botmint',
  tokenLifetimeSeconds: 300,
  anonymousProjects: [],
};
export const robotUID = '7f0c8a3e-0000-4000-8000-000000000001';
export const secret = generateSecret();
export const ownSecret = new SecretValue('Passw0rd:of-ours');
const leaf = await makeLeaf(await makeSigningAuthority('hub', now), 'hub', now);
const signer = readSigner(leaf);
/** Of the certificate of the key that signs. */
export const ends = signer.validTo;

/** The endpoint over one issuer, with a robot of a generated secret and one with a secret of its own. */
export async function serve(app = createPlain({ log: createLog('silent', 'json') }).app): Promise<Served> {
  const world: World = {
    issuers: new Map([['hub', issuer]]),
    accounts: new Map(),
    unreadable: new Set(),
    signers: new Map([['hub', signer]]),
    cachesAge: 0,
    monotonic: 0,
    now,
    used: [],
    slowHashes: 0,
  };
  const verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), async shown => {
    world.slowHashes++;
    return Buffer.from(shown.reveal());
  });
  const robot: Account = {
    uid: robotUID,
    fullName: 'robot_shop+ci',
    verifiers: [{ revision: 1, verifier: verifiers.ofGenerated({ uid: robotUID, revision: 1 }, secret) }],
    grants: [{ project: 'shop', permissions: ['PushArtifacts', 'PullArtifacts'] }],
    disabled: false,
  };
  const uid = robotUID.replace('1', '2');
  const own: Account = {
    ...robot,
    uid,
    fullName: 'robot_own',
    verifiers: [{ revision: 1, verifier: await verifiers.ofOwn({ uid, revision: 1 }, ownSecret) }],
  };
  for (const account of [robot, own]) world.accounts.set(account.fullName, account);
  world.slowHashes = 0;
  const metrics = new Metrics();
  const logged: string[] = [];
  const log = createLog('silent', 'json');
  const keep = (...line: unknown[]) => void logged.push(JSON.stringify(line));
  Object.assign(log, { debug: keep, info: keep, warn: keep, error: keep });
  const unreadable = (name: string) => (world.unreadable.has(name) ? 'unreadable' : undefined);
  registryTokenEndpoint(app, {
    issuers: { byName: name => world.issuers.get(name) ?? unreadable(name) },
    accounts: { byName: (_, fullName) => world.accounts.get(fullName) ?? unreadable(fullName) },
    signers: { of: name => world.signers.get(name) },
    verifiers,
    used: account => void world.used.push(account.fullName),
    cachesAge: () => world.cachesAge,
    clock: { now: () => world.now, monotonic: () => world.monotonic },
    log,
    metrics,
  });
  return { app, world, metrics, logged, verifiers };
}

export function basic(username: string, shown: SecretValue): string {
  return `Basic ${Buffer.from(`${username}:${shown.reveal()}`).toString('base64')}`;
}

export interface Answered {
  status: number;
  headers: Record<string, unknown>;
  body: Record<string, unknown>;
  /** Of the token, when there is one. */
  claims: Record<string, unknown> | undefined;
}

/** Asks in the GET form. */
export async function get(
  { app }: Pick<Served, 'app'>,
  query: string,
  authorization?: string,
  path = '/registry/hub/token',
): Promise<Answered> {
  const headers = authorization === undefined ? {} : { authorization };
  return answered(await app.inject({ method: 'GET', url: `${path}?${query}`, headers }));
}

/** Asks in the POST form. */
export async function post(
  { app }: Pick<Served, 'app'>,
  form: Record<string, string>,
  contentType = 'application/x-www-form-urlencoded',
): Promise<Answered> {
  const payload = new URLSearchParams(form).toString();
  const headers = { 'content-type': contentType };
  return answered(await app.inject({ method: 'POST', url: '/registry/hub/token', headers, payload }));
}

function answered(response: { statusCode: number; headers: object; json(): Record<string, unknown> }): Answered {
  const body = response.json();
  return { status: response.statusCode, headers: { ...response.headers }, body, claims: claimsIn(body.token) };
}

/** Not verified: the signature has tests of its own. */
function claimsIn(token: unknown): Record<string, unknown> | undefined {
  if (typeof token !== 'string') return undefined;
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
