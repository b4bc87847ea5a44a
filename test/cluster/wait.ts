import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Twice as long as four failures in a row take (5, 10, 20 and 40 s of back-off): on a busy machine an API server can fail a call on
 * its own, beside the fault of the test, and a hundred runs side by side take turns. Only a test that fails waits for so long.
 */
export const patienceSeconds = 150;

/** The longest pause between two looks, where the test asks for none that is longer. */
const longestPauseMilliseconds = 1000;

/**
 * Looks again and again until it sees something (anything but undefined and false), and gives that back. The longer it has
 * waited, the longer its pauses, up to a tenth of that: a hundred waits side by side must not take the CPU from what they wait
 * for. Fails after the deadline with what it waited for, and with the last error when looking itself failed.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  { seconds = patienceSeconds, everyMilliseconds = 20 }: { seconds?: number; everyMilliseconds?: number } = {},
): Promise<T> {
  const begun = performance.now();
  let waited = 0;
  let cause: unknown;
  do {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await sleep(Math.max(everyMilliseconds, Math.min(waited / 10, longestPauseMilliseconds)));
    waited = performance.now() - begun;
  } while (waited < seconds * 1000);
  throw new Error(`not within ${seconds} s: ${what}`, { cause });
}
