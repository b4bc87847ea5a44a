import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { type Api, Api as ApiClass, type KubeObject } from '../cluster/api.ts';
import { type Cluster, eventually, ownControlPlane, ownsControlPlane } from '../cluster/cluster.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { install, type Kubectl } from '../cluster/install.ts';
import { patienceSeconds } from '../cluster/wait.ts';
import { FaultProxy, type Rule, type SeenRequest } from '../faults/proxy.ts';
import { OperatorProcess } from './operator-process.ts';
import { type Answer, RelyingParty, relyingPartyManifest } from './relying-party.ts';

/**
 * A cluster with botmint installed from deploy/, an operator that runs with exactly the rights in there, and the fault
 * proxy between the two. The tests look at the cluster as admin and at tokens as a relying party does.
 */
export class Site {
  readonly api: Api;
  readonly kubectl: Kubectl;
  readonly proxy: FaultProxy;
  /** Undefined on an existing cluster. */
  readonly plane: ControlPlane | undefined;
  /** The admin's. */
  readonly kubeconfigPath: string;
  readonly #kubeconfig: string;
  readonly #tokenFor: (name: string, audiences: readonly string[]) => Promise<string>;
  readonly #relyingParty: RelyingParty;
  #operator: OperatorProcess | undefined;
  #namespaces = 0;

  private constructor(o: {
    api: Api;
    kubectl: Kubectl;
    proxy: FaultProxy;
    plane: ControlPlane | undefined;
    kubeconfigPath: string;
    kubeconfig: string;
    tokenFor: (name: string, audiences: readonly string[]) => Promise<string>;
    relyingParty: RelyingParty;
  }) {
    this.api = o.api;
    this.kubectl = o.kubectl;
    this.proxy = o.proxy;
    this.plane = o.plane;
    this.kubeconfigPath = o.kubeconfigPath;
    this.#kubeconfig = o.kubeconfig;
    this.#tokenFor = o.tokenFor;
    this.#relyingParty = o.relyingParty;
  }

  /** A control plane of its own; on an existing cluster that one. `cluster` comes from sharedCluster() in the test file. */
  static async open(cluster: Cluster): Promise<Site> {
    const plane = ownsControlPlane ? await ownControlPlane() : undefined;
    const host = plane ?? cluster;
    const kubectl: Kubectl = (args, options) => host.kubectl(args, options);
    await install(kubectl);
    const api = await ApiClass.open(host.kubeconfigPath);
    const tokenFor = (name: string, audiences: readonly string[]) =>
      plane === undefined
        ? cluster.tokenFor('botmint-system', name, { audiences, seconds: 7200 }).then(({ token }) => token)
        : plane.tokenFor('botmint-system', name, { audiences, seconds: 7200 }).then(({ token }) => token);
    await kubectl(['apply', '-f', '-'], { input: relyingPartyManifest });
    const proxy = await FaultProxy.start({ kubeconfigPath: host.kubeconfigPath });
    const kubeconfig = await proxy.kubeconfigFor(await tokenFor('botmint', []));
    const relyingParty = new RelyingParty(api, audience => tokenFor('relying-party', [audience]));
    const { kubeconfigPath } = host;
    return new Site({ api, kubectl, proxy, plane, kubeconfigPath, kubeconfig, tokenFor, relyingParty });
  }

