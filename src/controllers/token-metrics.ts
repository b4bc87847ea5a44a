import type { Credentialed } from '../api/credentialed.ts';
import type { Metrics, Sample } from '../base/metrics.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import type { Caches } from './caches.ts';

/** Gauges that are read from the caches at each scrape: what is deleted vanishes with its object. */
export function addTokenGauges(metrics: Metrics, caches: Caches): void {
  metrics.gauge(
    'botmint_token_expiry_timestamp_seconds',
    'Unix time at which the credential of a BotToken ends. Absent for one that never does.',
    ['namespace', 'name'],
    () => expiries(caches.tokens),
  );
  metrics.gauge(
    'botmint_robot_expiry_timestamp_seconds',
    'Unix time at which the secret of a RobotAccount ends. Absent for one that never does.',
    ['namespace', 'name'],
    () => expiries(caches.robots),
  );
  metrics.gauge(
    'botmint_conditions',
    'Objects by kind, and by the reason of their Ready condition and its status.',
    ['kind', 'ready', 'reason'],
    () => conditions(caches),
  );
  metrics.gauge(
    'botmint_revocations_open',
    'Revocations that are still there, by issuer and by the reason of their Ready condition; one that was carried out (Revoked) is looked at once more.',
    ['issuer', 'reason'],
    () => openRevocations(caches),
  );
  metrics.gauge(
    'botmint_revocations_oldest_timestamp_seconds',
    'Unix time at which the oldest Revocation was made that has not been carried out, by issuer.',
    ['issuer'],
    () => oldestRevocations(caches),
  );
}

function openRevocations({ revocations }: Caches): Iterable<Sample<'issuer' | 'reason'>> {
  const counts = new Map<string, Sample<'issuer' | 'reason'>>();
  for (const { spec, status } of revocations.values()) {
    const labels = { issuer: spec.issuer.name, reason: readyOf(status)?.reason ?? '' };
    const key = JSON.stringify(labels);
    counts.set(key, { labels, value: (counts.get(key)?.value ?? 0) + 1 });
  }
  return counts.values();
}

function oldestRevocations({ revocations }: Caches): Iterable<Sample<'issuer'>> {
  const oldest = new Map<string, Sample<'issuer'>>();
  for (const { spec, status, metadata } of revocations.values()) {
    if (status?.revokedAt !== undefined) continue;
    const issuer = spec.issuer.name;
    const value = Date.parse(metadata.creationTimestamp) / 1000;
    if (value < (oldest.get(issuer)?.value ?? Infinity)) oldest.set(issuer, { labels: { issuer }, value });
  }
  return oldest.values();
}

function readyOf(status: { conditions?: readonly { type: string; reason: string }[] } | undefined) {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}

function* expiries(store: Pick<Store<Credentialed & KubeObject>, 'values'>): Iterable<Sample<'namespace' | 'name'>> {
  for (const { metadata, status } of store.values()) {
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
    ['RobotAccount', caches.robots],
    ['ClusterTokenIssuer', caches.issuers],
    ['Revocation', caches.revocations],
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
