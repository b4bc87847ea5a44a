import type { Ground } from './ground.ts';
import { type Applied, applyTokens, type TokenSpec } from './objects.ts';
import { type Span, Wave } from './wave.ts';

/** Tokens that are applied and not yet seen by whoever issues, watched from before; then `issue` runs. */
export async function issuedWave(
  of: { ground: Ground; name: string; namespaces: readonly string[]; count: number; spec?: TokenSpec },
  issue: (applied: Applied[]) => Promise<void> = () => Promise.resolve(),
): Promise<Span> {
  const { ground, name, namespaces, count, spec } = of;
  await using seen = await Wave.open(ground.plane.kubeconfigPath, name);
  const applied = await applyTokens(ground.api, name, namespaces, count, spec);
  await seen.applied(count);
  await issue(applied);
  return await seen.recorded(count);
}
