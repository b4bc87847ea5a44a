import { z } from 'zod';

/** What Vitest's JSON reporter says about a run, as far as it is counted. */
const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

/** One line for people and scripts. A file that failed before it had a test counts as one failed. */
export function summary(json: string): string {
  const result = report.parse(JSON.parse(json));
  const broken = result.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0);
  const failed = result.numFailedTests + broken.length;
  const skipped = result.numPendingTests + result.numTodoTests;
  return `${result.numPassedTests} passed, ${failed} failed, ${skipped} skipped`;
}
