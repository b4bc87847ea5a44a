import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Authority, type KeyPair } from './certificates.ts';
import { type KubeconfigContent, kubeconfig } from './kubeconfig.ts';

const secret = { mode: 0o600 };

/** The directory of a control plane. Another process that knows the path can make credentials from what lies there. */
export class Files {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async writeKeyPair(name: string, pair: KeyPair): Promise<void> {
    await writeFile(this.path(`${name}.crt`), pair.certificate);
    await writeFile(this.path(`${name}.key`), pair.privateKey, secret);
  }

  /** Gives the path. */
  async writeKubeconfig(name: string, content: KubeconfigContent): Promise<string> {
    const path = this.path(`${name}.kubeconfig`);
    await writeFile(path, kubeconfig(content), secret);
    return path;
  }

  /** The path of a new kubeconfig with a client certificate for this user. */
  async kubeconfigForUser(server: string, o: { user: string; groups?: readonly string[] }): Promise<string> {
    const pair = { certificate: await this.#ca(), privateKey: await readFile(this.path('ca.key'), 'utf8') };
    const certificate = await (await Authority.load(pair)).user(o.user, o.groups ?? []);
    return this.writeKubeconfig(randomUUID(), { server, ca: pair.certificate, credential: { certificate } });
  }

  /** The path of a new kubeconfig that shows this token. */
  async kubeconfigForToken(server: string, token: string): Promise<string> {
    return this.writeKubeconfig(randomUUID(), { server, ca: await this.#ca(), credential: { token } });
  }

  #ca(): Promise<string> {
    return readFile(this.path('ca.crt'), 'utf8');
  }
}
