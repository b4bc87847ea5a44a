import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../base/metrics.ts';

/** What the process can say about itself. All answers are of the moment, and cheap. */
export interface Health {
  /** Names of loops (reflectors, leases, controllers) that have ended though nobody asked them to. */
  dead(): readonly string[];
  /** What is still missing before this replica can serve: caches to be filled, the certificate. */
  missing(): readonly string[];
}

/** Registers /healthz, /readyz and /metrics. They are for the kubelet and Prometheus, on a port of their own. */
export function addHealth(app: FastifyInstance, o: { health: Health; metrics: Metrics }): void {
  // That there is an answer at all shows that the event loop lives.
  app.get('/healthz', (_, reply) => reply.code(code(o.health.dead())).send(text('dead', o.health.dead())));
  app.get('/readyz', (_, reply) => reply.code(code(o.health.missing())).send(text('missing', o.health.missing())));
  app.get('/metrics', async (_, reply) => reply.type(o.metrics.contentType).send(await o.metrics.text()));
}

/** Remembers which loops have ended. A loop that ends before its signal aborts has died. */
export class Loops {
  readonly #dead = new Set<string>();

  /** Returns the loop's own promise, so that whoever waits for the end sees its error. */
  watch(name: string, loop: Promise<void>, signal: AbortSignal): Promise<void> {
    const ended = () => {
      if (!signal.aborted) this.#dead.add(name);
    };
    loop.then(ended, ended);
    return loop;
  }

  dead(): readonly string[] {
    return [...this.#dead];
  }
}

function code(faults: readonly string[]): number {
  return faults.length === 0 ? 200 : 503;
}

function text(word: string, faults: readonly string[]): string {
  return faults.length === 0 ? 'ok\n' : `${faults.map(fault => `${word}: ${fault}`).join('\n')}\n`;
}
