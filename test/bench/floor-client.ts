import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Issued, Template, Versioned } from './floor.ts';
import type { Task } from './floor-task.ts';
import type { Applied } from './objects.ts';
import { cpuSeconds } from './processes.ts';

/** The process of the bare client, from outside. */
export class FloorClient {
  readonly #process: ChildProcess;

  constructor(kubeconfig: string, template: Template | null) {
    const program = join(import.meta.dirname, 'floor-process.ts');
    this.#process = spawn(process.execPath, [program, kubeconfig], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    });
    this.#process.stdin?.write(`${JSON.stringify(template)}\n`);
  }

  issue(tokens: Applied[]): Promise<void> {
    return this.#run({ do: 'issue', tokens });
  }

  rotate(tokens: Issued[]): Promise<void> {
    return this.#run({ do: 'rotate', tokens });
  }

  endOverlap(tokens: Issued[]): Promise<void> {
    return this.#run({ do: 'end-overlap', tokens });
  }

  rewrite(secrets: Versioned[], text: string): Promise<void> {
    return this.#run({ do: 'rewrite', secrets, text });
  }

  /** Resolves when it says that it is done; throws when it ends instead. */
  async #run(task: Task): Promise<void> {
    const { stdin, stdout } = this.#process;
    if (stdin === null || stdout === null) throw new Error('the bare client did not start');
    stdin.write(`${JSON.stringify(task)}\n`);
    const ended = once(this.#process, 'exit').then(() => {
      throw new Error('the bare client has ended');
    });
    await Promise.race([once(stdout, 'data'), ended]);
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.#process.pid ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.stdin?.end();
    await once(this.#process, 'exit');
  }
}
