import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { KeyPair } from '../cluster/certificates.ts';
import { freePorts } from '../cluster/ports.ts';
import { eventually } from '../cluster/wait.ts';

/** How a registry is to be run: its options `auth.token`, and the certificate that it shows. */
export interface RegistryOptions {
  binary: string;
  token: { realm: string; service: string; issuer: string; rootcertbundle: string };
  serving: KeyPair;
}

const attempts = 3;

/** A registry of the CNCF distribution project as a process of its own, over TLS, with its images in a directory of its own. */
export class RegistryProcess {
  readonly port: number;
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly #watchdog: ChildProcess;

  private constructor(port: number, directory: string, child: ChildProcess, watchdog: ChildProcess) {
    this.port = port;
    this.#directory = directory;
    this.#child = child;
    this.#watchdog = watchdog;
  }

  /** Resolves when it answers. Tries another port when somebody else was faster. */
  static async start(options: RegistryOptions): Promise<RegistryProcess> {
    for (let attempt = 1; ; attempt++) {
      const registry = await RegistryProcess.#spawn(options);
      try {
        const isSettled = async () => registry.pid === undefined || (await registry.#isListening());
        await eventually('the registry listens, or has ended', isSettled);
        if (registry.pid !== undefined) return registry;
        throw new Error('the registry has ended');
      } catch (error) {
        const log = await registry.log();
        await registry.stop();
        if (!log.includes('address already in use') || attempt === attempts) throw new Error(log, { cause: error });
      }
    }
  }

  /** `localhost` and its port: how its repositories are named. */
  get host(): string {
    return `localhost:${this.port}`;
  }

  /** For what goes when the registry goes, also when nobody could stop it in good order. */
  path(name: string): string {
    return join(this.#directory, name);
  }

  /** The process id shows that it was never started again. */
  get pid(): number | undefined {
    return this.#child.exitCode === null ? this.#child.pid : undefined;
  }

  log(): Promise<string> {
    return readFile(this.path('log'), 'utf8');
  }

  /** Leaves nothing behind. */
  async stop(): Promise<void> {
    const gone = once(this.#watchdog, 'exit');
    this.#watchdog.stdin?.end(); // it kills the registry and removes the directory
    await gone;
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #isListening(): Promise<boolean> {
    return (await this.log()).includes(`listening on 127.0.0.1:${this.port}`);
  }

  static async #spawn({ binary, token, serving }: RegistryOptions): Promise<RegistryProcess> {
    const [port = 0] = await freePorts(1);
    const directory = await mkdtemp(join(tmpdir(), 'botmint-registry-'));
    const path = (name: string) => join(directory, name);
    await mkdir(path('pids'));
    await writeFile(path('serving.crt'), serving.certificate);
    await writeFile(path('serving.key'), serving.privateKey, { mode: 0o600 });
    await writeFile(path('roots.pem'), token.rootcertbundle);
    const auth = { token: { ...token, rootcertbundle: path('roots.pem') } };
    await writeFile(path('config.yml'), stringify({ ...configuration(port, path), auth }));
    // See test/cluster/watchdog.sh: however this process ends, the registry ends with it.
    const watchdog = spawn('/bin/sh', [join(import.meta.dirname, '..', 'cluster', 'watchdog.sh'), directory], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    });
    const log = openSync(path('log'), 'a');
    const args = ['-c', 'echo $$ >"$0" && exec "$@"', path('pids/registry'), binary, 'serve', path('config.yml')];
    const env = { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' };
    const child = spawn('/bin/sh', args, { stdio: ['ignore', log, log], detached: true, env });
    closeSync(log);
    return new RegistryProcess(port, directory, child, watchdog);
  }
}

function configuration(port: number, path: (name: string) => string): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: path('images') },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'of one process, so it need not be one',
      relativeurls: true,
      tls: { certificate: path('serving.crt'), key: path('serving.key') },
    },
  };
}
