/** When a failed attempt is worth another try; the code that knows why it failed says so. */
export type Retry =
  /** Soon, and then ever less often. */
  | { kind: 'backoff' }
  /** Not before so many seconds, because the other side asked for it. */
  | { kind: 'after'; seconds: number }
  /** Only a change of something that is watched can help. */
  | { kind: 'on-change' };

/** A failure that says by itself how to go on. Subclasses name the cause in `reason`, a word that people may search for. */
export abstract class BotmintError extends Error {
  abstract readonly reason: string;
  abstract readonly retry: Retry;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** What a failure says about its retry; a failure that says nothing is tried again with back-off. */
export function retryOf(error: unknown): Retry {
  return error instanceof BotmintError ? error.retry : { kind: 'backoff' };
}

/** Closes a switch: a new branch of the union does not compile until it is dealt with. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}

/** True for the error that an aborted signal leaves behind, whoever threw it. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'));
}
