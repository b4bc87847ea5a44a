import { X509Certificate } from 'node:crypto';
import { decodeProtectedHeader, importX509, jwtVerify } from 'jose';
import { onTestFinished } from 'vitest';
import { clusterTokenIssuerKind, type IssuerOf } from '../../src/api/cluster-token-issuer.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Caches } from '../../src/controllers/caches.ts';
import { RegistryIssuers } from '../../src/controllers/registry-issuers.ts';
import { SigningChains } from '../../src/controllers/signing-chains.ts';
import { tokenMetrics } from '../../src/controllers/world.ts';
import type { RegistrySigner } from '../../src/issuers/registry/signer.ts';
import type { NewObject, ReadOptions } from '../../src/kube/calls.ts';
import { Client } from '../../src/kube/client.ts';
import { loadConfig } from '../../src/kube/config.ts';
import type { KubeObject, Ref, Resource } from '../../src/kube/objects.ts';
import type { TransportOptions } from '../../src/kube/transport.ts';
import { type Api, eventually, sharedCluster } from '../cluster/cluster.ts';

const cluster = sharedCluster();
const log = createLog('silent', 'json');
const issuersPath = '/apis/botmint.dev/v1alpha1/clustertokenissuers';
const signal = AbortSignal.timeout(600_000);
const day = 24 * 3600 * 1000;

/** The clock of a test: years go by at once, and deadlines do not move. */
export class Calendar {
  #ahead = 0;

  now = () => new Date(Date.now() + this.#ahead);
  monotonic = () => performance.now();

  passDays(days: number): void {
    this.#ahead += days * day;
  }
}

export class Killed extends Error {}

/** Of a process that is killed when so many writes were carried out: nothing is heard of the last one, and nothing follows. */
class MortalClient extends Client {
  writes = 0;
  readonly #most: number;

  constructor(options: TransportOptions, most: number) {
    super(options);
    this.#most = most;
  }

  override create<T extends KubeObject, O extends NewObject>(resource: Resource<T>, object: O, options: ReadOptions) {
    return this.#write(() => super.create(resource, object, options));
  }

  override patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: Ref,
    body: object,
    options: ReadOptions & { resourceVersion: string; subresource?: 'status' },
  ) {
    return this.#write(() => super.patch(resource, ref, body, options));
  }

  async #write<T>(write: () => Promise<T>): Promise<T> {
    if (this.writes >= this.#most) throw new Killed();
    const answer = await write();
    this.writes++;
    if (this.writes >= this.#most) throw new Killed();
    return answer;
  }
}

/** A namespace for the operator and an issuer of type registry on a real API server, and replicas that share them. */
export class RegistryPlace {
  readonly api: Api;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly calendar = new Calendar();

  private constructor(api: Api, namespace: string, { name, uid }: { name: string; uid: string }) {
    this.api = api;
    this.namespace = namespace;
    this.name = name;
    this.uid = uid;
  }

  static async make(): Promise<RegistryPlace> {
    const api = await cluster.api();
    const namespace = await cluster.namespace();
    const registry = { service: 'registry.example.com', issuer: 'botmint', host: 'registry.example.com' };
    const made = await api.create(issuersPath, {
      apiVersion: 'botmint.dev/v1alpha1',
      kind: 'ClusterTokenIssuer',
      metadata: { name: `registry-${namespace}` },
      spec: {
        registry,
        allowedNamespaces: { from: 'All' },
        limits: { usernames: ['*'], projects: ['*'], permissions: ['*'] },
      },
    });
    const place = new RegistryPlace(api, namespace, made.metadata);
    onTestFinished(async () => {
      if ((await api.get(place.path)) === undefined) return;
      await api.patch(place.path, { metadata: { finalizers: null } });
      await api.delete(place.path);
    });
    return place;
  }

  get path(): string {
    return `${issuersPath}/${this.name}`;
  }

