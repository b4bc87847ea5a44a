// `npm run check`: everything that needs no cluster and no running operator. CI runs it first.
import { runStep } from './step.ts';

const steps: readonly [name: string, command: string, ...args: string[]][] = [
  ['types', 'tsc', '--noEmit', '--project', '.'],
  ['format and lint (Biome)', 'biome', 'check', '--error-on-warnings', '.'],
  ['lint with types (oxlint)', 'oxlint', '--type-aware', '--deny-warnings'],
  ['imports between folders', 'vitest', 'run', '--project', 'unit', 'test/setup'],
  ['generated files', process.execPath, 'src/api/generate.ts', '--check'],
];

let failed = 0;
for (const [name, command, ...args] of steps) {
  const { code, seconds, output } = await runStep(command, args);
  console.log(`check: ${name}: ${code === 0 ? 'ok' : 'FAILED'} (${seconds.toFixed(1)} s)`);
  if (code === 0) continue;
  failed++;
  console.log(output.trim());
}
if (failed > 0) {
  console.log(`check: ${failed} of ${steps.length} failed (npm run format repairs what a tool can repair)`);
  process.exitCode = 1;
}
