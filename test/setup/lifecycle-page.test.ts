import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

// docs/lifecycle.md names a test for each event: they are there, under the titles that it says.

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'lifecycle.md'), 'utf8').split('## What happens, event by event')[1] ?? '';
const rows = [...page.matchAll(/^\| (.+?) \|.*\| (.+?) \|$/gm)]
  .map(([, event = '', shown = '']) => ({ event, shown }))
  .filter(({ event }) => event !== 'event' && event !== '---');

test('every event is there', () => expect(rows.length).toBeGreaterThan(25));

test.each(rows)('$event', ({ shown }) => {
  const [, file = '', title = ''] = /^`(.+?)`: (.+)$/.exec(shown) ?? [];
  const text = readFileSync(join(root, 'test', file), 'utf8');
  expect(text.includes(`'${title}`) || text.includes(`"${title}`), `${file} has a test "${title}…"`).toBe(true);
});
