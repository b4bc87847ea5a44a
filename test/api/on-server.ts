import * as z from 'zod';
import { apiVersion } from '../../src/api/names.ts';
import type { Answer, Cluster } from '../cluster/cluster.ts';
import type { Good } from './sample.ts';

/** What the API server says when it refuses an object. */
export const refusal = z.object({
  message: z.string(),
  details: z
    .object({ causes: z.array(z.object({ field: z.string().optional(), message: z.string().optional() })) })
    .optional(),
});

/** Sends samples to the API server, those of namespaced kinds into one namespace. */
export class Samples {
  readonly #cluster: Cluster;
  readonly #namespace: string;

  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
  }

  async create(sample: Good): Promise<Answer> {
    return this.#post(sample, 'fieldValidation=Strict');
  }

  /** Judged as if it were created, and not stored. */
  async judge(sample: Good): Promise<Answer> {
    return this.#post(sample, 'fieldValidation=Strict&dryRun=All');
  }

  /** Merges a change into the spec of what was created. */
  async change(sample: Good, spec: object): Promise<Answer> {
    const headers = { 'content-type': 'application/merge-patch+json' };
    const api = await this.#cluster.api();
    return api.call(this.#path(sample), { method: 'PATCH', body: { spec }, headers });
  }

  async remove(sample: Good): Promise<void> {
    await (await this.#cluster.api()).delete(this.#path(sample));
  }

  async #post({ kind, object }: Good, query: string): Promise<Answer> {
    return (await this.#cluster.api()).call(`${this.#collection(kind)}?${query}`, { method: 'POST', body: object });
  }

  #collection({ plural, namespaced }: Good['kind']): string {
    return `/apis/${apiVersion}/${namespaced ? `namespaces/${this.#namespace}/` : ''}${plural}`;
  }

  #path({ kind, object }: Good): string {
    return `${this.#collection(kind)}/${object.metadata.name}`;
  }
}

/** Issuers stand in no namespace: what is stored has a name that no other test has. */
export function renamed(sample: Good): Good {
  return { ...sample, object: { ...sample.object, metadata: { name: `s-${crypto.randomUUID()}` } } };
}
