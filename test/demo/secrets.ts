import { z } from 'zod';
import type { Api, KubeObject } from '../cluster/api.ts';

/** A Secret beside the examples. */
export function secretOf(api: Api, name: string): Promise<KubeObject | undefined> {
  return api.get(`/api/v1/namespaces/default/secrets/${name}`);
}

/** What it holds under a key. */
export function held(secret: KubeObject | undefined, key: string): string | undefined {
  const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(secret ?? { data: {} });
  return data[key] === undefined ? undefined : Buffer.from(data[key], 'base64').toString();
}
