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

/** What one connection needs. Two of the same content are `===` in every field or compare equal by `sameTLS`. */
export interface Credentials {
  /** The value of the Authorization header. */
  readonly authorization: SecretValue | undefined;
  readonly tls: TLSOptions;
}

export interface TLSOptions {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: SecretValue | undefined;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}
