import { Pool } from 'undici';
import { z } from 'zod';
import type { Api, KubeObject } from '../cluster/api.ts';
import { connectionOf } from '../cluster/connect.ts';
import { eventually } from '../cluster/wait.ts';
import { type Applied, apply, objectsPath, requestsInFlight, secretsPath } from './objects.ts';
import { plurals, type Wished, wishedToken } from './wished.ts';

/** Stands in the texts of a template for the resourceVersion of the object that is patched. */
export const resourceVersionMark = '<resourceVersion>';

export const Template = z.object({
  plural: z.enum(plurals),
  name: z.string(),
  uid: z.string(),
  /** JSON of the Secret and of the status that the operator wrote for the token of that name and UID. */
  secret: z.string(),
  status: z.string(),
  /** JSON of the merge patches with which the operator rotated it, and recorded the end of the overlap. */
  rotation: z.object({ secret: z.string(), status: z.string(), end: z.string() }).optional(),
});
export type Template = z.infer<typeof Template>;

/** An object at a version. */
export type Versioned = Omit<Applied, 'uid'>;

/** An issued token for which nothing runs: where the operator would read its caches. */
export interface Issued extends Applied {
  secretResourceVersion: string;
}

/** What the operator writes, taken from a token that it has issued: the bare client writes the same for others. */
export async function templateOf(api: Api, namespace: string, wished: Wished = wishedToken()): Promise<Template> {
  const { name, uid } = await apply(api, 'template', { namespace, name: 'template-00000' }, wished);
  const token = await eventually('the token that is the template', async () => {
    const found = await api.get(`${objectsPath(wished.plural, namespace)}/${name}`);
    return WithToken.safeParse(found?.status).success ? found : undefined;
  });
  const secret = await api.get(`${secretsPath(namespace)}/${name}`);
  if (secret === undefined) throw new Error('the token that is the template has no Secret');
  const { type, data } = secret;
  const body = { metadata: { name, ...marksOf(secret) }, type, data };
  return {
    plural: wished.plural,
    name,
    uid,
    secret: JSON.stringify(body),
    status: JSON.stringify({ status: token.status }),
  };
}

const WithToken = z.object({ tokenID: z.string() });

/** What the operator writes into the metadata of a Secret, at every issue. */
export function marksOf({ metadata: { labels, annotations, ownerReferences } }: KubeObject) {
  return { labels, annotations, ownerReferences };
}

/** The least that somebody can do who writes what the operator writes: its requests, and no look at the answers. */
export class BareClient {
  readonly #pool: Pool;
  readonly #headers: Record<string, string | string[]>;
  readonly #learned: Template | undefined;

  private constructor(pool: Pool, headers: Record<string, string | string[]>, template: Template | undefined) {
    this.#pool = pool;
    this.#headers = headers;
    this.#learned = template;
  }

  static async open(kubeconfig: string, template?: Template): Promise<BareClient> {
    const { server, connect, headers } = await connectionOf(kubeconfig);
    return new BareClient(new Pool(server, { connections: requestsInFlight, connect }), headers, template);
  }

  /** Finalizer, Secret, status: one after another. */
  async issue({ namespace, name, uid, resourceVersion }: Applied): Promise<void> {
    const own = (text: string) => this.#own(text, { name, uid });
    const token = this.#path(namespace, name);
    const finalizers = ['botmint.dev/revoke'];
    await this.#send('PATCH', token, JSON.stringify({ metadata: { finalizers, resourceVersion } }));
    await this.#send('POST', secretsPath(namespace), own(this.#template.secret));
    await this.#send('PATCH', `${token}/status`, own(this.#template.status));
  }

  /** Secret and status, each at the version that is known. */
  async rotate(issued: Issued): Promise<void> {
    const { secret, status } = this.#rotation;
    const { namespace, name } = issued;
    const versioned = this.#own(secret, { ...issued, resourceVersion: issued.secretResourceVersion });
    await this.#send('PATCH', `${secretsPath(namespace)}/${name}`, versioned);
    await this.#send('PATCH', `${this.#path(namespace, name)}/status`, this.#own(status, issued));
  }

  /** The status once more. */
  async endOverlap(issued: Issued): Promise<void> {
    const { namespace, name } = issued;
    await this.#send('PATCH', `${this.#path(namespace, name)}/status`, this.#own(this.#rotation.end, issued));
  }

  /** Puts this merge patch (JSON) into a Secret. */
  async rewrite({ namespace, name, resourceVersion }: Versioned, text: string): Promise<void> {
    const path = `${secretsPath(namespace)}/${name}`;
    await this.#send('PATCH', path, text.replace(resourceVersionMark, resourceVersion));
  }

  get #template(): Template {
    if (this.#learned === undefined) throw new Error('the bare client knows no template');
    return this.#learned;
  }

  #path(namespace: string, name: string): string {
    return `${objectsPath(this.#template.plural, namespace)}/${name}`;
  }

  get #rotation(): NonNullable<Template['rotation']> {
    if (this.#template.rotation === undefined) throw new Error('the template knows no rotation');
    return this.#template.rotation;
  }

  #own(text: string, { name, uid, resourceVersion = '' }: { name: string; uid: string; resourceVersion?: string }) {
    const named = text.replaceAll(this.#template.name, name).replaceAll(this.#template.uid, uid);
    return named.replace(resourceVersionMark, resourceVersion);
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #send(method: 'POST' | 'PATCH', path: string, body: string): Promise<void> {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers = { ...this.#headers, 'content-type': contentType };
    const answer = await this.#pool.request({ method, path, headers, body });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
  }
}
