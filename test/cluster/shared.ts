import { existsSync } from 'node:fs';
import { SetupNeeded } from './build.ts';
import { ControlPlane } from './control-plane.ts';
import { applyCRDs } from './crds.ts';
import { kubectl } from './kubectl.ts';

/** What the processes that run the tests are told about the cluster that they share. */
export interface SharedCluster {
  kubeconfigPath: string;
  kubectl: string;
  /** The directory of our own control plane; undefined when BOTMINT_KUBECONFIG names an existing cluster. */
  directory: string | undefined;
}

declare module 'vitest' {
  interface ProvidedContext {
    cluster: SharedCluster;
  }
}

/**
 * The kubeconfig of the cluster that the person wants the tests to use instead of our own control plane. Throws
 * SetupNeeded when there is no such file: kubectl would take localhost then, whatever listens there.
 */
export function existingCluster(): string | undefined {
  const path = process.env.BOTMINT_KUBECONFIG;
  if (!path) return undefined;
  if (!existsSync(path)) throw new SetupNeeded(`BOTMINT_KUBECONFIG names a file that does not exist: ${path}`);
  return path;
}

/** Starts our own control plane, or takes the cluster that BOTMINT_KUBECONFIG names; the CRDs are there afterwards. */
export async function startShared(
  say: (line: string) => void,
): Promise<{ cluster: SharedCluster; stop(): Promise<void> }> {
  const existing = existingCluster();
  if (existing) {
    await applyCRDs((args, options) => kubectl({ binary: 'kubectl', kubeconfig: existing }, args, options));
    const cluster = { kubeconfigPath: existing, kubectl: 'kubectl', directory: undefined };
    return { cluster, stop: () => Promise.resolve() };
  }
  const plane = await ControlPlane.start(say);
  await applyCRDs((args, options) => plane.kubectl(args, options));
  const { kubeconfigPath, kubectlPath, files } = plane;
  const cluster = { kubeconfigPath, kubectl: kubectlPath, directory: files.directory };
  return { cluster, stop: () => plane.stop() };
}
