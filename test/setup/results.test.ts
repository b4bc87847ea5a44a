import { expect, test } from 'vitest';
import { summary } from './results.ts';

const run = { numPassedTests: 3, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1, testResults: [] };

test('counts what passed, failed and was skipped', () => {
  expect(summary(JSON.stringify(run))).toBe('3 passed, 1 failed, 3 skipped');
});

test('counts a file that could not be loaded as failed', () => {
  const broken = { status: 'failed', assertionResults: [] };
  const failing = { status: 'failed', assertionResults: [{ status: 'failed' }] };
  const passing = { status: 'passed', assertionResults: [] };
  const testResults = [broken, failing, passing];
  expect(summary(JSON.stringify({ ...run, testResults }))).toBe('3 passed, 2 failed, 3 skipped');
});
