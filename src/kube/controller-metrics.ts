import type { Counter, Histogram, Metrics, Sample } from '../base/metrics.ts';

/** What all controllers of a process measure together. */
export class ControllerMetrics {
  readonly #depths: { controller: string; depth: () => number }[] = [];
  readonly #duration: Histogram<'controller' | 'outcome'>;
  readonly #errors: Counter<'controller' | 'reason'>;

  constructor(metrics: Metrics) {
    const help = 'Keys that are due and wait for a worker.';
    metrics.gauge('botmint_queue_depth', help, ['controller'], () => this.#samples());
    this.#duration = metrics.histogram(
      'botmint_reconcile_duration_seconds',
      'Time that a reconcile took, by how it ended: success, error or aborted.',
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      ['controller', 'outcome'],
    );
    const errorsHelp = 'Reconciles that failed, by reason.';
    this.#errors = metrics.counter('botmint_reconcile_errors_total', errorsHelp, ['controller', 'reason']);
  }

  /** The depth is asked for at each scrape. */
  add(controller: string, depth: () => number): void {
    this.#depths.push({ controller, depth });
  }

  ran(controller: string, outcome: string, seconds: number): void {
    this.#duration.observe({ controller, outcome }, seconds);
  }

  failed(controller: string, reason: string): void {
    this.#errors.inc({ controller, reason });
  }

  *#samples(): Iterable<Sample<'controller'>> {
    for (const { controller, depth } of this.#depths) yield { labels: { controller }, value: depth() };
  }
}
