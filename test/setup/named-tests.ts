import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A test that a page names: a file of test/, and the beginning of a title in it. */
export interface NamedTest {
  file: string;
  title: string;
}

/** The tests that a cell of a table names: `file.test.ts`: title; `other.test.ts`: title. */
export function namedTests(cell: string): NamedTest[] {
  return [...cell.matchAll(/`([^`]+\.ts)`: (.+?)(?=; `[^`]+\.ts`|$)/g)].map(([, file = '', title = '']) => ({
    file,
    title,
  }));
}

/** Whether a test of that file begins with these words. */
export function hasTest({ file, title }: NamedTest): boolean {
  const path = join(import.meta.dirname, '..', file);
  if (!existsSync(path)) return false;
  const text = readFileSync(path, 'utf8');
  return [`'${title}`, `"${title}`].some(beginning => text.includes(beginning));
}
