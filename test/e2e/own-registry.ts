import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { z } from 'zod';
import { Refused } from '../cluster/api.ts';
import { Authority } from '../cluster/certificates.ts';
import { builtRegistry } from '../registry/build.ts';
import { Crane, type Login, type Ran } from '../registry/crane.ts';
import { RegistryProcess } from '../registry/registry-process.ts';
import { OwnRegistryIssuer } from './own-registry-issuer.ts';
import type { Site } from './site.ts';

const own = '/api/v1/namespaces/botmint-system';
const names = { dns: ['localhost', 'botmint.botmint-system.svc'], ip: ['127.0.0.1'] };

/**
 * What registries need beside the operator: a CA whose certificates the endpoints and the registries show, and crane, which
 * trusts it. Opened before the operator starts.
 */
export class RegistryGround {
  readonly site: Site;
  readonly web: Authority;
  readonly binaries: string;
  readonly #directory: string;
  /** Paths of what was not there before. */
  readonly #made: readonly string[];
  #crane: Crane | undefined;

  private constructor(o: { site: Site; web: Authority; binaries: string; directory: string; made: string[] }) {
    this.site = o.site;
    this.web = o.web;
    this.binaries = o.binaries;
    this.#directory = o.directory;
    this.#made = o.made;
  }

  /** Puts a certificate where cert-manager would put it. A cluster that has one keeps it. */
  static async open(site: Site): Promise<RegistryGround> {
    const binaries = await builtRegistry(line => console.error(line));
    const web = await Authority.create('test');
    const { certificate, privateKey } = await web.server(names);
    const data = { 'tls.crt': base64(certificate), 'tls.key': base64(privateKey) };
    const secret = { metadata: { name: 'botmint-tls' }, type: 'kubernetes.io/tls', data };
    const configMap = { metadata: { name: 'botmint-ca' }, data: { 'ca.crt': web.pair.certificate } };
    const made = [
      ...(await unlessThere(site, `${own}/secrets`, secret)),
      ...(await unlessThere(site, `${own}/configmaps`, configMap)),
    ];
    const directory = await mkdtemp(join(tmpdir(), 'botmint-crane-'));
    return new RegistryGround({ site, web, binaries, directory, made });
  }

  /** A registry that trusts an issuer of its own, whose image pull secrets are for it. */
  async registry(extra: object = {}, registry: object = {}): Promise<OwnRegistry> {
    const issuer = await OwnRegistryIssuer.make(this.site, `hub-${randomUUID().slice(0, 8)}`, extra, registry);
    return this.registryOf(issuer);
  }

  /** `service` is what the registry calls itself. */
  async registryOf(issuer: OwnRegistryIssuer, service: string = issuer.service): Promise<OwnRegistry> {
    const { site } = this;
    const realm = `https://localhost:${site.operator.started.port}/registry/${issuer.name}/token`;
    const token = { realm, service, issuer: 'botmint', rootcertbundle: await issuer.bundle() };
    const serving = await this.web.server(names);
    const process = await RegistryProcess.start({ binary: join(this.binaries, 'registry'), token, serving });
    await site.api.patch(issuer.path, { spec: { registry: { host: process.host } } });
    return new OwnRegistry({ site, issuer, process, crane: await this.crane(), web: this.web });
  }

  async crane(): Promise<Crane> {
    const published = await this.site.api.get(`${own}/configmaps/botmint-ca`);
    const ca = z.object({ 'ca.crt': z.string() }).parse(published?.data)['ca.crt'];
    const path = join(this.#directory, 'home');
    this.#crane ??= await Crane.create(join(this.binaries, 'crane'), path, `${this.web.pair.certificate}\n${ca}`);
    return this.#crane;
  }

  /** Leaves nothing behind: whoever runs the tests on a cluster of their own wants its endpoints to have its own certificate. */
  async close(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    for (const path of this.#made) await this.site.api.delete(path);
  }
}

/** A distribution registry as a process, with botmint as its token server, and crane, which uses it as a pod would. */
export class OwnRegistry {
  readonly issuer: OwnRegistryIssuer;
  readonly process: RegistryProcess;
  readonly crane: Crane;
  readonly #site: Site;
  readonly #agent: Agent;
  #images = 0;

  constructor(o: { site: Site; issuer: OwnRegistryIssuer; process: RegistryProcess; crane: Crane; web: Authority }) {
    this.issuer = o.issuer;
    this.process = o.process;
    this.crane = o.crane;
    this.#site = o.site;
    this.#agent = new Agent({ connect: { ca: o.web.pair.certificate } });
  }

  /** The name of a repository that nothing is in. */
  newName(project = 'shop'): string {
    return `${project}/app-${++this.#images}`;
  }

  image(name: string): string {
    return `${this.process.host}/${name}`;
  }

  /** The docker configuration in an image pull secret, as it stands there. */
  async config(namespace: string, secret: string): Promise<string> {
    return (await this.#site.values(namespace, secret))?.['.dockerconfigjson'] ?? '';
  }

  /** Whether this configuration lets crane push a new image. */
  async push(config: string, name: string): Promise<boolean> {
    const args = ['append', '-f', await this.crane.layer(), '-t', this.image(name)];
    return may(await this.crane.runWith(config, args));
  }

  /** Whether it lets crane take the manifest and every layer, as a pull would. */
  async pull(config: string, name: string): Promise<boolean> {
    return may(await this.crane.runWith(config, ['export', this.image(name), '-']));
  }

  async delete(config: string, name: string): Promise<boolean> {
    const digest = await this.crane.runWith(config, ['digest', this.image(name)]);
    return (
      may(digest) && may(await this.crane.runWith(config, ['delete', `${this.image(name)}@${digest.stdout.trim()}`]))
    );
  }

  copy(config: string, from: string, to: string): Promise<Ran> {
    return this.crane.runWith(config, ['copy', this.image(from), this.image(to)]);
  }

  /** Whether the registry takes this token, on the page that `docker login` asks for. */
  async takes(token: string): Promise<boolean> {
    const headers = { authorization: `Bearer ${token}` };
    const { status } = await fetch(`https://${this.process.host}/v2/`, { headers, dispatcher: this.#agent });
    if (status !== 200 && status !== 401) throw new Error(`the registry answered ${status}`);
    return status === 200;
  }

  async close(): Promise<void> {
    await Promise.all([this.process.stop(), this.#agent.destroy()]);
  }
}

/** Refused means refused by the registry or the token server, and nothing else that may go wrong. */
export function may({ ok, stderr }: Ran): boolean {
  if (!ok && !/UNAUTHORIZED|401 Unauthorized/.test(stderr)) throw new Error(stderr);
  return ok;
}

/** The configuration of docker with this login for a host. */
export function configOf(host: string, { username, secret }: Login): string {
  return JSON.stringify({ auths: { [host]: { username, password: secret.reveal() } } });
}

/** The path of what was made, if it was. */
async function unlessThere(site: Site, collection: string, object: { metadata: { name: string } }): Promise<string[]> {
  try {
    await site.api.create(collection, object);
    return [`${collection}/${object.metadata.name}`];
  } catch (error) {
    if (!(error instanceof Refused && error.answer.status === 409)) throw error;
    return [];
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
