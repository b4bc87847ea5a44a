import type { Ground } from './ground.ts';
import { type Applied, applyAll } from './objects.ts';
import { isIssued, type Span, Wave } from './wave.ts';
import { type Wished, wishedToken } from './wished.ts';

/** Tokens that are applied and not yet seen by whoever issues, watched from before; then `issue` runs. */
export async function issuedWave(
  of: { ground: Ground; name: string; namespaces: readonly string[]; count: number; wished?: Wished },
  issue: (applied: Applied[]) => Promise<void> = () => Promise.resolve(),
): Promise<Span> {
  const { ground, name, namespaces, count, wished = wishedToken() } = of;
  await using seen = await Wave.open(ground.plane.kubeconfigPath, name, isIssued, wished.plural);
  const applied = await applyAll(ground.api, name, namespaces, count, wished);
  await seen.applied(count);
  await issue(applied);
  return await seen.recorded(count);
}
