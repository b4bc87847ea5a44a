import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { cpuSeconds } from './processes.ts';

/** What a server says that has nothing else to say. */
export const Listening = z.object({ port: z.number() });
export type Listening = z.infer<typeof Listening>;

/** A server as a process of its own. It is told something in a line of its standard input, and answers each with a line. */
export class ServerProcess {
  readonly #program: string;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** `program` is a file of this folder; `flags` are for Node. */
  constructor(program: string, flags: readonly string[] = []) {
    const child = spawn(process.execPath, [...flags, join(import.meta.dirname, program)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    });
    this.#program = program;
    this.#process = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** What it answers. Throws when it has ended instead. */
  async tell(what: object): Promise<unknown> {
    this.#process.stdin?.write(`${JSON.stringify(what)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`${this.#program} has ended`);
    return JSON.parse(value);
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.#process.pid ?? 0);
  }

  /** Its input ends, and with it the process; so does it when nobody could stop it in good order. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.stdin?.end();
    await once(this.#process, 'exit');
  }
}

/** For the program of such a process: answers whatever it is told, and ends with whoever tells it. */
export async function answerLines(answer: (told: unknown) => Promise<object>): Promise<void> {
  for await (const line of createInterface(process.stdin)) console.log(JSON.stringify(await answer(JSON.parse(line))));
  process.exit(0);
}
