import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Api, Api as ApiOf } from '../cluster/api.ts';
import { ControlPlane } from '../cluster/control-plane.ts';
import { applyCRDs } from '../cluster/crds.ts';
import { eventually } from '../cluster/wait.ts';
import { MeasuredOperator } from './measured-operator.ts';
import { cpuSeconds } from './processes.ts';

const root = join(import.meta.dirname, '..', '..');

/** A control plane with botmint installed and nobody else on it. */
export class Ground {
  readonly plane: ControlPlane;
  /** With the rights of the admin. */
  readonly api: Api;
  /** With the rights of the operator: the bare client has the same, so that the API server does the same for both. */
  readonly kubeconfig: string;
  readonly #directory: string;
  #operator: MeasuredOperator | undefined;

  private constructor(o: { plane: ControlPlane; api: Api; kubeconfig: string; directory: string }) {
    this.plane = o.plane;
    this.api = o.api;
    this.kubeconfig = o.kubeconfig;
    this.#directory = o.directory;
  }

  static async open(say: (line: string) => void): Promise<Ground> {
    const plane = await ControlPlane.start(say);
    await applyCRDs((args, options) => plane.kubectl(args, options));
    await plane.kubectl(['apply', '--server-side', '-f', join(root, 'deploy')]);
    const { kubeconfigPath } = await plane.tokenFor('botmint-system', 'botmint', { seconds: 4 * 3600 });
    const directory = await mkdtemp(join(tmpdir(), 'botmint-bench-'));
    const api = await ApiOf.open(plane.kubeconfigPath);
    // For a moment after a CRD is established, lists of it are refused with 429.
    const isServed = async () => (await api.call('/apis/botmint.dev/v1alpha1/bottokens')).status === 200;
    await eventually('BotTokens are served', isServed);
    return new Ground({ plane, api, kubeconfig: kubeconfigPath, directory });
  }

  /** Starts the operator; there is one at a time. */
  async operator(options: { movableClock?: boolean } = {}): Promise<MeasuredOperator> {
    const operator = this.spawnOperator(options);
    await operator.serving();
    return operator;
  }

  /** The same without waiting until it serves. */
  spawnOperator({ movableClock }: { movableClock?: boolean } = {}): MeasuredOperator {
    const { kubeconfig } = this;
    this.#operator = MeasuredOperator.spawn({ kubeconfig, directory: this.#directory, movableClock });
    return this.#operator;
  }

  /** Processor time of the API server so far, in seconds. */
  get serverCPUSeconds(): number {
    const pid = this.plane.pids['kube-apiserver'];
    if (pid === undefined) throw new Error('the API server does not run');
    return cpuSeconds(pid);
  }

  async close(): Promise<void> {
    await this.#operator?.stop();
    await this.api.close();
    await this.plane.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
