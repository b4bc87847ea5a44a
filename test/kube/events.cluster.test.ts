import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { Client } from '../../src/kube/client.ts';
import { loadConfig } from '../../src/kube/config.ts';
import { EventRecorder, type News } from '../../src/kube/events.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';

const cluster = sharedCluster();
const issued: News = { type: 'Normal', reason: 'Issued', action: 'Issue', note: 'issued revision 1' };
let client: Client;
const metrics = new Metrics();

beforeEach(() => {
  const config = loadConfig({ kubeconfig: cluster.kubeconfigPath });
  client = new Client({ config, log: createLog('silent', 'json'), metrics: new Metrics(), userAgent: 'test' });
});
afterEach(() => client.close());

/** What kubectl knows of the events of a namespace. */
async function eventsOf(namespace: string): Promise<unknown[]> {
  const args = ['get', 'events.events.k8s.io', '--namespace', namespace, '-o', 'json'];
  const { items }: { items: unknown[] } = JSON.parse(await cluster.kubectl(args));
  return items;
}

test('the real server takes an event, and then its count', async () => {
  const namespace = await cluster.namespace();
  // A clock that is put forward by a minute when a count is due, and else keeps to real time: news is the same for ten minutes.
  let ahead = 0;
  const clock = { ...systemClock, monotonic: () => performance.now() + ahead };
  const recorder = new EventRecorder({ client, identity: 'pod-1', clock, log: createLog('silent', 'json'), metrics });
  const stopping = new AbortController();
  const ended = recorder.run(stopping.signal);
  const config = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'kube-root-ca.crt', uid: 'uid-1' };
  recorder.record(config, { ...issued, note: 'ä'.repeat(2_000) });
  recorder.record(config, issued);
  const seen = await eventually('two events', async () => {
    const events = await eventsOf(namespace);
    return events.length === 2 && events;
  });
  expect(seen).toContainEqual(expect.objectContaining({ ...issued, reportingController: 'botmint' }));
  recorder.record(config, issued);
  ahead = 60_000;
  recorder.record(config, { ...issued, note: 'wakes the recorder, whose timers do not know that clock' });
  const counted = expect.objectContaining({ ...issued, series: expect.objectContaining({ count: 2 }) });
  await eventually('the count', async () => {
    expect(await eventsOf(namespace)).toContainEqual(counted);
    return true;
  });
  stopping.abort();
  await ended;
  expect(await metrics.text()).not.toContain('botmint_events_dropped_total{');
});
