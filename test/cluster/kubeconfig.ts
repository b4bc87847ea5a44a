import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { KeyPair } from './certificates.ts';

/** How somebody shows who they are. */
export type Credential = { certificate: KeyPair } | { token: string };

export interface KubeconfigContent {
  /** https URL */
  server: string;
  /** PEM */
  ca: string;
  credential: Credential;
  namespace?: string;
}

/** The text of a kubeconfig with one context. */
export function kubeconfig(content: KubeconfigContent): string {
  const { server, ca, credential, namespace } = content;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'botmint',
    clusters: [{ name: 'botmint', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'user', user: userOf(credential) }],
    contexts: [{ name: 'botmint', context: { cluster: 'botmint', user: 'user', namespace: namespace ?? 'default' } }],
  });
}

const flattened = z.looseObject({ users: z.tuple([z.looseObject({ name: z.string(), user: z.looseObject({}) })]) });

/** Kubeconfigs made from another one, for the same server and with its certificates, in files of their own. */
export class Derived {
  readonly #flat: () => Promise<string>;
  #directory: string | undefined;

  /** `flat` gives the other one as JSON with one context and without references to files. */
  constructor(flat: () => Promise<string>) {
    this.#flat = flat;
  }

  /** The path of a new kubeconfig that shows this token. */
  withToken(token: string): Promise<string> {
    return this.#write(() => ({ token }));
  }

  /** The path of a new kubeconfig with which the same user acts as another one. */
  impersonating(o: { user: string; groups?: readonly string[] }): Promise<string> {
    return this.#write(user => ({ ...user, as: o.user, 'as-groups': [...(o.groups ?? [])] }));
  }

  async remove(): Promise<void> {
    if (this.#directory) await rm(this.#directory, { recursive: true, force: true });
  }

  async #write(change: (user: object) => object): Promise<string> {
    const config = flattened.parse(JSON.parse(await this.#flat()));
    this.#directory ??= await mkdtemp(join(tmpdir(), 'botmint-kubeconfig-'));
    const path = join(this.#directory, randomUUID());
    const [{ name, user }] = config.users;
    await writeFile(path, stringify({ ...config, users: [{ name, user: change(user) }] }), { mode: 0o600 });
    return path;
  }
}

function userOf(credential: Credential): Record<string, string> {
  if ('token' in credential) return { token: credential.token };
  const { certificate, privateKey } = credential.certificate;
  return { 'client-certificate-data': base64(certificate), 'client-key-data': base64(privateKey) };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
