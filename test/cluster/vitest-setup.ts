import type { TestProject } from 'vitest/node';
import { startShared } from './shared.ts';

// Both projects name this file, and vitest loads it once for each of them: what they share has to lie outside of the
// module. The last one to leave stops it.
const key = Symbol.for('botmint.dev/shared-cluster');
interface Shared {
  [key]?: { users: number; started: ReturnType<typeof startShared> };
}
const shared: typeof globalThis & Shared = globalThis;

/** Starts the control plane that all tests of one run share, and tells the tests where it is. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared[key] ??= { users: 0, started: startShared(line => console.error(line)) };
  const { started } = shared[key];
  shared[key].users++;
  project.provide('cluster', (await started).cluster);
  return async () => {
    if (shared[key] === undefined || --shared[key].users > 0) return;
    delete shared[key];
    await (await started).stop();
  };
}
