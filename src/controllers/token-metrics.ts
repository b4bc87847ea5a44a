import type { Metrics, Sample } from '../base/metrics.ts';
import type { Caches } from './caches.ts';

/** Gauges that are read from the caches at each scrape: what is deleted vanishes with its object. */
export function addTokenGauges(metrics: Metrics, caches: Caches): void {
  metrics.gauge(
    'botmint_token_expiry_timestamp_seconds',
    'Unix time at which the credential of a BotToken ends. Absent for one that never does.',
    ['namespace', 'name'],
    () => expiries(caches),
  );
  metrics.gauge(
    'botmint_conditions',
    'Objects by kind, and by the reason of their Ready condition and its status.',
    ['kind', 'ready', 'reason'],
    () => conditions(caches),
  );
}

function* expiries({ tokens }: Caches): Iterable<Sample<'namespace' | 'name'>> {
  for (const { metadata, status } of tokens.values()) {
    if (status?.expiresAt === undefined) continue;
    yield {
      labels: { namespace: metadata.namespace ?? '', name: metadata.name },
      value: Date.parse(status.expiresAt) / 1000,
    };
  }
}

function conditions(caches: Caches): Iterable<Sample<'kind' | 'ready' | 'reason'>> {
  const counts = new Map<string, Sample<'kind' | 'ready' | 'reason'>>();
  for (const [kind, store] of [
    ['BotToken', caches.tokens],
    ['BotUser', caches.botUsers],
    ['ClusterTokenIssuer', caches.issuers],
  ] as const) {
    for (const { status } of store.values()) {
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      const labels = { kind, ready: ready?.status ?? 'Unknown', reason: ready?.reason ?? '' };
      const key = JSON.stringify(labels);
      const sample = counts.get(key) ?? { labels, value: 0 };
      counts.set(key, { labels, value: sample.value + 1 });
    }
  }
  return counts.values();
}
