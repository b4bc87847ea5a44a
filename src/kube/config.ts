import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SecretValue } from '../base/secret-value.ts';
import type { ClusterConfig, Credentials } from './credentials.ts';
import { inClusterConfig, isInCluster, type PodSurroundings } from './in-cluster.ts';
import { type Context, type KubeconfigUser, readContext } from './kubeconfig.ts';

export interface ConfigOptions {
  /** A path, or several separated by `:` as in $KUBECONFIG. */
  kubeconfig?: string | undefined;
  /** Another context than the current one. */
  context?: string | undefined;
  /** For the choice that is made without a kubeconfig. */
  pod?: PodSurroundings;
}

/**
 * The cluster to talk to: the kubeconfig that is named, else the ServiceAccount of the pod, else ~/.kube/config. Throws
 * KubeconfigInvalid. client-node is loaded only for users with `exec` or `auth-provider`: it costs 60 MB of memory.
 */
export function loadConfig({ kubeconfig, context, pod = {} }: ConfigOptions): ClusterConfig {
  if (kubeconfig === undefined && isInCluster(pod)) return inClusterConfig(pod);
  return configOf(readContext(kubeconfig ?? join(homedir(), '.kube', 'config'), context));
}

function configOf(context: Context): ClusterConfig {
  const url = new URL(context.cluster.server);
  return {
    origin: url.origin,
    basePath: url.pathname.replace(/\/+$/, ''),
    namespace: context.namespace,
    credentials: reader(context),
  };
}

function reader(context: Context): () => Promise<Credentials> {
  const { user } = context;
  if (user.exec === undefined && user['auth-provider'] === undefined) return () => staticCredentials(context);
  let plugin: Promise<() => Promise<Plugged>> | undefined;
  return async () => {
    plugin ??= pluginOf(context);
    const [given, plugged] = await Promise.all([staticCredentials(context), (await plugin)()]);
    return {
      ...given,
      authorization: plugged.authorization ?? given.authorization,
      tls: { ...given.tls, cert: plugged.cert ?? given.tls.cert, key: plugged.key ?? given.tls.key },
    };
  };
}

async function staticCredentials({ cluster, user }: Context): Promise<Credentials> {
  const [ca, cert, key] = await Promise.all([
    pem(cluster['certificate-authority-data'], cluster['certificate-authority']),
    pem(user['client-certificate-data'], user['client-certificate']),
    pem(user['client-key-data'], user['client-key']),
  ]);
  return {
    authorization: await authorizationOf(user),
    impersonation: impersonationOf(user),
    tls: {
      ca,
      cert,
      key: key === undefined ? undefined : new SecretValue(key),
      serverName: cluster['tls-server-name'],
      insecure: cluster['insecure-skip-tls-verify'] === true,
    },
  };
}

async function authorizationOf(user: KubeconfigUser): Promise<SecretValue | undefined> {
  // A file is read before an inlined token is used, as kubectl does: the inlined one may be a stale copy.
  const token = user.tokenFile === undefined ? user.token : (await readFile(user.tokenFile, 'utf8')).trim();
  if (token !== undefined) return new SecretValue(`Bearer ${token}`);
  if (user.username === undefined) return undefined;
  return new SecretValue(`Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`);
}

function impersonationOf(user: KubeconfigUser): string[] {
  if (user.as === undefined) return [];
  return ['impersonate-user', user.as, ...(user['as-groups'] ?? []).flatMap(group => ['impersonate-group', group])];
}

/** Inlined base64 goes before a file, as in kubectl. */
async function pem(inlined: string | undefined, path: string | undefined): Promise<string | undefined> {
  if (inlined !== undefined) return Buffer.from(inlined, 'base64').toString('utf8');
  return path === undefined ? undefined : await readFile(path, 'utf8');
}

interface Plugged {
  authorization: SecretValue | undefined;
  cert: string | undefined;
  key: SecretValue | undefined;
}

/** Lets client-node run the plugin; it keeps what it got until that expires. */
async function pluginOf({ cluster, user }: Context): Promise<() => Promise<Plugged>> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'cluster', server: cluster.server, skipTLSVerify: false },
    { name: 'user', exec: user.exec, authProvider: user['auth-provider'] },
  );
  return async () => {
    const options: Parameters<typeof config.applyToHTTPSOptions>[0] = {};
    await config.applyToHTTPSOptions(options);
    return {
      authorization: bearerOf(options.headers),
      cert: options.cert?.toString(),
      key: options.key === undefined ? undefined : new SecretValue(options.key.toString()),
    };
  };
}

function bearerOf(headers: object | undefined): SecretValue | undefined {
  if (headers === undefined || !('Authorization' in headers)) return undefined;
  return typeof headers.Authorization === 'string' ? new SecretValue(headers.Authorization) : undefined;
}
