import { spawn } from 'node:child_process';

export interface KubectlOptions {
  /** Standard input, for `-f -`. */
  input?: string;
}

/** kubectl ended with an error; the message holds the arguments and what it said. */
export class KubectlFailed extends Error {
  readonly stderr: string;

  constructor(args: readonly string[], stderr: string) {
    super(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
    this.stderr = stderr;
  }
}

/** Runs kubectl and gives its standard output; throws KubectlFailed. */
export async function kubectl(
  at: { binary: string; kubeconfig: string },
  args: readonly string[],
  { input = '' }: KubectlOptions = {},
): Promise<string> {
  const child = spawn(at.binary, args, { env: { ...process.env, KUBECONFIG: at.kubeconfig } });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  child.stdin.on('error', () => undefined); // it ended before it read everything: its exit code says why
  child.stdin.end(input);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new KubectlFailed(args, output.stderr);
  return output.stdout;
}
