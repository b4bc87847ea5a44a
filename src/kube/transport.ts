import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { ClusterConfig } from './config.ts';

export interface Call {
  verb: string;
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The resource's plural, as a label for metrics. */
  resource: string;
  path: string;
  accept?: string;
  body?: string;
  contentType?: string;
  signal: AbortSignal;
  deadlineMilliseconds?: number;
}

export class Transport {
  constructor(_options: { config: ClusterConfig; log: Log; metrics: Metrics; userAgent: string }) {}

  call(_call: Call): Promise<unknown> {
    return Promise.reject(new Error('not there yet'));
  }

  stream(_of: {
    resource: string;
    path: string;
    accept: string;
    signal: AbortSignal;
    onChunk: (chunk: Uint8Array) => void;
  }): Promise<void> {
    return Promise.reject(new Error('not there yet'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
