/** What an endpoint answers: plain values, so that an endpoint is a function and a test needs no port. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Seconds that a caller is asked to wait when the API server gave no number: caches catch up or a replica is replaced by then. */
const retryAfterSeconds = 5;

/** A JSON answer. Nothing here may be stored by a proxy unless the endpoint says so. */
export function json(status: number, value: object, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(value),
  };
}

/** An error in the form of RFC 6749 section 5.2, which introspection and its clients share. */
export function failure(
  status: number,
  error: string,
  description: string,
  headers: Record<string, string> = {},
): Answer {
  return json(status, { error, error_description: description }, headers);
}

/** Not known at the moment: the only answer when a right one cannot be given. Never 401 and never "inactive" instead. */
export function unavailable(description: string, seconds = retryAfterSeconds): Answer {
  return failure(503, 'temporarily_unavailable', description, { 'retry-after': String(Math.ceil(seconds)) });
}
