/** Time comes in as an argument, so that a test can step it. */
export interface Clock {
  /** The wall clock: for what is written down and compared with what others wrote. It may jump. */
  now(): Date;
  /** Milliseconds of a clock that never jumps: for deadlines and ages inside this process. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
};

/** Resolves after so many milliseconds, or at once and without an error when the signal aborts. */
export function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise(resolve => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
