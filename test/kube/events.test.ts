import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { KubeError, Unreachable } from '../../src/kube/errors.ts';
import { EventRecorder, type EventRecorderOptions, type News } from '../../src/kube/events.ts';

const token = { apiVersion: 'botmint.dev/v1alpha1', kind: 'BotToken', namespace: 'team', name: 'ci', uid: 'uid-1' };
const issued: News = { type: 'Normal', reason: 'Issued', action: 'Issue', note: 'issued revision 1' };

type Call = { verb: 'create' | 'patch'; body: object & { note?: string } };

/** Takes the place of the network: keeps the calls, answers after 5 ms, or as `fail` says. */
function start(fail: (call: Call, nth: number) => Error | undefined = () => undefined) {
  const calls: Call[] = [];
  let inFlight = 0;
  let most = 0;
  const answer = async (call: Call): Promise<unknown> => {
    calls.push(call);
    most = Math.max(most, ++inFlight);
    await new Promise(resolve => setTimeout(resolve, 5));
    inFlight--;
    const error = fail(call, calls.length);
    if (error) throw error;
    return { metadata: { name: 'e', uid: 'u', resourceVersion: `${calls.length}`, creationTimestamp: '' } };
  };
  const client: EventRecorderOptions['client'] = {
    create: async (resource, body) => resource.parse(await answer({ verb: 'create', body })),
    patch: async (resource, _, body) => resource.parse(await answer({ verb: 'patch', body })),
  };
  const metrics = new Metrics();
  const log = createLog('silent', 'json');
  const recorder = new EventRecorder({
    client,
    identity: 'pod-1',
    clock: systemClock,
    log,
    metrics,
  });
  const stopping = new AbortController();
  const ended = recorder.run(stopping.signal);
  const stop = () => {
    stopping.abort();
    return ended;
  };
  return { recorder, calls, metrics, stop, most: () => most };
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

test('news becomes an event beside its object', async () => {
  const { recorder, calls, stop } = start();
  recorder.record(token, issued);
  await vi.advanceTimersByTimeAsync(10);
  expect(calls).toEqual([
    {
      verb: 'create',
      body: {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: expect.stringMatching(/^ci\.[0-9a-f]{16}$/), namespace: 'team' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'botmint',
        reportingInstance: 'pod-1',
        regarding: token,
        ...issued,
      },
    },
  ]);
  await stop();
});

test('news of a cluster-scoped object stands in default', async () => {
  const { recorder, calls, stop } = start();
  const { namespace: _, ...issuer } = token;
  recorder.record(issuer, issued);
  await vi.advanceTimersByTimeAsync(10);
  expect(calls[0]?.body).toMatchObject({ metadata: { namespace: 'default' }, regarding: issuer });
  await stop();
});

test('a long note is cut to what the server takes, at a letter', async () => {
  const { recorder, calls, stop } = start();
  recorder.record(token, { ...issued, note: 'ä'.repeat(2_000) });
  await vi.advanceTimersByTimeAsync(10);
  const note = String(calls[0]?.body.note);
  expect(note).toMatch(/^ä+…$/);
  expect(Buffer.byteLength(note)).toBeGreaterThan(1_015);
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024);
  await stop();
});

