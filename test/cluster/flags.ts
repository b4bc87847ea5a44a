import type { Files } from './files.ts';

/** One member, on disk without fsync: a test's data need not survive the machine. */
export function etcdFlags(files: Files, client: string, peer: string): string[] {
  return [
    `--data-dir=${files.path('etcd')}`,
    '--unsafe-no-fsync',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    '--log-level=error',
  ];
}

/** RBAC, client certificates and ServiceAccount tokens; all admission plugins that are on by default but one. */
export function apiserverFlags(files: Files, etcd: string, port: number): string[] {
  return [
    `--etcd-servers=${etcd}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--tls-cert-file=${files.path('apiserver.crt')}`,
    `--tls-private-key-file=${files.path('apiserver.key')}`,
    `--client-ca-file=${files.path('ca.crt')}`,
    `--service-account-issuer=https://127.0.0.1:${port}/`,
    `--service-account-key-file=${files.path('service-accounts.pub')}`,
    `--service-account-signing-key-file=${files.path('service-accounts.key')}`,
    '--authorization-mode=RBAC',
    // There is no controller that makes the ServiceAccount `default` of each namespace.
    '--disable-admission-plugins=ServiceAccount',
    '--service-cluster-ip-range=10.0.0.0/24',
    '--allow-privileged',
    '--endpoint-reconciler-type=none',
  ];
}

/** Only the controllers that tests depend on. */
export function managerFlags(files: Files): string[] {
  const controllers = [
    'garbage-collector-controller',
    'namespace-controller',
    'validatingadmissionpolicy-status-controller',
    'resourcequota-controller',
    'clusterrole-aggregation-controller', // without it the roles view and edit are empty
  ];
  return [
    `--kubeconfig=${files.path('admin.kubeconfig')}`,
    '--leader-elect=false',
    `--controllers=${controllers.join(',')}`,
    '--use-service-account-credentials=false',
    '--secure-port=0', // nobody asks it, and it would end if somebody else were faster on its port
  ];
}
