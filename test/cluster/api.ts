import { Agent, request } from 'undici';
import { z } from 'zod';
import { connectionOf } from './connect.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** The parsed JSON body; the text itself where it is none. */
  body: unknown;
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  headers?: Record<string, string>;
}

/** What every object of the API has; for tests that look at an object field by field, the rest stays unknown. */
export const kubeObject = z.looseObject({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    resourceVersion: z.string(),
    finalizers: z.array(z.string()).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.string().optional(),
  }),
});
export type KubeObject = z.infer<typeof kubeObject>;

/** The server answered with a status that the caller did not expect. */
export class Refused extends Error {
  readonly answer: Answer;

  constructor(what: string, answer: Answer) {
    super(`${what}: ${answer.status} ${JSON.stringify(answer.body)}`);
    this.answer = answer;
  }
}

/**
 * The API of a cluster for tests, by path, with the rights of a kubeconfig. On purpose nothing of src/kube: a test must
 * not look at the world through what it tests.
 */
export class Api {
  readonly server: string;
  readonly #agent: Agent;
  readonly #headers: Record<string, string | string[]>;

  private constructor(server: string, agent: Agent, headers: Record<string, string | string[]>) {
    this.server = server;
    this.#agent = agent;
    this.#headers = headers;
  }

  /** Reads the kubeconfig's current context. */
  static async open(kubeconfigFile: string): Promise<Api> {
    const { server, connect, headers } = await connectionOf(kubeconfigFile);
    return new Api(server, new Agent({ connect }), headers);
  }

  /** Whatever the server answers; throws only when it does not answer. */
  async call(path: string, { method = 'GET', body, headers = {} }: Call = {}): Promise<Answer> {
    const answer = await request(new URL(path, this.server), {
      method,
      dispatcher: this.#agent,
      headers: { 'content-type': 'application/json', ...this.#headers, ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: answer.statusCode, headers: answer.headers, body: parsed(await answer.body.text()) };
  }

  /** The object at a path, or undefined when there is none. */
  async get(path: string): Promise<KubeObject | undefined> {
    const answer = await this.call(path);
    return answer.status === 404 ? undefined : kubeObject.parse(successful(`GET ${path}`, answer));
  }

  async list(path: string): Promise<KubeObject[]> {
    return z.object({ items: z.array(kubeObject) }).parse(successful(`GET ${path}`, await this.call(path))).items;
  }

  /** POST to the path of a collection. */
  async create(path: string, body: unknown): Promise<KubeObject> {
    return kubeObject.parse(successful(`POST ${path}`, await this.call(path, { method: 'POST', body })));
  }

  /** JSON merge patch. */
  async patch(path: string, body: unknown): Promise<KubeObject> {
    const headers = { 'content-type': 'application/merge-patch+json' };
    return kubeObject.parse(successful(`PATCH ${path}`, await this.call(path, { method: 'PATCH', body, headers })));
  }

  /** Server-side apply, as `kubectl apply --server-side --force-conflicts`: makes the object, or brings it to this. */
  async apply(path: string, body: unknown): Promise<KubeObject> {
    const headers = { 'content-type': 'application/apply-patch+yaml' };
    const query = '?fieldManager=test&force=true';
    const answer = await this.call(`${path}${query}`, { method: 'PATCH', body, headers });
    return kubeObject.parse(successful(`apply ${path}`, answer));
  }

  /** An object that is not there is as good as deleted. */
  async delete(path: string, body?: unknown): Promise<void> {
    const answer = await this.call(path, { method: 'DELETE', body });
    if (answer.status !== 404) successful(`DELETE ${path}`, answer);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function successful(what: string, answer: Answer): unknown {
  if (answer.status >= 300) throw new Refused(what, answer);
  return answer.body;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // /readyz, /metrics and proxies answer in plain text
  }
}
