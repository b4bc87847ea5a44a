import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Api } from './api.ts';
import { builtBinaries } from './build.ts';
import { Authority, signingKeyPair } from './certificates.ts';
import { Component, ComponentFailed } from './component.ts';
import { Files } from './files.ts';
import { apiserverFlags, etcdFlags, managerFlags } from './flags.ts';
import { type KubectlOptions, kubectl } from './kubectl.ts';
import { freePorts } from './ports.ts';
import { type Token, type TokenRequest, tokenFor } from './token.ts';

const running = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;
export type RunningComponent = (typeof running)[number];

const etcdAnswer = z.object({ header: z.object({ revision: z.string() }) });
/** About 5 where nothing else runs; three start side by side. */
const readySeconds = 240;
const attempts = 5;

/**
 * A real etcd, kube-apiserver and kube-controller-manager on 127.0.0.1, with ports, data and certificates of their own.
 * Any number can run side by side. Nothing of it survives `stop()`, nor the process that started it, however that ends.
 */
export class ControlPlane {
  readonly files: Files;
  /** https URL of the API server. */
  readonly server: string;
  /** A directory for PATH: kubectl, and the components. */
  readonly binaries: string;
  readonly #components: Record<RunningComponent, Component>;
  readonly #etcd: string;
  readonly #watchdog: ChildProcess;
  #api: Api | undefined;

  private constructor(binaries: string, files: Files, ports: readonly number[]) {
    const [etcd = 0, peer = 0, apiserver = 0] = ports;
    const { directory } = files;
    const component = (name: RunningComponent, args: string[]) => new Component({ name, binaries, directory, args });
    this.files = files;
    this.binaries = binaries;
    this.server = `https://127.0.0.1:${apiserver}`;
    this.#etcd = `http://127.0.0.1:${etcd}`;
    this.#components = {
      etcd: component('etcd', etcdFlags(files, this.#etcd, `http://127.0.0.1:${peer}`)),
      'kube-apiserver': component('kube-apiserver', apiserverFlags(files, this.#etcd, apiserver)),
      'kube-controller-manager': component('kube-controller-manager', managerFlags(files)),
    };
    this.#watchdog = spawn('/bin/sh', [join(import.meta.dirname, 'watchdog.sh'), directory], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true, // Ctrl-C in the terminal is not for it
    });
  }

  /**
   * Builds the binaries if need be, starts everything and waits until the API server is ready. Starts again on other
   * ports when somebody else was faster on one of them.
   */
  static async start(
    say: (line: string) => void = () => undefined,
    ports: () => Promise<readonly number[]> = () => freePorts(3),
  ): Promise<ControlPlane> {
    const binaries = await builtBinaries(say);
    for (let attempt = 1; ; attempt++) {
      const plane = await ControlPlane.#prepare(binaries, await ports());
      try {
        await plane.#startAll();
        return plane;
      } catch (error) {
        await plane.stop();
        if (!(error instanceof ComponentFailed && error.portTaken) || attempt === attempts) throw error;
      }
    }
  }

  static async #prepare(binaries: string, ports: readonly number[]): Promise<ControlPlane> {
    const directory = await mkdtemp(join(tmpdir(), 'botmint-cluster-'));
    mkdirSync(join(directory, 'pids'));
    const plane = new ControlPlane(binaries, new Files(directory), ports);
    await plane.#writeCredentials();
    return plane;
  }

