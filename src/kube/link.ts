import { Pool } from 'undici';
import type { Log } from '../base/log.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { type ClusterConfig, sameAuthorization, sameTLS, type TLSOptions } from './credentials.ts';
import { Unreachable } from './errors.ts';
import { wordsOf } from './exchange.ts';

/** Connections, and the credentials that requests on them carry. */
export interface Link {
  readonly authorization: SecretValue | undefined;
  readonly impersonation: readonly string[];
  readonly tls: TLSOptions;
  readonly calls: Pool;
  /** Watches each hold a connection for as long as they run, so they have their own, without a limit. */
  readonly watches: Pool;
}

/**
 * Holds the link of the moment and renews it beside the calls: token files and certificates are read again every
 * minute (a kubelet replaces a ServiceAccount's token at four fifths of its life), so that no call waits for a disk.
 */
export class Links {
  readonly #config: ClusterConfig;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #link: Link | undefined;
  #renewal: Promise<Link> | undefined;

  constructor(config: ClusterConfig, log: Log, renewalMilliseconds = 60_000) {
    this.#config = config;
    this.#log = log;
    this.#timer = setInterval(() => void this.#renewQuietly(), renewalMilliseconds).unref();
  }

  /** Waits only for the very first one. Throws Unreachable when the credentials cannot be read. */
  current(): Link | Promise<Link> {
    return this.#link ?? this.#renew();
  }

  /** What to try after a 401: a link that carries other credentials than the refused one, or undefined. */
  async other(refused: Link): Promise<Link | undefined> {
    const known = this.#link;
    const link = known === undefined || differs(known, refused) ? known : await this.#renew();
    return link !== undefined && differs(link, refused) ? link : undefined;
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.#link?.calls.destroy(), this.#link?.watches.destroy()]);
  }

  #renew(): Promise<Link> {
    this.#renewal ??= this.#read().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renewQuietly(): Promise<void> {
    try {
      if (this.#link !== undefined) await this.#renew();
    } catch (error) {
      this.#log.warn({ err: error }, 'could not renew the credentials for the API server, going on with the old ones');
    }
  }

  async #read(): Promise<Link> {
    const { authorization, impersonation, tls } = await this.#config.credentials().catch((error: unknown) => {
      throw new Unreachable('credentials', `credentials for the API server: ${wordsOf(error)}`);
    });
    const old = this.#link;
    if (old !== undefined && sameTLS(old.tls, tls)) {
      this.#link = { ...old, authorization, impersonation };
    } else {
      this.#link = { authorization, impersonation, tls, ...pools(this.#config.origin, tls) };
      // What runs on the old connections may end there.
      void Promise.all([old?.calls.close(), old?.watches.close()]);
    }
    return this.#link;
  }
}

function differs(a: Link, b: Link): boolean {
  return a.calls !== b.calls || !sameAuthorization(a.authorization, b.authorization);
}

/**
 * HTTP/1.1 without pipelining: a third of the CPU of HTTP/2 per call here, and a dead connection harms one call only.
 * Idle connections stay for 60 s because the API server closes them after 90 s and gives no hint about it. The time
 * limits of single exchanges stand in exchange.ts.
 */
function pools(origin: string, tls: TLSOptions): { calls: Pool; watches: Pool } {
  const connect = {
    timeout: 10_000,
    rejectUnauthorized: !tls.insecure,
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key.reveal() }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  };
  const common = {
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect,
  };
  return { calls: new Pool(origin, { ...common, connections: 32 }), watches: new Pool(origin, common) };
}
