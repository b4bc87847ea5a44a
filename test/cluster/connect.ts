import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { z } from 'zod';

/** What undici needs for TLS. */
export interface Trust {
  ca?: string;
  cert?: string;
  key?: string;
  rejectUnauthorized?: boolean;
  servername?: string;
}

export interface Connection {
  /** https URL */
  server: string;
  /** The CA, and a client certificate if there is one. */
  connect: Trust;
  /** Who the client is, if a header says so. */
  headers: Record<string, string | string[]>;
}

const text = z.union([z.string(), z.instanceof(Buffer).transform(String)]).optional();
const trust = z
  .object({ ca: text, cert: text, key: text, rejectUnauthorized: z.boolean().optional(), servername: text })
  .transform((given): Trust => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));

/** How to reach the cluster of the current context of a kubeconfig, as the user of that context. */
export async function connectionOf(kubeconfigPath: string): Promise<Connection> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`${kubeconfigPath} has no current context`);
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const connect = trust.parse(options);
  const headers = z.record(z.string(), z.string()).parse(options.headers ?? {});
  const groups = groupsIn(readFileSync(kubeconfigPath, 'utf8'), config.getCurrentUser()?.name);
  return {
    server: cluster.server,
    connect,
    headers: { ...headers, ...(groups.length > 0 && { 'impersonate-group': groups }) },
  };
}

const groupsOfUsers = z.object({
  users: z.array(z.object({ name: z.string(), user: z.looseObject({ 'as-groups': z.array(z.string()).optional() }) })),
});

/** The groups that a user acts in; the client library knows `as` and not `as-groups`. */
function groupsIn(kubeconfig: string, userName: string | undefined): string[] {
  const { users } = groupsOfUsers.parse(parse(kubeconfig));
  return users.find(({ name }) => name === userName)?.user['as-groups'] ?? [];
}
