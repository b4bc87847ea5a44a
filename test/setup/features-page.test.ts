import { expect, test } from 'vitest';
import { features } from './features.ts';
import { hasTest, namedTests } from './named-tests.ts';

// docs/features.md names tests for each feature: they are there, under the titles that it says.

test('there is a line for each feature', () => expect(features.length).toBeGreaterThan(40));

test.each(features)('$feature', ({ shown }) => {
  const tests = namedTests(shown);
  expect(tests.length).toBeGreaterThan(0);
  for (const each of tests) expect(hasTest(each), `${each.file} has a test "${each.title}…"`).toBe(true);
});

test('what is written is a part of a manifest, or a command, or nothing at all', () => {
  for (const { written } of features) expect(written).toMatch(/^(`\w+` `\{.*\}`|`kubectl [^`]+`|–)$/);
});
