import { join } from 'node:path';
import { applyCRDs } from './crds.ts';
import type { KubectlOptions } from './kubectl.ts';

export type Kubectl = (args: readonly string[], options?: KubectlOptions) => Promise<string>;

export const deployDirectory = join(import.meta.dirname, '..', '..', 'deploy');

/** The kinds and everything in deploy/. No node runs in a control plane for tests, so the Deployment stays without Pods. */
export async function install(kubectl: Kubectl): Promise<void> {
  await applyCRDs(kubectl);
  await kubectl(['apply', '--server-side', '--force-conflicts', '-f', deployDirectory]);
}
