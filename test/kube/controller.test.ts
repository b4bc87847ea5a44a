import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { BotmintError, type Retry } from '../../src/base/errors.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Controller, type Outcome } from '../../src/kube/controller.ts';
import { ControllerMetrics } from '../../src/kube/controller-metrics.ts';
import type { Key } from '../../src/kube/objects.ts';

const rest: Outcome = { next: 'on-change' };

class Refused extends BotmintError {
  readonly reason = 'Refused';
  readonly retry: Retry;
  constructor(retry: Retry) {
    super('refused');
    this.retry = retry;
  }
}

type Reconcile = (key: Key, signal: AbortSignal) => Promise<Outcome>;
interface Given {
  concurrency?: number;
  owns?: (key: Key) => boolean;
  timeoutSeconds?: number;
}

/** A controller that keeps book of what ran; `stop` ends it as SIGTERM would. */
function start(reconcile: Reconcile, given: Given = {}) {
  const metrics = new Metrics();
  const ran: Key[] = [];
  const controller = new Controller({
    name: 'test',
    concurrency: 4,
    owns: () => true,
    log: createLog('silent', 'json'),
    clock: systemClock,
    metrics: new ControllerMetrics(metrics),
    jitter: () => 0,
    ...given,
    reconcile: (key, signal) => {
      ran.push(key);
      return reconcile(key, signal);
    },
  });
  const stopping = new AbortController();
  let isEnded = false;
  const ended = controller.run(stopping.signal).then(() => {
    isEnded = true;
  });
  const stop = () => {
    stopping.abort();
    return ended;
  };
  return { controller, ran, metrics, stop, isEnded: () => isEnded };
}

/** Never ends by itself, and ends as soon as its signal aborts. */
function untilAborted(signal: AbortSignal): Promise<Outcome> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('torn down'))));
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a key', () => {
  test('that was added before the start runs, and once', async () => {
    const metrics = new Metrics();
    const ran: Key[] = [];
    const controller = new Controller({
      name: 'test',
      concurrency: 1,
      reconcile: async key => {
        ran.push(key);
        return rest;
      },
      owns: () => true,
      log: createLog('silent', 'json'),
      clock: systemClock,
      metrics: new ControllerMetrics(metrics),
    });
    controller.add('a');
    controller.add('a');
    await vi.advanceTimersByTimeAsync(100);
    expect(ran).toEqual([]);
    const stopping = new AbortController();
    const ended = controller.run(stopping.signal);
    await vi.advanceTimersByTimeAsync(100);
    expect(ran).toEqual(['a']);
    stopping.abort();
    await ended;
  });

  test('runs after its delay', async () => {
    const { controller, ran, stop } = start(async () => rest);
    controller.add('a', { afterMilliseconds: 5_000 });
    await vi.advanceTimersByTimeAsync(4_990);
    expect(ran).toEqual([]);
    await vi.advanceTimersByTimeAsync(20);
    expect(ran).toEqual(['a']);
    await stop();
  });

  test('never runs twice at a time, and runs again for what came meanwhile', async () => {
    let running = 0;
    const { controller, ran, stop } = start(async () => {
      expect(++running).toBe(1);
      await new Promise(resolve => setTimeout(resolve, 100));
      running--;
      return rest;
    });
    controller.add('a');
    await vi.advanceTimersByTimeAsync(50);
    controller.add('a');
    await vi.advanceTimersByTimeAsync(500);
    expect(ran).toEqual(['a', 'a']);
    await stop();
  });

  test('that is not ours at its turn is forgotten', async () => {
    let ours = false;
    const { controller, ran, stop } = start(async () => rest, { owns: () => ours });
    controller.add('a');
    await vi.advanceTimersByTimeAsync(100);
    ours = true;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(ran).toEqual([]);
    controller.add('a');
    await vi.advanceTimersByTimeAsync(100);
    expect(ran).toEqual(['a']);
    await stop();
  });

  test('waits for a worker, those of priority first before the others', async () => {
    const { controller, ran, metrics, stop } = start(
      () => new Promise(resolve => setTimeout(() => resolve(rest), 100)),
      { concurrency: 2 },
    );
    for (const key of ['a', 'b', 'c', 'd']) controller.add(key);
    controller.add('urgent', { priority: 'first' });
    await vi.advanceTimersByTimeAsync(50);
    expect(ran).toEqual(['urgent', 'a']);
    expect(await metrics.text()).toContain('botmint_queue_depth{controller="test"} 3');
    await vi.advanceTimersByTimeAsync(500);
    expect(ran).toEqual(['urgent', 'a', 'b', 'c', 'd']);
    await stop();
  });
});

