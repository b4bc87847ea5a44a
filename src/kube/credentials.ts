import { isDeepStrictEqual } from 'node:util';
import type { SecretValue } from '../base/secret-value.ts';

/** Where the API server is and how to get its credentials. Nothing in it is a secret. */
export interface ClusterConfig {
  /** Scheme, host and port. */
  readonly origin: string;
  /** What stands before every path, without a slash at its end; mostly empty. */
  readonly basePath: string;
  /** The namespace of the context or of the ServiceAccount. */
  readonly namespace: string | undefined;
  /** Reads everything anew: files may have been replaced. */
  credentials(): Promise<Credentials>;
}

export interface Credentials {
  /** The value of the Authorization header. */
  readonly authorization: SecretValue | undefined;
  /** Headers, name and value in turn, by which the user acts as another one. */
  readonly impersonation: readonly string[];
  readonly tls: TLSOptions;
}

/** PEM, and how the server is checked. */
export interface TLSOptions {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: SecretValue | undefined;
  /** Checked against the server's certificate instead of the host. */
  readonly serverName: string | undefined;
  /** The server's certificate is not checked at all. */
  readonly insecure: boolean;
}

/** Whether connections made with the one are as good as connections made with the other. */
export function sameTLS(a: TLSOptions, b: TLSOptions): boolean {
  return isDeepStrictEqual({ ...a, key: a.key?.reveal() }, { ...b, key: b.key?.reveal() });
}

/** The Authorization headers are the same. */
export function sameAuthorization(a: SecretValue | undefined, b: SecretValue | undefined): boolean {
  return a?.reveal() === b?.reveal();
}
