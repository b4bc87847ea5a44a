import { type Answer, json } from './answer.ts';

/** Status, and code of the registry protocol (distribution's errcode package), for the words of RFC 6749 section 5.2 and, where it has none, for ours. */
const forms = {
  invalid_request: { status: 400, code: 'UNSUPPORTED' },
  invalid_scope: { status: 400, code: 'UNSUPPORTED' },
  unsupported_grant_type: { status: 400, code: 'UNSUPPORTED' },
  // RFC 6749 would have 400 for a wrong password; registries' clients take 401 for one, and containerd goes on after either.
  invalid_grant: { status: 401, code: 'UNAUTHORIZED' },
  invalid_client: { status: 401, code: 'UNAUTHORIZED' },
  not_found: { status: 404, code: 'UNKNOWN' },
  method_not_allowed: { status: 405, code: 'UNSUPPORTED' },
  request_too_large: { status: 413, code: 'UNSUPPORTED' },
  unsupported_media_type: { status: 415, code: 'UNSUPPORTED' },
  too_many_requests: { status: 429, code: 'TOOMANYREQUESTS' },
  server_error: { status: 500, code: 'UNKNOWN' },
  temporarily_unavailable: { status: 503, code: 'UNAVAILABLE' },
} as const;

/** Why a request was refused, in one of these words and in a sentence, which never holds anything that the caller has sent. */
export interface Refused {
  error: keyof typeof forms;
  says: string;
  retryAfterSeconds?: number | undefined;
}

/** When the reason does not say by itself when it will be over. */
const usualRetrySeconds = 5;

/** An answer that both families of clients can read: `errors` is the form of the registry protocol, `error` that of OAuth2. */
export function refusal(
  { error, says, retryAfterSeconds = usualRetrySeconds }: Refused,
  { service }: { service: string } = { service: 'botmint' },
): Answer {
  const { status, code } = forms[error];
  const body = { errors: [{ code, message: says }], error, error_description: says };
  return json(status, body, headersOf(status, service, retryAfterSeconds));
}

function headersOf(status: number, service: string, seconds: number): Record<string, string> {
  switch (status) {
    case 401:
      return { 'www-authenticate': `Basic realm="${service.replaceAll(/["\\]/g, '')}", charset="UTF-8"` };
    case 405:
      return { allow: 'GET, HEAD, POST' };
    case 429:
    case 503:
      return { 'retry-after': String(Math.ceil(seconds)) };
    default:
      return {};
  }
}
