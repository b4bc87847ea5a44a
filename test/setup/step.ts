import { spawn } from 'node:child_process';

export interface StepResult {
  code: number;
  seconds: number;
  output: string;
}

/** Runs a program to its end and keeps what it says; a program that a signal ended counts as failed. */
export async function runStep(command: string, args: readonly string[]): Promise<StepResult> {
  const began = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number>(resolve => {
    child.once('error', error => {
      output += error.message;
      resolve(1);
    });
    child.once('close', ended => resolve(ended ?? 1));
  });
  return { code, seconds: (performance.now() - began) / 1000, output };
}
