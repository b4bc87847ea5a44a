// What tests on a real API server import.
import { randomBytes } from 'node:crypto';
import { afterAll, describe, inject, onTestFinished, TestRunner } from 'vitest';
import { Api } from './api.ts';
import { ControlPlane } from './control-plane.ts';
import { applyCRDs } from './crds.ts';
import { Files } from './files.ts';
import { Derived } from './kubeconfig.ts';
import { type KubectlOptions, kubectl } from './kubectl.ts';
import type { SharedCluster } from './shared.ts';
import { type Token, type TokenRequest, tokenFor } from './token.ts';

export { type Answer, Api, type KubeObject, Refused } from './api.ts';
export type { ControlPlane } from './control-plane.ts';
export { KubectlFailed } from './kubectl.ts';
export { eventually } from './wait.ts';

/** False when BOTMINT_KUBECONFIG names an existing cluster: nothing there may be paused, killed or restarted. */
export const ownsControlPlane = !process.env.BOTMINT_KUBECONFIG;

/** A group of tests that need a control plane of their own; against an existing cluster it is skipped, and its name says why. */
export function describeOwnControlPlane(name: string, tests: () => void): void {
  if (ownsControlPlane) describe(name, tests);
  else
    describe.skip(`${name} (skipped: needs a control plane of its own, and BOTMINT_KUBECONFIG names a cluster)`, tests);
}

/** A control plane for one test alone, with the CRDs. `await using` stops it; else call stop(). */
export async function ownControlPlane(): Promise<ControlPlane> {
  const plane = await ControlPlane.start(line => console.error(line));
  await applyCRDs((args, options) => plane.kubectl(args, options));
  return plane;
}

/** The cluster that all tests of a run share. Call it at the top of a test file, or in a describe block. */
export function sharedCluster(): Cluster {
  const cluster = new Cluster(inject('cluster'));
  afterAll(() => cluster.close());
  return cluster;
}

/** A cluster that other tests use at the same time: everything a test makes stands in a namespace of its own, or has a name of its own. */
export class Cluster {
  /** The admin's kubeconfig. */
  readonly kubeconfigPath: string;
  readonly #given: SharedCluster;
  readonly #left = new Set<string>();
  readonly #derived: Derived;
  #api: Promise<Api> | undefined;

  constructor(given: SharedCluster) {
    this.#given = given;
    this.kubeconfigPath = given.kubeconfigPath;
    this.#derived = new Derived(() => this.kubectl(['config', 'view', '--raw', '--flatten', '--minify', '-o', 'json']));
  }

  /** The API with the rights of the admin. */
  api(): Promise<Api> {
    this.#api ??= Api.open(this.kubeconfigPath);
    return this.#api;
  }

  /**
   * A fresh namespace. It is deleted when the test ends (called in a hook: when the file ends); nobody waits for that.
   */
  async namespace(labels: Record<string, string> = {}): Promise<string> {
    const name = `test-${randomBytes(5).toString('hex')}`;
    const api = await this.api();
    await api.create('/api/v1/namespaces', { metadata: { name, labels } });
    this.#left.add(name);
    if (TestRunner.getCurrentTest() !== undefined) onTestFinished(() => this.#delete(name));
    return name;
  }

  /** Runs the real kubectl as admin and gives its standard output; throws KubectlFailed. */
  kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    return kubectl({ binary: this.#given.kubectl, kubeconfig: this.kubeconfigPath }, args, options);
  }

  /**
   * The path of a kubeconfig for any user: a client certificate on our own control plane, impersonation by the admin on
   * an existing cluster.
   */
  async kubeconfigFor(o: { user: string; groups?: readonly string[] }): Promise<string> {
    const { directory } = this.#given;
    if (directory === undefined) return this.#derived.impersonating(o);
    return new Files(directory).kubeconfigForUser((await this.api()).server, o);
  }

  /** A token of a ServiceAccount (TokenRequest), and the path of a kubeconfig that shows it. */
  async tokenFor(namespace: string, name: string, o: TokenRequest = {}): Promise<Token> {
    const token = await tokenFor(await this.api(), namespace, name, o);
    return { token, kubeconfigPath: await this.#derived.withToken(token) };
  }

  /** Deletes what is left; called by itself when the test file ends. */
  async close(): Promise<void> {
    await Promise.all([...this.#left].map(name => this.#delete(name)));
    await (await this.#api)?.close();
    await this.#derived.remove();
  }

  async #delete(name: string): Promise<void> {
    this.#left.delete(name);
    await (await this.api()).delete(`/api/v1/namespaces/${name}`);
  }
}
