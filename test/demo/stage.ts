import { Api } from '../cluster/api.ts';
import { SetupNeeded } from '../cluster/build.ts';
import { ControlPlane } from '../cluster/control-plane.ts';
import { deployDirectory, type Kubectl } from '../cluster/install.ts';
import { Derived } from '../cluster/kubeconfig.ts';
import { kubectl as runKubectl } from '../cluster/kubectl.ts';
import { existingCluster } from '../cluster/shared.ts';
import { tokenFor } from '../cluster/token.ts';

/** Where the demo plays: a control plane of its own, or the cluster that BOTMINT_KUBECONFIG names. */
export interface Stage {
  kubeconfigPath: string;
  /** A directory for PATH, where there is one of our own. */
  binaries: string | undefined;
  kubectl: Kubectl;
  tokenFor(serviceAccount: string, audiences: readonly string[]): Promise<{ token: string; kubeconfigPath: string }>;
  stop(): Promise<void>;
}

/** Throws SetupNeeded when something is missing, or when an existing cluster has botmint already. */
export async function openStage(say: (line: string) => void): Promise<Stage> {
  const existing = existingCluster();
  return existing === undefined ? ownStage(say) : existingStage(existing);
}

async function ownStage(say: (line: string) => void): Promise<Stage> {
  const plane = await ControlPlane.start(say);
  return {
    kubeconfigPath: plane.kubeconfigPath,
    binaries: plane.binaries,
    kubectl: (args, options) => plane.kubectl(args, options),
    tokenFor: (name, audiences) => plane.tokenFor('botmint-system', name, { audiences }),
    stop: () => plane.stop(),
  };
}

async function existingStage(kubeconfigPath: string): Promise<Stage> {
  const kubectl: Kubectl = (args, options) =>
    runKubectl({ binary: 'kubectl', kubeconfig: kubeconfigPath }, args, options);
  const installed = await kubectl(['get', 'crd', 'bottokens.botmint.dev', '--ignore-not-found', '-o', 'name']);
  if (installed.trim() !== '') {
    throw new SetupNeeded(
      'botmint is installed in this cluster already, and the demo would remove it at its end: use another cluster',
    );
  }
  const api = await Api.open(kubeconfigPath);
  const derived = new Derived(() => kubectl(['config', 'view', '--raw', '--flatten', '--minify', '-o', 'json']));
  return {
    kubeconfigPath,
    binaries: undefined,
    kubectl,
    tokenFor: async (name, audiences) => {
      const token = await tokenFor(api, 'botmint-system', name, { audiences });
      return { token, kubeconfigPath: await derived.withToken(token) };
    },
    stop: async () => {
      await kubectl(['delete', '--ignore-not-found', '-f', deployDirectory, '--wait=false']);
      await api.close();
      await derived.remove();
    },
  };
}
