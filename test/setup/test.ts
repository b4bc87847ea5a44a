// `npm test`: every test; arguments go on to Vitest, for example `npm test -- --project unit test/api`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtBinaries, SetupNeeded } from '../cluster/build.ts';
import { existingCluster } from '../cluster/shared.ts';
import { builtRegistry, missingRegistry } from '../registry/build.ts';
import { summary } from './results.ts';

try {
  const existing = existingCluster();
  if (existing)
    console.log(`test: using the cluster of ${existing}; tests that stop or starve a control plane are skipped`);
  else await builtBinaries(line => console.log(line));
  const missing = await missingRegistry();
  if (missing === undefined) await builtRegistry(line => console.log(line));
  else console.log(`test: tests with a real registry are skipped: ${missing}`);
  process.exitCode = await runTests(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof SetupNeeded ? error.message : error);
  process.exitCode = 1;
}

async function runTests(args: readonly string[]): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'botmint-test-'));
  const file = join(directory, 'results.json');
  try {
    const code = await vitest(['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...args]);
    console.log(summary(readFileSync(file, 'utf8')));
    return code;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function vitest(args: readonly string[]): Promise<number> {
  const child = spawn('vitest', args, { stdio: 'inherit' });
  // Ctrl-C reaches Vitest by itself; here it only must not end us before Vitest has cleaned up.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => resolve(code ?? 1));
  });
}
