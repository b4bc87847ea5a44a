import type { Reason, Verdict } from '../api/conditions.ts';
import { apiVersion } from '../api/names.ts';
import type { Clock } from '../base/clock.ts';
import { BotmintError, type Retry } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Counter, Metrics } from '../base/metrics.ts';
import type { Client } from '../kube/client.ts';
import type { Outcome } from '../kube/controller.ts';
import type { EventRecorder } from '../kube/events.ts';
import { type KubeObject, type Resource, readableOf } from '../kube/objects.ts';
import type { Caches } from './caches.ts';

/** What reconciling of every kind needs: the cluster as it is known, the way to change it, and the time. */
export interface World {
  caches: Caches;
  client: Client;
  clock: Clock;
  metrics: TokenMetrics;
  /** Says news of an object as an event and a log line: when its Ready reason changed, or `always`. */
  report: (kind: string, object: Reported, verdict: Verdict, o: { always: boolean; action: string }) => void;
}

export interface Reported extends KubeObject {
  status?: { conditions?: readonly { type: string; reason: string }[] | undefined } | undefined;
}

export interface TokenMetrics {
  issued: Counter<'issuer' | 'cause'>;
  revoked: Counter<'cause'>;
  failed: Counter<'reason'>;
}

export function tokenMetrics(metrics: Metrics): TokenMetrics {
  return {
    issued: metrics.counter('botmint_tokens_issued_total', 'Credentials written into a Secret, by cause.', [
      'issuer',
      'cause',
    ]),
    revoked: metrics.counter('botmint_tokens_revoked_total', 'Objects whose credential was revoked, by cause.', [
      'cause',
    ]),
    failed: metrics.counter('botmint_failures_total', 'Attempts that failed, by the reason that the condition names.', [
      'reason',
    ]),
  };
}

/** The reporter of a process: an event for people who look at the object, a line for those who read logs. */
export function reporter(o: {
  events: Pick<EventRecorder, 'record'>;
  log: Log;
  metrics: TokenMetrics;
}): World['report'] {
  return (kind, object, verdict, { always, action }) => {
    const before = object.status?.conditions?.find(({ type }) => type === 'Ready')?.reason;
    if (!always && before === verdict.reason) return;
    const { namespace, name, uid } = object.metadata;
    // A refusal may leave a token Ready, or go away by itself: somebody should look at it all the same.
    const warnings: Reason[] = [
      'WriteRefused',
      'RevocationFailed',
      'RestartFailed',
      'CopyFailed',
      'KeyWithdrawn',
      'KeyNotFound',
      'ExpiresSoon',
      'BundleChanged',
    ];
    const type = verdict.state === 'stalled' || warnings.includes(verdict.reason) ? 'Warning' : 'Normal';
    const regarding = { apiVersion, kind, name, uid, ...(namespace === undefined ? {} : { namespace }) };
    o.events.record(regarding, { type, reason: verdict.reason, action, note: verdict.message });
    if (verdict.state === 'stalled' || verdict.reason === 'RestartFailed')
      o.metrics.failed.inc({ reason: verdict.reason });
    o.log.info({ kind, namespace, name, reason: verdict.reason, message: verdict.message }, 'condition changed');
  };
}

/**
 * How many objects of a kind match by a live list, page by page, and how many of them nobody can read: for what a cache alone must
 * not decide.
 */
export async function countLive<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  selection: { namespace?: string | undefined; fieldSelector?: string },
  matches: (object: T) => boolean,
  signal: AbortSignal,
): Promise<{ matching: number; unreadable: number }> {
  const count = { matching: 0, unreadable: 0 };
  let next: string | undefined;
  do {
    const page = await client.page(resource, { signal, limit: 500, ...selection, ...(next && { continue: next }) });
    for (const object of page.items.map(item => readableOf(resource, item))) {
      if (object === undefined) count.unreadable++;
      else if (matches(object)) count.matching++;
    }
    next = page.continue;
  } while (next !== undefined);
  return count;
}

/** The outcome of a rest: a change wakes it, and a time at the latest where there is one. */
export function restUntil(time: Date | undefined): Outcome {
  return time === undefined ? { next: 'on-change' } : { next: 'at', time };
}

/** The outcome for what others depend on: one that is going looks again by itself, should the end of the last of them have been missed. */
export function restOf({ metadata }: KubeObject, clock: Clock): Outcome {
  if (metadata.deletionTimestamp === undefined) return { next: 'on-change' };
  return { next: 'at', time: new Date(clock.now().getTime() + 5000) };
}

/** A reconcile that did not come to rest: others keep changing what it works on. */
export class Unsettled extends BotmintError {
  readonly reason = 'Unsettled';
  readonly retry: Retry = { kind: 'backoff' };
}
