import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { eventually } from '../cluster/wait.ts';
import { compileCache, nodeFlags } from '../e2e/node-flags.ts';
import { type Calls, callsOf, total, workSince } from './calls.ts';
import { Inspector } from './inspector.ts';
import { cpuSeconds, residentBytes } from './processes.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const clock = join(import.meta.dirname, '..', 'e2e', 'clock.ts');
const Started = z.object({ msg: z.literal('started'), port: z.number(), metricsPort: z.number() });
const Profile = z.object({ profile: z.unknown() });

/** Quiet: so long without work, and with no more processor time than watches and Leases take. */
const quietSeconds = 5;
const idleShare = 0.05;

export interface MeasuredOptions {
  kubeconfig: string;
  directory: string;
  /** With a wall clock that `setClock` shifts; else it is the program as it ships, and nothing beside it. */
  movableClock?: boolean | undefined;
}

/**
 * The operator that ships, as a process of its own with its default flags. Its log goes to a file, so that nobody here is
 * busy with reading it.
 */
export class MeasuredOperator {
  /** performance.now() at which the process was begun. */
  readonly begunAt = performance.now();
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #logFile: string;
  #metricsPort = 0;
  #port = 0;

  private constructor(child: ChildProcess, logFile: string) {
    this.#process = child;
    this.#exit = once(child, 'exit');
    this.#logFile = logFile;
  }

  static spawn(o: MeasuredOptions): MeasuredOperator {
    const logFile = join(o.directory, `operator-${Date.now()}.log`);
    const log = openSync(logFile, 'a');
    const flags = ['--kubeconfig', o.kubeconfig, '--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0'];
    // The port is for an inspector that is asked for later; until then there is none.
    const node = [...nodeFlags, '--inspect-port=127.0.0.1:0', ...(o.movableClock === true ? ['--import', clock] : [])];
    const child = spawn(process.execPath, [...node, main, ...flags], {
      stdio: ['ignore', log, log, ...(o.movableClock === true ? (['ipc'] as const) : [])],
      env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache },
    });
    closeSync(log);
    return new MeasuredOperator(child, logFile);
  }

  /** Resolves when it serves; its caches are filled then. */
  static async start(o: MeasuredOptions): Promise<MeasuredOperator> {
    const operator = MeasuredOperator.spawn(o);
    await operator.serving();
    return operator;
  }

  async serving(): Promise<void> {
    const look = async () => {
      if (this.#process.exitCode !== null) throw new Error(`the operator has ended: ${await this.#log()}`);
      const started = (await this.#log()).split('\n').find(line => line.includes('"msg":"started"'));
      return started === undefined ? undefined : Started.parse(JSON.parse(started));
    };
    const { port, metricsPort } = await eventually('the operator serves', look);
    this.#port = port;
    this.#metricsPort = metricsPort;
  }

  /** Of the TLS endpoints. */
  get port(): number {
    return this.#port;
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error('the operator did not start');
    return this.#process.pid;
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.pid);
  }

  get residentBytes(): number {
    return residentBytes(this.pid);
  }

  /** Its wall clock jumps to so far from the real one. Resolves when it has; the operator notices at its next look at it. */
  async setClock(milliseconds: number): Promise<void> {
    const told = once(this.#process, 'message');
    this.#process.send({ clockMilliseconds: milliseconds });
    await told;
  }

  /** Stops it as it stands; nothing is done until `resume`. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  /** SIGTERM: it gives its Leases back, so that the next one begins at once. */
  async stop(): Promise<void> {
    this.#process.kill('SIGCONT');
    this.#process.kill('SIGTERM');
    await this.#exit;
  }

  /** Requests to the API server since it started. */
  async calls(): Promise<Calls> {
    const answer = await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`);
    return callsOf(await answer.text());
  }

  /** Waits until it has nothing to do; the processor time that it had used until then, in seconds. */
  async quiet(): Promise<number> {
    let calls = await this.calls();
    for (;;) {
      const used = this.cpuSeconds;
      await sleep(quietSeconds * 1000);
      const isIdle = this.cpuSeconds - used < quietSeconds * idleShare;
      const before = calls;
      calls = await this.calls();
      if (isIdle && total(workSince(before, calls)) === 0) return used;
    }
  }

  /** Opens the inspector (SIGUSR1) that Node has for every process. */
  async inspect(): Promise<Inspector> {
    this.#process.kill('SIGUSR1');
    const url = await eventually(
      'the inspector listens',
      async () => /Debugger listening on (ws:\S+)/.exec(await this.#log())?.[1],
    );
    return Inspector.open(url);
  }

  /** Where its processor time goes while something is done, into a file that Chrome and VS Code open. */
  async profiled<T>(file: string | undefined, work: () => Promise<T>): Promise<T> {
    if (file === undefined) return work();
    const inspector = await this.inspect();
    await inspector.call('Profiler.enable');
    await inspector.call('Profiler.setSamplingInterval', { interval: 500 });
    await inspector.call('Profiler.start');
    const result = await work();
    const { profile } = Profile.parse(await inspector.call('Profiler.stop'));
    await writeFile(file, JSON.stringify(profile));
    inspector.close();
    return result;
  }

  #log(): Promise<string> {
    return readFile(this.#logFile, 'utf8');
  }
}
