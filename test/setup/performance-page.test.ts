import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withFigures } from '../bench/report.ts';

test('`npm run bench -- --write` takes the place of every figure of docs/performance.md, and of nothing else', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'performance.md'), 'utf8');
  expect(page.match(/^\| figure \|/gm)).toHaveLength(1);
  const written = withFigures(page, 'FIGURES');
  expect(written).not.toContain('| figure |');
  expect(written).toMatch(/^# Performance\n.*FIGURES.*^## What is measured\n.*^## What the figures mean/ms);
});
