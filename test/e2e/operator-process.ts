import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { z } from 'zod';
import { eventually } from '../cluster/wait.ts';
import { compileCache, nodeFlags } from './node-flags.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const clock = join(import.meta.dirname, 'clock.ts');

const Started = z.object({
  msg: z.literal('started'),
  port: z.number(),
  metricsPort: z.number(),
  identity: z.string(),
});
export type Started = z.infer<typeof Started>;

export interface OperatorOptions {
  kubeconfig: string;
  /** How far its wall clock is from the real one. */
  clockOffsetMilliseconds?: number | undefined;
  flags?: readonly string[] | undefined;
}

/** The operator that ships, as a process of its own. */
export class OperatorProcess {
  readonly #process: ChildProcess;
  readonly #exit: Promise<number | null>;
  /** Everything it has printed. */
  output = '';
  #lines = 0;
  #started: Started | undefined;

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.#exit = once(child, 'exit').then(([code]) => code as number | null);
    const collect = (chunk: string) => {
      this.output += chunk;
      this.#read();
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
  }

  /** Starts the process; it may be killed before it is ready. */
  static spawn({ kubeconfig, clockOffsetMilliseconds = 0, flags = [] }: OperatorOptions): OperatorProcess {
    const listen = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0'];
    return new OperatorProcess(
      spawn(
        process.execPath,
        [...nodeFlags, '--import', clock, main, '--kubeconfig', kubeconfig, ...listen, ...flags],
        {
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
          env: {
            PATH: process.env.PATH,
            NODE_COMPILE_CACHE: compileCache,
            BOTMINT_TEST_CLOCK_MS: String(clockOffsetMilliseconds),
          },
        },
      ),
    );
  }

  /** Starts it and waits until it is ready. */
  static async start(options: OperatorOptions): Promise<OperatorProcess> {
    const operator = OperatorProcess.spawn(options);
    await operator.ready();
    return operator;
  }

  /** Waits until it is ready. It works before: only then it has a certificate for those who call it. Fails with its output when it ends instead. */
  async ready(): Promise<void> {
    await this.serving();
    const look = async () => {
      if (this.hasEnded) return true; // killed: whoever did it knows
      return (await this.page('/readyz')).status === 200;
    };
    await eventually('the operator is ready', look);
  }

  /** Waits until it says that it has started. Fails with its output when it ends instead. */
  async serving(): Promise<Started> {
    return eventually('the operator has started', () => {
      // Also where it was killed before anybody looked: it may be at work the moment after it has said so.
      if (this.#started !== undefined) return this.#started;
      if (this.hasEnded) throw new Error(`the operator has ended:\n${this.output}`);
      return undefined;
    });
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error('the operator did not start');
    return this.#process.pid;
  }

  /** What it printed when it had started: its ports. */
  get started(): Started {
    if (this.#started === undefined) throw new Error('the operator has not started yet');
    return this.#started;
  }

  /** Its wall clock jumps to so far from the real one. Resolves when it has. */
  async setClock(milliseconds: number): Promise<void> {
    if (this.hasEnded) return;
    const told = once(this.#process, 'message');
    this.#process.send({ clockMilliseconds: milliseconds });
    await told;
  }

  /** As a node that loses power. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exit;
  }

  /** SIGTERM, as a kubelet asks it to stop; its exit code. */
  async stop(): Promise<number | null> {
    this.#process.kill('SIGTERM');
    return this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  /** A page of its health port. */
  async page(path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${this.started.metricsPort}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  #read(): void {
    const lines = this.output.split('\n');
    for (; this.#lines < lines.length - 1; this.#lines++) {
      const line = lines[this.#lines] ?? '';
      if (this.#started === undefined && line.startsWith('{')) this.#started = Started.safeParse(JSON.parse(line)).data;
    }
  }
}
