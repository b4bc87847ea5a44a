import { BotmintError, type Retry } from '../base/errors.ts';
import { isRecord } from './objects.ts';

export interface KubeErrorContent {
  status: number;
  reason: string;
  message: string;
  about?: string | undefined;
  retry: Retry;
}

/** The API server answered with a refusal. Below status 500 it is certain that a write was not carried out. */
export class KubeError extends BotmintError {
  readonly status: number;
  /** The server's own word, as `Conflict` or `NotFound`. */
  readonly reason: string;
  /** The name of the object that the refusal is about; a path that nobody serves is about none. */
  readonly about: string | undefined;
  readonly retry: Retry;

  constructor(of: KubeErrorContent) {
    super(of.message);
    this.about = of.about;
    this.status = of.status;
    this.reason = of.reason;
    this.retry = of.retry;
  }

  /** Reads the Status object of an answer. Whatever else a proxy may have answered is named by its code alone. */
  static of(status: number, body: unknown, retryAfterSeconds: number | undefined): KubeError {
    const seen = isRecord(body) && body.kind === 'Status' ? body : {};
    const details = isRecord(seen.details) ? seen.details : {};
    const seconds = retryAfterSeconds ?? numberOf(details.retryAfterSeconds);
    return new KubeError({
      status,
      reason: stringOf(seen.reason) ?? reasonsByStatus[status] ?? 'Unknown',
      message: stringOf(seen.message) ?? `the API server answered with status ${status}`,
      about: stringOf(details.name),
      retry: seconds === undefined ? { kind: 'backoff' } : { kind: 'after', seconds },
    });
  }
}

/**
 * No answer: network, TLS, a deadline, an answer that cannot be read. The outcome of a write is unknown: it may have
 * been carried out, and it may still be.
 */
export class Unreachable extends BotmintError {
  readonly reason = 'Unreachable';
  readonly retry: Retry = { kind: 'backoff' };
  /** What was missing: a connection that lasts, an answer in time, an answer that can be read, credentials to ask with. */
  readonly lack: 'connection' | 'deadline' | 'answer' | 'credentials';

  constructor(lack: Unreachable['lack'], message: string) {
    super(message);
    this.lack = lack;
  }
}

/** A write that failed like this may have been carried out (the server's own time-outs of etcd included), or may still be. */
export function isOutcomeUnknown(error: unknown): boolean {
  return !(error instanceof KubeError) || error.status >= 500;
}

/** Refused for what it is, and not because the server is busy, unsure or does not know us. */
export function isRefusal({ status }: KubeError): boolean {
  return status >= 400 && status < 500 && status !== 401 && status !== 408 && status !== 409 && status !== 429;
}

/** What fails now fails again: a refusal, or an answer that did not come in time and that others would wait behind. */
export function isLasting(error: BotmintError): boolean {
  if (error instanceof Unreachable) return error.lack === 'deadline';
  return error instanceof KubeError && isRefusal(error);
}

/** There is nothing under that name (any more). */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/**
 * The API server itself says that there is no object of this name. A 404 for another cause (the kind is not installed,
 * something between us and the server has no such page) is no proof of absence.
 */
export function isAbsent(error: unknown, name: string): boolean {
  return isNotFound(error) && error instanceof KubeError && error.reason === 'NotFound' && error.about === name;
}

/** A precondition (resourceVersion or UID) does not hold. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason === 'Conflict';
}

/** A POST met an object of that name. */
export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason === 'AlreadyExists';
}

/** The resourceVersion or continue token is older than what the server still remembers. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && error.status === 410;
}

/** The object does not satisfy its schema or rules. */
export function isInvalid(error: unknown): boolean {
  return error instanceof KubeError && error.status === 422;
}

// What apimachinery answers for a bare status; only used where no Status object came with it.
const reasonsByStatus: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
