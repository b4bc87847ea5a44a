import { Pool } from 'undici';
import { z } from 'zod';
import type { Api } from '../cluster/api.ts';
import { connectionOf } from '../cluster/connect.ts';
import { eventually } from '../cluster/wait.ts';
import { type Applied, applyToken, requestsInFlight, secretsPath, tokensPath } from './objects.ts';

export const Template = z.object({
  name: z.string(),
  uid: z.string(),
  /** JSON of the Secret and of the status that the operator wrote for the token of that name and UID. */
  secret: z.string(),
  status: z.string(),
});
export type Template = z.infer<typeof Template>;

/** What the operator writes, taken from a token that it has issued: the bare client writes the same for others. */
export async function templateOf(api: Api, namespace: string): Promise<Template> {
  const { name, uid } = await applyToken(api, 'template', namespace, 'template-00000');
  const token = await eventually('the token that is the template', async () => {
    const found = await api.get(`${tokensPath(namespace)}/${name}`);
    return Issued.safeParse(found?.status).success ? found : undefined;
  });
  const secret = await api.get(`${secretsPath(namespace)}/${name}`);
  if (secret === undefined) throw new Error('the token that is the template has no Secret');
  const { labels, annotations, ownerReferences } = secret.metadata;
  const body = { metadata: { name, labels, annotations, ownerReferences }, type: secret.type, data: secret.data };
  return { name, uid, secret: JSON.stringify(body), status: JSON.stringify({ status: token.status }) };
}

const Issued = z.object({ tokenID: z.string() });

/** The least that somebody can do who writes what the operator writes: three requests, and no look at the answers. */
export class BareClient {
  readonly #pool: Pool;
  readonly #headers: Record<string, string | string[]>;
  readonly #template: Template;

  private constructor(pool: Pool, headers: Record<string, string | string[]>, template: Template) {
    this.#pool = pool;
    this.#headers = headers;
    this.#template = template;
  }

  static async open(kubeconfig: string, template: Template): Promise<BareClient> {
    const { server, connect, headers } = await connectionOf(kubeconfig);
    return new BareClient(new Pool(server, { connections: requestsInFlight, connect }), headers, template);
  }

  /** Finalizer, Secret, status: one after another. */
  async issue({ namespace, name, uid, resourceVersion }: Applied): Promise<void> {
    const own = (text: string) => text.replaceAll(this.#template.name, name).replaceAll(this.#template.uid, uid);
    const token = `${tokensPath(namespace)}/${name}`;
    const finalizers = ['botmint.dev/revoke'];
    await this.#send('PATCH', token, JSON.stringify({ metadata: { finalizers, resourceVersion } }));
    await this.#send('POST', secretsPath(namespace), own(this.#template.secret));
    await this.#send('PATCH', `${token}/status`, own(this.#template.status));
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
