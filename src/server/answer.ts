import type { FastifyReply } from 'fastify';

/** What an endpoint answers: plain values, so that an endpoint is a function and a test needs no port. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Caches older than this may have missed a credential, or that one was revoked or disabled: then nobody is let in, nor turned away. */
export const mostCacheAgeMilliseconds = 15_000;

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

/** Sends it as it is: fastify would add a charset to the type of a text, which JSON does not have. */
export function send(reply: FastifyReply, { status, headers, body }: Answer): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .serializer(asItIs)
    .send(body === '' ? undefined : body);
}

/** A text goes out with its head in one piece; bytes would go behind it. */
function asItIs(text: string): string {
  return text;
}
