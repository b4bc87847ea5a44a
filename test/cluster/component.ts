import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ComponentName } from './build.ts';

/** Why a component is not there; `portTaken` when another process was faster on one of its ports. */
export class ComponentFailed extends Error {
  readonly portTaken: boolean;

  constructor(name: ComponentName, log: string) {
    super(`${name} ended:\n${log.split('\n').slice(-15).join('\n').trim()}`);
    this.portTaken = log.includes('address already in use');
  }
}

/** One component as a process of its own. It can be started again with the same arguments after it has ended. */
export class Component {
  readonly name: ComponentName;
  readonly logFile: string;
  readonly #binary: string;
  readonly #args: readonly string[];
  readonly #pidFile: string;
  #child: ChildProcess | undefined;

  /** `directory` is the control plane's own: logs and process ids lie there. */
  constructor(o: { name: ComponentName; binaries: string; directory: string; args: readonly string[] }) {
    this.name = o.name;
    this.logFile = join(o.directory, `${o.name}.log`);
    this.#binary = join(o.binaries, o.name);
    this.#args = o.args;
    this.#pidFile = join(o.directory, 'pids', o.name);
  }

  /** The process id, or undefined while it does not run. */
  get pid(): number | undefined {
    return this.isRunning ? this.#child?.pid : undefined;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  start(): void {
    if (this.isRunning) throw new Error(`${this.name} is running already`);
    const log = openSync(this.logFile, 'a');
    // The shell writes down its process id and then becomes the component: see watchdog.sh. A process group of its own,
    // so that Ctrl-C in a terminal reaches only us, and we decide the order.
    const script = 'echo $$ >"$0" && exec "$@"';
    this.#child = spawn('/bin/sh', ['-c', script, this.#pidFile, this.#binary, ...this.#args], {
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
  }

  /** Stops it as it stands (SIGSTOP): connections stay open and nobody answers. */
  pause(): void {
    this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    rmSync(this.#pidFile, { force: true }); // the number may be given to somebody else
  }

  /** Throws ComponentFailed when it has ended by itself. */
  throwIfEnded(): void {
    if (!this.isRunning) throw new ComponentFailed(this.name, readFileSync(this.logFile, 'utf8'));
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (!this.isRunning || !this.#child?.kill(signal)) throw new Error(`${this.name} is not running`);
  }
}
