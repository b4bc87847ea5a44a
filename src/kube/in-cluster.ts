import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SecretValue } from '../base/secret-value.ts';
import type { ClusterConfig } from './credentials.ts';

const mount = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface PodSurroundings {
  /** Where the kubelet mounts the ServiceAccount. */
  mount?: string | undefined;
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT; the cluster's DNS name when left out. */
  host?: string | undefined;
  port?: string | undefined;
}

/** Whether this process runs in a pod with a ServiceAccount. */
export function isInCluster(of: PodSurroundings): boolean {
  return existsSync(join(of.mount ?? mount, 'token'));
}

/** The ServiceAccount of the pod. Token and CA are files that the kubelet replaces, so they are read each time. */
export function inClusterConfig(of: PodSurroundings): ClusterConfig {
  const directory = of.mount ?? mount;
  const host = of.host ?? 'kubernetes.default.svc';
  return {
    origin: `https://${host.includes(':') ? `[${host}]` : host}:${of.port ?? '443'}`,
    basePath: '',
    namespace: readFileSync(join(directory, 'namespace'), 'utf8').trim(),
    credentials: async () => {
      const [token, ca] = await Promise.all([textOf(join(directory, 'token')), textOf(join(directory, 'ca.crt'))]);
      return {
        authorization: new SecretValue(`Bearer ${token.trim()}`),
        impersonation: [],
        tls: { ca, cert: undefined, key: undefined, serverName: undefined, insecure: false },
      };
    },
  };
}

function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8');
}
