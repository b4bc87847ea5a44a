import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { KubectlOptions } from './kubectl.ts';

const directory = join(import.meta.dirname, '..', '..', 'crds');

/** Applies the committed CRDs, if there are any, and waits until the API server serves them. */
export async function applyCRDs(
  kubectl: (args: readonly string[], options?: KubectlOptions) => Promise<string>,
): Promise<void> {
  if (!existsSync(directory) || !readdirSync(directory).some(file => file.endsWith('.yaml'))) return;
  await kubectl(['apply', '--server-side', '--force-conflicts', '-f', directory]);
  await kubectl(['wait', '--for=condition=Established', '--timeout=120s', '-f', directory]);
}
