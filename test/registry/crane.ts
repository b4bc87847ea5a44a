import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecretValue } from '../../src/base/secret-value.ts';

/** A name and a secret, as `docker login` would keep them. */
export interface Login {
  username: string;
  secret: SecretValue;
}

export interface Ran {
  ok: boolean;
  stdout: string;
  stderr: string;
}

/** `crane`, a client of registries, with a directory of its own for logins and layers; whoever made the directory removes it. */
export class Crane {
  readonly #binary: string;
  readonly #directory: string;

  private constructor(binary: string, directory: string) {
    this.#binary = binary;
    this.#directory = directory;
  }

  /** `authority` is the certificate of the CA that the servers are certified by (PEM). */
  static async create(binary: string, directory: string, authority: string): Promise<Crane> {
    await mkdir(directory);
    await writeFile(join(directory, 'ca.pem'), authority);
    return new Crane(binary, directory);
  }

  /** Runs it as somebody who is logged in to the host, or as nobody. */
  run(args: readonly string[], as?: { host: string; login: Login }): Promise<Ran> {
    const auths = as === undefined ? {} : { [as.host]: { auth: encoded(as.login) } };
    return this.runWith(JSON.stringify({ auths }), args);
  }

  /** Runs it with this configuration of docker: what an image pull secret holds. */
  async runWith(config: string, args: readonly string[]): Promise<Ran> {
    const home = join(this.#directory, randomUUID());
    await mkdir(home);
    await writeFile(join(home, 'config.json'), config, { mode: 0o600 });
    const env = {
      PATH: process.env.PATH,
      HOME: home,
      DOCKER_CONFIG: home,
      SSL_CERT_FILE: join(this.#directory, 'ca.pem'),
    };
    return ran(spawn(this.#binary, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** The path of a new layer (tar) with one file of so many random bytes. */
  async layer(bytes = 100): Promise<string> {
    const path = join(this.#directory, `${randomUUID()}.tar`);
    await writeFile(path, tarOf('file', randomBytes(bytes)));
    return path;
  }
}

function ran(child: ReturnType<typeof spawn>): Promise<Ran> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => resolve({ ok: code === 0, stdout, stderr }));
  });
}

function encoded({ username, secret }: Login): string {
  return Buffer.from(`${username}:${secret.reveal()}`).toString('base64');
}

/** One file in the form of POSIX.1-1988 (ustar). */
function tarOf(name: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148); // the sum is computed with spaces in its place
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
