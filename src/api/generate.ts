// Writes crds/ and docs/reference/ from the kinds. With --check it writes nothing and names the files that are stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './generated-files.ts';

const root = join(import.meta.dirname, '..', '..');
const files = generatedFiles(path => readFileSync(join(root, path), 'utf8'));
const stale = Object.entries(files).filter(([path, text]) => committed(path) !== text);

if (process.argv.includes('--check')) check();
else write();

function check(): void {
  if (stale.length === 0) return;
  console.error(
    `stale: ${stale.map(([path]) => path).join(', ')}\nremedy: npm run generate, and commit what it writes`,
  );
  process.exitCode = 1;
}

function write(): void {
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`wrote ${path}`);
  }
}

function committed(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