  async #writeCredentials(): Promise<void> {
    const { files } = this;
    const [authority, serviceAccounts] = await Promise.all([Authority.create('botmint test CA'), signingKeyPair()]);
    const dns = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
    const [serving, admin] = await Promise.all([
      authority.server({ dns, ip: ['127.0.0.1', '10.0.0.1'] }),
      authority.user('admin', ['system:masters']),
    ]);
    await files.writeKeyPair('ca', authority.pair);
    await files.writeKeyPair('apiserver', serving);
    await writeFile(files.path('service-accounts.pub'), serviceAccounts.publicKey);
    await writeFile(files.path('service-accounts.key'), serviceAccounts.privateKey, { mode: 0o600 });
    await files.writeKubeconfig('admin', {
      server: this.server,
      ca: authority.pair.certificate,
      credential: { certificate: admin },
    });
  }

  async #startAll(): Promise<void> {
    this.#components.etcd.start();
    await this.#until('etcd', async () => (await fetch(`${this.#etcd}/health`)).ok);
    this.#components['kube-apiserver'].start();
    this.#api = await Api.open(this.kubeconfigPath);
    await this.ready();
    this.#components['kube-controller-manager'].start();
  }

  /** Resolves when the API server says that it is ready. */
  ready(): Promise<void> {
    return this.#until('kube-apiserver', async () => (await this.api.call('/readyz')).status === 200);
  }

  async #until(name: RunningComponent, isReady: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + readySeconds * 1000;
    while (performance.now() < deadline) {
      this.#components[name].throwIfEnded();
      // Refused connections: it is not listening yet. No answer: perhaps somebody else listens there.
      const asked = isReady().catch(() => false);
      if (await Promise.race([asked, sleep(1_000, false)])) return;
      await sleep(20);
    }
    throw new Error(`${name} was not ready within ${readySeconds} s, see ${this.#components[name].logFile}`);
  }

  /** Where the kubectl of this control plane lies. */
  get kubectlPath(): string {
    return join(this.binaries, 'kubectl');
  }

  /** The admin's kubeconfig (group system:masters). */
  get kubeconfigPath(): string {
    return this.files.path('admin.kubeconfig');
  }

  /** The API with the rights of the admin. */
  get api(): Api {
    if (!this.#api) throw new Error('the control plane is not started');
    return this.#api;
  }

  /** Runs the real kubectl as admin and gives its standard output. */
  kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    return kubectl({ binary: this.kubectlPath, kubeconfig: this.kubeconfigPath }, args, options);
  }

  /** The path of a new kubeconfig with a client certificate for this user. */
  kubeconfigFor(o: { user: string; groups?: readonly string[] }): Promise<string> {
    return this.files.kubeconfigForUser(this.server, o);
  }

  /** A token of a ServiceAccount (TokenRequest), and the path of a new kubeconfig that shows it. */
  async tokenFor(namespace: string, name: string, o: TokenRequest = {}): Promise<Token> {
    const token = await tokenFor(this.api, namespace, name, o);
    return { token, kubeconfigPath: await this.files.kubeconfigForToken(this.server, token) };
  }

  /** Stops a process as it stands (SIGSTOP): connections stay open and nobody answers. */
  pause(name: RunningComponent): void {
    this.#components[name].pause();
  }

  resume(name: RunningComponent): void {
    this.#components[name].resume();
  }

  /** SIGKILL; resolves when the process is gone. */
  kill(name: RunningComponent): Promise<void> {
    return this.#components[name].kill();
  }

  /** Kills it if it runs, and starts it on the same ports and data. For etcd and kube-apiserver resolves when the API is ready again. */
  async restart(name: RunningComponent): Promise<void> {
    await this.kill(name);
    this.#components[name].start();
    if (name !== 'kube-controller-manager' && this.#components['kube-apiserver'].isRunning) await this.ready();
  }

  /** Process ids of what runs now. */
  get pids(): Partial<Record<RunningComponent, number>> {
    const found: Partial<Record<RunningComponent, number>> = {};
    for (const name of running) {
      const { pid } = this.#components[name];
      if (pid !== undefined) found[name] = pid;
    }
    return found;
  }

  /**
   * Makes etcd forget all history up to now, and tells the API server so in the way its own compactor does: lists and
   * watches that go on from then get 410 Gone when the API server has dropped its own snapshots, too: after 15 s (lists
   * only), or at once when it is restarted.
   */
  async compact(): Promise<void> {
    const post = async (path: string, body: object) => {
      const answer = await fetch(`${this.#etcd}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`etcd ${path}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    };
    const key = Buffer.from('compact_rev_key').toString('base64');
    const { revision } = etcdAnswer.parse(await post('range', { key })).header;
    await post('put', { key, value: Buffer.from(revision).toString('base64') });
    await post('compaction', { revision, physical: true });
  }

  /** Ends every process and removes every file. May be called again. */
  async stop(): Promise<void> {
    await this.#api?.close();
    await Promise.all(Object.values(this.#components).map(component => component.kill()));
    if (this.#watchdog.exitCode === null && this.#watchdog.signalCode === null) {
      const gone = once(this.#watchdog, 'exit');
      this.#watchdog.stdin?.end();
      await gone;
    }
    await rm(this.files.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