describe('the same news again', () => {
  test('is counted on the first event, once a minute', async () => {
    const { recorder, calls, stop } = start();
    for (let second = 0; second < 150; second++) {
      recorder.record(token, issued);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(calls.map(({ verb }) => verb)).toEqual(['create', 'patch', 'patch']);
    expect(calls[1]?.body).toEqual({ series: { count: 61, lastObservedTime: '2026-01-01T00:01:00.005000Z' } });
    await stop();
  });

  test('before the first was written makes one event', async () => {
    const { recorder, calls, stop } = start();
    for (const uid of ['busy-1', 'busy-2']) recorder.record({ ...token, uid }, issued);
    for (let i = 0; i < 5; i++) recorder.record(token, issued);
    await vi.advanceTimersByTimeAsync(20);
    expect(calls).toHaveLength(3);
    expect(calls[2]?.body).toMatchObject({ regarding: token, series: { count: 5 } });
    await stop();
  });

  test('after ten minutes is a new event', async () => {
    const { recorder, calls, stop } = start();
    recorder.record(token, issued);
    await vi.advanceTimersByTimeAsync(600_100);
    recorder.record(token, issued);
    await vi.advanceTimersByTimeAsync(100);
    expect(calls.map(({ verb }) => verb)).toEqual(['create', 'create']);
    await stop();
  });

  test.each<[string, object, Partial<News>]>([
    ['of another object', { uid: 'uid-2' }, {}],
    ['of another type', {}, { type: 'Warning' }],
    ['for another reason', {}, { reason: 'Revoked' }],
    ['with another note', {}, { note: 'issued revision 2' }],
  ])('%s is other news', async (_, object, news) => {
    const { recorder, calls, stop } = start();
    recorder.record(token, issued);
    recorder.record({ ...token, ...object }, { ...issued, ...news });
    await vi.advanceTimersByTimeAsync(100);
    expect(calls.map(({ verb }) => verb)).toEqual(['create', 'create']);
    await stop();
  });
});

describe('under load', () => {
  test('no first event is lost, two are written at a time, and the pace is limited after the burst', async () => {
    const { recorder, calls, most, stop } = start();
    for (let i = 0; i < 2_000; i++) recorder.record({ ...token, uid: `uid-${i}` }, issued);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(calls.length).toBeGreaterThan(200);
    expect(calls.length).toBeLessThanOrEqual(252);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(calls).toHaveLength(2_000);
    expect(most()).toBe(2);
    await stop();
  });

  test('what the queue cannot hold is dropped and counted', async () => {
    const { recorder, metrics, stop } = start();
    for (let i = 0; i < 10_500; i++) recorder.record({ ...token, uid: `uid-${i}` }, issued);
    await vi.advanceTimersByTimeAsync(100);
    expect(await metrics.text()).toMatch(/botmint_events_dropped_total{reason="QueueFull"} 500$/m);
    const ended = stop();
    await vi.advanceTimersByTimeAsync(2_100);
    await ended;
  });
});

describe('a failure', () => {
  const gone = () => new KubeError({ status: 404, reason: 'NotFound', message: 'gone', retry: { kind: 'backoff' } });

  test('of the network is tried once more', async () => {
    const { recorder, calls, metrics, stop } = start((_, nth) =>
      nth === 1 ? new Unreachable('connection', 'reset') : undefined,
    );
    recorder.record(token, issued);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(calls).toHaveLength(2);
    expect(await metrics.text()).not.toContain('reason="WriteFailed"');
    await stop();
  });

  test('that lasts drops the event', async () => {
    const { recorder, calls, metrics, stop } = start(() => new Unreachable('connection', 'refused'));
    recorder.record(token, issued);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(calls).toHaveLength(2);
    expect(await metrics.text()).toContain('reason="WriteFailed"} 1');
    await stop();
  });

  test('of a refused kind is not tried again, and the next news begins a new event', async () => {
    const { recorder, calls, stop } = start(({ verb }) => (verb === 'patch' ? gone() : undefined));
    for (let i = 0; i < 3; i++) {
      recorder.record(token, issued);
      await vi.advanceTimersByTimeAsync(61_000);
    }
    expect(calls.map(({ verb }) => verb)).toEqual(['create', 'patch', 'create']);
    await stop();
  });
});

describe('the end', () => {
  test('comes when all that was recorded is written', async () => {
    const { recorder, calls, stop } = start();
    for (let i = 0; i < 20; i++) recorder.record({ ...token, uid: `uid-${i}` }, issued);
    const ended = stop();
    await vi.advanceTimersByTimeAsync(200);
    await ended;
    expect(calls).toHaveLength(20);
  });

  test('comes after two seconds at the latest', async () => {
    const { recorder, calls, stop } = start();
    for (let i = 0; i < 2_000; i++) recorder.record({ ...token, uid: `uid-${i}` }, issued);
    const ended = stop();
    await vi.advanceTimersByTimeAsync(2_100);
    await ended;
    expect(calls.length).toBeLessThan(400);
    expect(vi.getTimerCount()).toBe(0);
  });
});
