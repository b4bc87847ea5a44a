import { createRequire } from 'node:module';
import { type Logger, pino, type SerializedError } from 'pino';
import type PinoPretty from 'pino-pretty';

/** Constant messages, named values. What is logged is chosen field by field; objects of the API are never logged whole. */
export type Log = Logger;

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];

/** Writes lines to standard output, synchronously: a line that explains a crash must be out before the crash. */
export function createLog(level: LogLevel, format: LogFormat): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: safeError } };
  if (format === 'json') return pino(options, pino.destination({ dest: 1, sync: true }));
  // Loaded here: it takes 11 MB that only people at a terminal need.
  const pretty: typeof PinoPretty = createRequire(import.meta.url)('pino-pretty');
  return pino(
    options,
    pretty({ sync: true, destination: 1, ignore: 'pid,hostname', singleLine: true, translateTime: 'HH:MM:ss.l' }),
  );
}

/**
 * Name, message and stack of an error and of its causes. Other properties are left out: libraries hang requests,
 * headers and bodies on their errors, and those hold tokens.
 */
export function safeError(error: unknown): Partial<SerializedError> {
  if (!(error instanceof Error)) return { message: typeof error === 'string' ? error : 'unknown' };
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    causes.push(`${cause.name}: ${cause.message}`);
  }
  const message = [error.message, ...causes].join(', caused by ');
  return { type: error.name, message, stack: error.stack ?? '' };
}