  secretPath(part: 'ca' | 'leaf'): string {
    return `/api/v1/namespaces/${this.namespace}/secrets/botmint-registry-${part}-${this.uid}`;
  }

  secret(part: 'ca' | 'leaf') {
    return eventually(`the Secret of the ${part}`, () => this.api.get(this.secretPath(part)));
  }

  /**
   * A replica whose caches have caught up, and which follows the leaf. `writes`: it is killed when so many were carried out, before it
   * hears the last answer.
   */
  async replica({ writes = Number.POSITIVE_INFINITY }: { writes?: number } = {}) {
    const { namespace, calendar: clock } = this;
    const config = loadConfig({ kubeconfig: cluster.kubeconfigPath });
    const client = new MortalClient({ config, log, metrics: new Metrics(), userAgent: 'test' }, writes);
    const caches = new Caches({ client, namespace, log, clock });
    const { secrets, issuers } = caches;
    const chains = new SigningChains({ client, namespace, secrets, issuers, log });
    const told: string[] = [];
    const metrics = tokenMetrics(new Metrics());
    const report = (_: string, __: object, { reason }: { reason: string }) => void told.push(reason);
    const controller = new RegistryIssuers({ caches, client, clock, metrics, report }, chains);
    const stopping = new AbortController();
    const running = [caches.run(stopping.signal)];
    /** From now on it hears nothing of what others do. */
    const deafen = async () => {
      stopping.abort();
      await Promise.all(running);
    };
    onTestFinished(async () => {
      await deafen();
      await client.close();
    });
    await caches.whenSynced(signal);
    await chains.load(signal);
    running.push(chains.run(stopping.signal));
    const reconcile = () => controller.reconcile(this.name, signal);
    return { caches, chains, client, told, deafen, reconcile, signer: () => chains.of(this.name) };
  }

  /** The issuer as it is now. */
  async issuer(): Promise<IssuerOf<'registry'>> {
    const made = await this.api.get(this.path);
    return clusterTokenIssuerKind.parse(made) as IssuerOf<'registry'>;
  }

  async bundle(): Promise<string[]> {
    const { status } = await this.issuer();
    return [...(status?.rootCertBundle ?? '').matchAll(/-+BEGIN[^-]*-+[^-]+-+END[^-]*-+\n/g)].map(([pem]) => pem);
  }

  async ready(): Promise<string> {
    const { status } = await this.issuer();
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    return `${ready?.status} ${ready?.reason}`;
  }

  /** What a registry does that was started with this bundle: the place of the CA that has signed, in it. */
  async signedBy(signer: RegistrySigner | undefined, bundle: readonly string[]): Promise<number> {
    if (signer === undefined) throw new Error('nothing signs');
    const token = await signer.sign({ sub: 'robot' });
    const leaf = `-----BEGIN CERTIFICATE-----\n${decodeProtectedHeader(token).x5c?.[0]}\n-----END CERTIFICATE-----`;
    await jwtVerify(token, await importX509(leaf, 'ES256'), { currentDate: this.calendar.now() });
    const certificate = new X509Certificate(leaf);
    return bundle.findIndex(pem => {
      const ca = new X509Certificate(pem);
      return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
    });
  }
}

/** A place with one replica whose chain is whole. */
export async function settled() {
  const place = await RegistryPlace.make();
  const replica = await place.replica();
  await replica.reconcile();
  await eventually('the leaf', () => replica.signer());
  return { place, replica };
}

/** The resourceVersion of a Secret of the chain. */
export const versionOf = async (place: RegistryPlace, part: 'ca' | 'leaf') =>
  (await place.secret(part)).metadata.resourceVersion;

/** The Secret of the leaf as the cache of a replica has it. */
export function leafIn(
  place: RegistryPlace,
  { caches }: Pick<Awaited<ReturnType<RegistryPlace['replica']>>, 'caches'>,
) {
  return caches.secrets.get(`${place.namespace}/botmint-registry-leaf-${place.uid}`);
}
