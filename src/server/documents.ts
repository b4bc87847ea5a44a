import { createHash } from 'node:crypto';
import { type Answer, failure } from './answer.ts';

/** What the endpoints look at in a request. */
export interface EndpointRequest {
  method: string;
  path: string;
  /** Without the question mark. */
  query: string;
  host: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** A text that everybody may read and keep for a while. */
export interface Document {
  body: string;
  contentType: string;
  maxAgeSeconds: number;
  etag: string;
  /** More headers. */
  headers?: Record<string, string>;
}

/** The document, or that the asker has it already. */
export function published(request: EndpointRequest, document: Document): Answer {
  if (!isReading(request)) return methodNotAllowed('GET, HEAD');
  const { body, contentType, etag } = document;
  const headers = { ...document.headers, 'cache-control': `public, max-age=${document.maxAgeSeconds}`, etag };
  if (matches(request.headers['if-none-match'], etag)) return { status: 304, headers, body: '' };
  return { status: 200, headers: { ...headers, 'content-type': contentType }, body };
}

export function isReading({ method }: EndpointRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

export function methodNotAllowed(allow: string): Answer {
  return failure(405, 'invalid_request', `only ${allow}`, { allow });
}

/** A strong ETag (RFC 9110 section 8.8.3): equal only for the same bytes. */
export function etagOf(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url')}"`;
}

/** RFC 9110 section 13.1.2: a list, or `*`, compared without regard to `W/`. */
function matches(header: string | string[] | undefined, etag: string): boolean {
  const tags = String(header ?? '').split(',');
  return tags.some(tag => ['*', etag, `W/${etag}`].includes(tag.trim()));
}
