// `npm run format`: formats everything, and repairs what the linters can repair.
import { runStep } from './step.ts';

const steps: readonly [command: string, ...args: string[]][] = [
  ['oxlint', '--type-aware', '--fix'],
  ['biome', 'check', '--write', '.'],
];

for (const [command, ...args] of steps) {
  const { code, output } = await runStep(command, args);
  console.log(output.trim());
  if (code !== 0) process.exitCode = 1;
}
