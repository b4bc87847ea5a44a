import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasTest, namedTests } from './named-tests.ts';

// docs/lifecycle.md names tests for each event: they are there, under the titles that it says.

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'lifecycle.md'), 'utf8').split('## What happens, event by event')[1] ?? '';
const rows = page
  .split('\n')
  .filter(line => line.startsWith('| '))
  .map(line => line.slice(2, -2).split(' | '))
  .map(cells => ({ event: cells[0] ?? '', cells, robot: cells[5] ?? '', shown: cells[6] ?? '' }))
  .filter(({ event }) => event !== 'event' && event !== '---');

/** What needs no test of its own: a robot is served by the same code, or has nothing that this could happen to. */
const asTokens = /^(the same$|has none|is in none)/;

test('every event is there, with all that is to be said of it', () => {
  expect(rows.length).toBeGreaterThan(30);
  for (const { event, cells } of rows) expect([event, cells.length]).toEqual([event, 7]);
});

test.each(rows)('$event', ({ shown, robot }) => {
  const tests = namedTests(shown);
  expect(tests.length).toBeGreaterThan(0);
  for (const each of tests) expect(hasTest(each), `${each.file} has a test "${each.title}…"`).toBe(true);
  if (asTokens.test(robot)) return;
  expect(tests.filter(({ file }) => /robot|registry/.test(file))).not.toEqual([]);
});
