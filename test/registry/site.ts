import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import type { Pair } from '../../src/base/certificates.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import type { Account } from '../../src/issuers/registry/account.ts';
import { makeLeaf, makeSigningAuthority } from '../../src/issuers/registry/chain.ts';
import { generateSecret } from '../../src/issuers/registry/secrets.ts';
import { type RegistrySigner, readSigner } from '../../src/issuers/registry/signer.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { createServer, type HTTPServer } from '../../src/server/listen.ts';
import { type RegistryIssuer, registryTokenEndpoint } from '../../src/server/registry-token.ts';
import { Authority } from '../cluster/certificates.ts';
import { builtRegistry } from './build.ts';
import { Crane, type Login, type Ran } from './crane.ts';
import { RegistryProcess } from './registry-process.ts';

const issuer: RegistryIssuer = {
  name: 'hub',
  service: 'registry.test',
  issuer: 'botmint',
  tokenLifetimeSeconds: 300, // a push that is held keeps its token also on a slow machine
  anonymousProjects: ['public'],
};

/** A registry, our token endpoint, and crane, over TLS with a CA of their own. Accounts and signer are values that a test changes. */
export class Site {
  readonly accounts = new Map<string, Account>();
  readonly verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]));
  readonly used: string[] = [];
  readonly crane: Crane;
  readonly registry: RegistryProcess;
  readonly realm: string;
  readonly signingAuthority: Pair;
  readonly web: Authority;
  signer: RegistrySigner;
  readonly #server: HTTPServer;
  readonly #agent: Agent;

  private constructor(parts: Parts, realm: string, registry: RegistryProcess, crane: Crane, server: HTTPServer) {
    this.signingAuthority = parts.signingAuthority;
    this.web = parts.web;
    this.signer = parts.signer;
    this.realm = realm;
    this.registry = registry;
    this.crane = crane;
    this.#server = server;
    this.#agent = new Agent({ connect: { ca: parts.web.pair.certificate } });
  }

  /** `binary` is the registry's; the one that is built here when it is left out. */
  static async open(binary?: string): Promise<Site> {
    const binaries = await builtRegistry(line => console.error(line));
    const parts = await makeParts();
    const serving = await parts.web.server({ dns: ['localhost'], ip: ['127.0.0.1'] });
    const { server, realm, attach } = await serve(serving);
    const registry = await RegistryProcess.start({
      binary: binary ?? join(binaries, 'registry'),
      serving,
      token: {
        realm,
        service: issuer.service,
        issuer: issuer.issuer,
        rootcertbundle: parts.signingAuthority.certificate,
      },
    });
    const crane = await Crane.create(join(binaries, 'crane'), registry.path('crane'), parts.web.pair.certificate);
    const site = new Site(parts, realm, registry, crane, server);
    attach(site);
    return site;
  }

  /** A robot with a new generated secret. */
  robot(grants: Account['grants'], change: Partial<Account> = {}): Login {
    const uid = randomUUID();
    const fullName = `robot_${uid.slice(0, 8)}`;
    const secret = generateSecret();
    const verifiers = [{ revision: 1, verifier: this.verifiers.ofGenerated({ uid, revision: 1 }, secret) }];
    this.accounts.set(fullName, { uid, fullName, verifiers, grants, disabled: false, ...change });
    return { username: fullName, secret };
  }

  change(login: Login, change: Partial<Account>): void {
    const account = this.accounts.get(login.username);
    if (account === undefined) throw new Error('no such robot');
    this.accounts.set(login.username, { ...account, ...change });
  }

  /** The name of a repository or image, as clients write it. */
  image(name: string, host = this.registry.host): string {
    return `${host}/${name}`;
  }

  as(login: Login | undefined, ...args: string[]): Promise<Ran> {
    return this.crane.run(args, login && { host: this.registry.host, login });
  }

  /** Pushes a new image with one small layer. */
  async push(login: Login | undefined, name: string): Promise<Ran> {
    return this.as(login, 'append', '-f', await this.crane.layer(), '-t', this.image(name));
  }

  /** The manifest and every layer, as a pull would take them. */
  pull(login: Login | undefined, name: string): Promise<Ran> {
    return this.as(login, 'export', this.image(name), '-');
  }

  /** One request as it stands, to the registry (a path) or to the token endpoint (an address). */
  async request(to: string, options: Parameters<typeof fetch>[1] = {}) {
    const url = to.startsWith('/') ? `https://${this.registry.host}${to}` : to;
    return fetch(url, { ...options, dispatcher: this.#agent, signal: AbortSignal.timeout(30_000) });
  }

  async newLeaf(now = new Date()): Promise<RegistrySigner> {
    return readSigner(await makeLeaf(this.signingAuthority, issuer.name, now));
  }

  async close(): Promise<void> {
    await Promise.all([this.registry.stop(), this.#agent.destroy()]);
    await this.#server.close();
  }
}

interface Parts {
  web: Authority;
  signingAuthority: Pair;
  signer: RegistrySigner;
}

async function makeParts(): Promise<Parts> {
  // A year old, so that a test can make leaves that have ended.
  const signingAuthority = await makeSigningAuthority(issuer.name, new Date(Date.now() - 365 * 86_400_000));
  const signer = readSigner(await makeLeaf(signingAuthority, issuer.name, new Date()));
  return { web: await Authority.create('test'), signingAuthority, signer };
}

/** The endpoint has to listen before the registry is told where, and the site exists only after that. */
async function serve(serving: { certificate: string; privateKey: string }) {
  const found: { site?: Site } = {};
  const current = { certificate: serving.certificate, key: new SecretValue(serving.privateKey) };
  const log = createLog('silent', 'json');
  const server = createServer({ certificates: { current, onChange: () => undefined }, log });
  registryTokenEndpoint(server.app, {
    issuers: { byName: name => (name === issuer.name ? issuer : undefined) },
    accounts: { byName: (_, fullName) => found.site?.accounts.get(fullName) },
    signers: { of: () => found.site?.signer },
    verifiers: new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]])),
    used: account => void found.site?.used.push(account.fullName),
    cachesAge: () => 0,
    clock: systemClock,
    log,
    metrics: new Metrics(),
  });
  const { port } = await server.listen('127.0.0.1:0');
  const realm = `https://localhost:${port}/registry/${issuer.name}/token`;
  return { server, realm, attach: (site: Site) => void Object.assign(found, { site }) };
}