describe('an outcome with a time', () => {
  test('brings the key back then, even when setTimeout could not wait so long', async () => {
    const time = new Date('2026-01-27T00:00:00Z');
    const { controller, ran, stop } = start(async () => (ran.length === 1 ? { next: 'at', time } : rest));
    controller.add('a');
    await vi.advanceTimersByTimeAsync(time.getTime() - Date.now() - 1_000);
    expect(ran).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(ran).toEqual(['a', 'a']);
    await stop();
  });

  test('follows the wall clock within a minute of its jump', async () => {
    const time = new Date('2026-01-02T00:00:00Z');
    const { controller, ran, stop } = start(async () => (ran.length === 1 ? { next: 'at', time } : rest));
    controller.add('a');
    await vi.advanceTimersByTimeAsync(1_000);
    vi.setSystemTime(time);
    await vi.advanceTimersByTimeAsync(61_000);
    expect(ran).toEqual(['a', 'a']);
    await stop();
  });

  test('that is no time counts as a failure', async () => {
    const { controller, metrics, stop } = start(async () => ({ next: 'at', time: new Date('nonsense') }));
    controller.add('a');
    await vi.advanceTimersByTimeAsync(10);
    expect(await metrics.text()).toContain('botmint_reconcile_errors_total{controller="test",reason="Unexpected"} 1');
    await stop();
  });
});

describe('a failure', () => {
  test.each<[string, Error, number]>([
    ['is tried again with back-off when it says nothing', new Error('oops'), 4], // at 0, 50, 150 and 350 ms
    ['is tried again with back-off when it says so', new Refused({ kind: 'backoff' }), 4],
    ['is tried again no earlier than it says', new Refused({ kind: 'after', seconds: 0.35 }), 2],
    ['waits for a change when only that can help', new Refused({ kind: 'on-change' }), 1],
  ])('%s', async (_, error, expected) => {
    const { controller, ran, stop } = start(() => Promise.reject(error));
    controller.add('a');
    await vi.advanceTimersByTimeAsync(370);
    expect(ran).toHaveLength(expected);
    await stop();
  });

  test('does not hold back an edit', async () => {
    const { controller, ran, stop } = start(() => Promise.reject(new Refused({ kind: 'after', seconds: 900 })));
    controller.add('a');
    await vi.advanceTimersByTimeAsync(10);
    controller.add('a');
    await vi.advanceTimersByTimeAsync(10);
    expect(ran).toEqual(['a', 'a']);
    await stop();
  });

  test('is counted by its reason', async () => {
    const { controller, metrics, stop } = start(() => Promise.reject(new Refused({ kind: 'on-change' })));
    controller.add('a');
    await vi.advanceTimersByTimeAsync(10);
    const text = await metrics.text();
    expect(text).toContain('botmint_reconcile_errors_total{controller="test",reason="Refused"} 1');
    expect(text).toContain('botmint_reconcile_duration_seconds_count{controller="test",outcome="error"} 1');
    await stop();
  });

  test('thrown before the first await is a failure like any other', async () => {
    const { controller, ran, stop } = start(() => {
      throw new Error('at once');
    });
    controller.add('a');
    await vi.advanceTimersByTimeAsync(60);
    expect(ran).toEqual(['a', 'a']);
    await stop();
  });
});

