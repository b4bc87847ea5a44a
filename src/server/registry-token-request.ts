import { SecretValue } from '../base/secret-value.ts';
import { parseScopes, type Scope } from '../issuers/registry/scopes.ts';
import type { Refused } from './refusals.ts';

/** What the endpoint looks at in a request. */
export interface TokenEndpointRequest {
  method: string;
  /** With a question mark in front, or empty. */
  search: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
  /** Of the peer. */
  address: string;
}

/** A name and a secret, as they were shown. */
export interface ShownCredential {
  username: string;
  secret: SecretValue;
}

/** A request for a token, the same for both forms of the protocol. */
export interface TokenRequest {
  form: 'get' | 'post';
  service: string | undefined;
  scopes: readonly Scope[];
  /** Without one it is a request for anonymous access, which only the GET form has. */
  credential: ShownCredential | undefined;
}

/**
 * Reads both forms (distribution's token.md and oauth.md). `account` is informative and the credential decides; `client_id` is for logs;
 * `offline_token` and `access_type=offline` ask for a refresh token, which an answer may lack, and ours does: it would be a credential outside of the Secret.
 */
export function parseTokenRequest(request: TokenEndpointRequest): TokenRequest | Refused {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return parseGet(request);
    case 'POST':
      return parsePost(request);
    default:
      return { error: 'method_not_allowed', says: 'only GET and POST' };
  }
}

function parseGet({ search, headers }: TokenEndpointRequest): TokenRequest | Refused {
  const { authorization } = headers;
  if (authorization === undefined) return common('get', new URLSearchParams(search), undefined);
  const credential = parseBasic(String(authorization));
  if (credential === undefined) return { error: 'invalid_client', says: 'credentials are shown as HTTP Basic' };
  return common('get', new URLSearchParams(search), credential);
}

function parsePost({ headers, body }: TokenEndpointRequest): TokenRequest | Refused {
  const type = String(headers['content-type'] ?? '').split(';')[0];
  // 400 and not 415, here and below: containerd goes on to the GET form after 400, and gives up after most others.
  if (type?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    return { error: 'invalid_request', says: 'the body must be application/x-www-form-urlencoded' };
  }
  const form = new URLSearchParams(body);
  if (form.get('grant_type') !== 'password') {
    return { error: 'unsupported_grant_type', says: 'the only grant_type is password; no refresh tokens are given' };
  }
  const [username, password] = [form.get('username'), form.get('password')];
  if (username === null || password === null)
    return { error: 'invalid_request', says: 'username and password are needed' };
  return common('post', form, { username, secret: new SecretValue(password) });
}

function common(
  form: 'get' | 'post',
  parameters: URLSearchParams,
  credential: ShownCredential | undefined,
): TokenRequest | Refused {
  const [service, ...others] = new Set(parameters.getAll('service'));
  if (others.length > 0) return { error: 'invalid_request', says: 'more than one service' };
  const parsed = parseScopes(parameters.getAll('scope'));
  if (!parsed.valid) return { error: 'invalid_scope', says: parsed.because };
  return { form, service, scopes: parsed.scopes, credential };
}

/** RFC 7617: a name has no colon, a secret may. Base64 with and without padding; what is not UTF-8 is no name of ours. */
function parseBasic(header: string): ShownCredential | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header) ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return undefined;
  return { username: text.slice(0, colon), secret: new SecretValue(text.slice(colon + 1)) };
}