  /** The operator that runs now. */
  get operator(): OperatorProcess {
    if (this.#operator === undefined) throw new Error('no operator runs');
    return this.#operator;
  }

  get hasOperator(): boolean {
    return this.#operator !== undefined && !this.#operator.hasEnded;
  }

  /** Starts the operator behind the proxy and waits until it holds its shards. */
  async start(o: { clockOffsetMilliseconds?: number; kubeconfig?: string } = {}): Promise<OperatorProcess> {
    // A killed operator keeps its Leases for 15 s; a test must not wait for that.
    await this.dropLeases();
    // Known from its first moment on: a test may kill it while it starts, and must not miss it.
    const operator = OperatorProcess.spawn({ kubeconfig: this.#kubeconfig, ...o });
    this.#operator = operator;
    await operator.ready();
    return operator;
  }

  /** A token with the rights of the operator, for one more of them. */
  operatorToken(): Promise<string> {
    return this.#tokenFor('botmint', []);
  }

  async dropLeases(): Promise<void> {
    await this.api.delete('/apis/coordination.k8s.io/v1/namespaces/botmint-system/leases');
  }

  async close(): Promise<void> {
    if (this.hasOperator) await this.#operator?.kill();
    await this.proxy.stop();
    await this.api.close();
    await this.plane?.stop();
  }

  set rule(rule: Rule) {
    this.proxy.rule = rule;
  }

  async namespace(): Promise<string> {
    const name = `e2e-${process.pid}-${++this.#namespaces}-${Math.random().toString(36).slice(2, 8)}`;
    await this.api.create('/api/v1/namespaces', { metadata: { name } });
    return name;
  }

  /** Each document in its turn, as kubectl does it, without a process for each call: runs are many. What they are now. */
  async apply(manifest: string, namespace: string): Promise<KubeObject[]> {
    const applied: KubeObject[] = [];
    for (const document of parseAllDocuments(manifest)) {
      const object = Manifest.parse(document.toJS());
      const { base, plural, cluster = false } = collections[object.kind] ?? {};
      if (base === undefined) throw new Error(`the tests do not know where a ${object.kind} is applied`);
      const folder = cluster ? base : `${base}/namespaces/${object.metadata.namespace ?? namespace}`;
      applied.push(await this.api.apply(`${folder}/${plural}/${object.metadata.name}`, object));
    }
    return applied;
  }

  token(namespace: string, name: string): Promise<KubeObject | undefined> {
    return this.api.get(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/bottokens/${name}`);
  }

  robot(namespace: string, name: string): Promise<KubeObject | undefined> {
    return this.api.get(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/robotaccounts/${name}`);
  }

  botUser(namespace: string, name: string): Promise<KubeObject | undefined> {
    return this.api.get(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/botusers/${name}`);
  }

  secret(namespace: string, name: string): Promise<KubeObject | undefined> {
    return this.api.get(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  }

  /** The values of a Secret, or undefined when there is none. */
  async values(namespace: string, name: string): Promise<Record<string, string> | undefined> {
    const secret = await this.secret(namespace, name);
    if (secret === undefined) return undefined;
    const data = z.record(z.string(), z.string()).parse(secret.data ?? {});
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    );
  }

  /** Waits until the Ready condition has this reason at the current generation. */
  ready(
    kind: 'bottokens' | 'botusers' | 'robotaccounts',
    namespace: string,
    name: string,
    reason: string,
    seconds = patienceSeconds,
  ): Promise<KubeObject> {
    return eventually(
      `${kind} ${namespace}/${name} is ${reason}`,
      async () => {
        const object = await this.api.get(`/apis/botmint.dev/v1alpha1/namespaces/${namespace}/${kind}/${name}`);
        const status = Status.safeParse(object?.status).data;
        const seen = status?.conditions?.find(({ type }) => type === 'Ready');
        const current = status?.observedGeneration === object?.metadata.generation;
        if (current && seen?.reason === reason) return object;
        throw new Error(`it is ${JSON.stringify(seen)}`);
      },
      { seconds },
    );
  }

  /** What a relying party is told about a token: RFC 7662, through the operator's own endpoint. */
  introspect(
    token: string,
    issuer?: { name: string; url: string },
  ): Promise<{ active: boolean; jti?: string | undefined }> {
    return this.#relyingParty.introspect(this.operator.started.port, token, issuer);
  }

  /** A request to the TLS port of the operator, or of another one, verified with the published CA. */
  fetch(path: string, o: Parameters<RelyingParty['fetch']>[2] = {}, by = this.operator): Promise<Answer> {
    return this.#relyingParty.fetch(by.started.port, path, o);
  }

  /** Every token that the operator has sent to the API server since that request, whether the write was carried out or not. */
  mintedTokens(firstRequest = 0, requests: readonly SeenRequest[] = this.proxy.requests): string[] {
    const minted = new Set<string>();
    for (const { resource, body } of requests.slice(firstRequest)) {
      if (resource !== 'secrets') continue;
      const data = SecretBody.safeParse(parsed(body)).data?.data ?? {};
      for (const value of Object.values(data)) {
        const text = value === null ? '' : Buffer.from(value, 'base64').toString();
        for (const [token] of text.matchAll(/eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g)) minted.add(token);
      }
    }
    return [...minted];
  }
}

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

const own = '/apis/botmint.dev/v1alpha1';
const policies = '/apis/admissionregistration.k8s.io/v1';
/** Where the kinds are that tests apply. */
const collections: Record<string, { base: string; plural: string; cluster?: boolean } | undefined> = {
  BotUser: { base: own, plural: 'botusers' },
  BotToken: { base: own, plural: 'bottokens' },
  RobotAccount: { base: own, plural: 'robotaccounts' },
  ClusterTokenIssuer: { base: own, plural: 'clustertokenissuers', cluster: true },
  ConfigMap: { base: '/api/v1', plural: 'configmaps' },
  Secret: { base: '/api/v1', plural: 'secrets' },
  ResourceQuota: { base: '/api/v1', plural: 'resourcequotas' },
  Deployment: { base: '/apis/apps/v1', plural: 'deployments' },
  StatefulSet: { base: '/apis/apps/v1', plural: 'statefulsets' },
  DaemonSet: { base: '/apis/apps/v1', plural: 'daemonsets' },
  ValidatingAdmissionPolicy: { base: policies, plural: 'validatingadmissionpolicies', cluster: true },
  ValidatingAdmissionPolicyBinding: { base: policies, plural: 'validatingadmissionpolicybindings', cluster: true },
};

const Status = z.object({
  observedGeneration: z.number().optional(),
  conditions: z
    .array(z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() }))
    .optional(),
});
const SecretBody = z.object({ data: z.record(z.string(), z.string().nullable()) });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no body, or one that was cut off
  }
}