describe('an abort', () => {
  test('ends a reconcile that takes too long, as a failure', async () => {
    const { controller, ran, metrics, stop } = start((_, signal) => untilAborted(signal), { timeoutSeconds: 3 });
    controller.add('a');
    await vi.advanceTimersByTimeAsync(2_900);
    expect(ran).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(200);
    expect(ran).toEqual(['a', 'a']);
    expect(await metrics.text()).toContain('reason="ReconcileTimeout"} 1');
    const stopped = stop();
    await vi.advanceTimersByTimeAsync(10_000);
    await stopped;
  });

  test('of lost keys ends these and no others, and brings no retry', async () => {
    const aborted: Key[] = [];
    const { controller, ran, metrics, stop } = start((key, signal) => {
      signal.addEventListener('abort', () => aborted.push(key));
      return untilAborted(signal);
    });
    controller.add('lost');
    controller.add('kept');
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(key => key === 'lost');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(aborted).toEqual(['lost']);
    expect(ran).toEqual(['lost', 'kept']);
    expect(await metrics.text()).not.toContain('botmint_reconcile_errors_total{');
    const stopped = stop();
    await vi.advanceTimersByTimeAsync(10_000);
    await stopped;
  });

  test('does not lose what was added while the work was ending', async () => {
    const { controller, ran, stop } = start((_, signal) =>
      ran.length === 1 ? untilAborted(signal) : Promise.resolve(rest),
    );
    controller.add('a');
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(() => true);
    controller.add('a');
    await vi.advanceTimersByTimeAsync(10);
    expect(ran).toEqual(['a', 'a']);
    await stop();
  });
});

describe('the end', () => {
  test('waits for what runs, and begins nothing new', async () => {
    const { controller, ran, stop, isEnded } = start(
      () => new Promise(resolve => setTimeout(() => resolve(rest), 5_000)),
      { concurrency: 1 },
    );
    controller.add('a');
    controller.add('b');
    await vi.advanceTimersByTimeAsync(10);
    const stopped = stop();
    await vi.advanceTimersByTimeAsync(4_900);
    expect(isEnded()).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    await stopped;
    expect(ran).toEqual(['a']);
  });

  test('aborts what takes longer than eight seconds', async () => {
    const { controller, stop, isEnded } = start((_, signal) => untilAborted(signal));
    controller.add('a');
    await vi.advanceTimersByTimeAsync(10);
    const stopped = stop();
    await vi.advanceTimersByTimeAsync(7_900);
    expect(isEnded()).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    await stopped;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('with real timers', () => {
  beforeEach(() => {
    vi.useRealTimers();
  });

  test('two thousand due keys leave the event loop its turns', async () => {
    const { controller, ran, stop } = start(async () => rest, { concurrency: 32 });
    for (let i = 0; i < 2_000; i++) controller.add(`key-${i}`);
    let turns = 0;
    while (ran.length < 2_000) {
      await turn();
      turns++;
    }
    expect(turns).toBeGreaterThan(2_000 / 32 / 2);
    await stop();
  });

  test('an idle controller takes no turns', async () => {
    let looks = 0;
    const look = () => {
      looks++;
      return performance.now();
    };
    const clock = { ...systemClock, monotonic: look };
    const metrics = new ControllerMetrics(new Metrics());
    const log = createLog('silent', 'json');
    const options = { name: 'idle', concurrency: 1, owns: () => true, log, clock, metrics };
    const controller = new Controller({ ...options, reconcile: async () => rest });
    const stopping = new AbortController();
    const ended = controller.run(stopping.signal);
    controller.add('a', { afterMilliseconds: 3_600_000 });
    await turn();
    await turn();
    const before = looks;
    for (let i = 0; i < 1_000; i++) await turn();
    expect(looks).toBe(before);
    stopping.abort();
    await ended;
  });
});
