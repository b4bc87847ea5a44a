import { expect, onTestFinished, test } from 'vitest';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { addVerifierGauge, VerifierKeys } from '../../src/controllers/verifier-keys.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import type { Metadata, Secret } from '../../src/kube/core-kinds.ts';
import { Store } from '../../src/kube/store.ts';
import { eventually } from '../cluster/wait.ts';
import { inputs, served } from '../decide/robots.ts';
import { silent } from '../kube/local-server.ts';

const keyOf = (letter: string) => new SecretValue(Buffer.from(letter.repeat(32)).toString('base64'));

/** Keys that begin with one, and read the others by this client. */
function knowing(client: { get: () => Promise<never> }, secrets = new Store<Metadata>()): VerifierKeys {
  const around = { client, namespace: 'botmint-system', secrets, clock: systemClock, log: silent };
  return new VerifierKeys({ ...around, keys: new Map([[1, keyOf('a')]]), knownAheadMilliseconds: 0 });
}

/** Keys that follow a Secret which a test writes. */
function following() {
  const secrets = new Store<Metadata>();
  let live: Secret | undefined;
  let reads = 0;
  const client = {
    get: async () => {
      reads++;
      return live as never;
    },
  };
  const keys = knowing(client, secrets);
  const stopping = new AbortController();
  const running = keys.run(stopping.signal);
  onTestFinished(async () => {
    stopping.abort();
    await running;
  });
  let version = 100;
  const write = async (data: Record<string, SecretValue>, name = 'botmint-operator') => {
    const metadata = { name, namespace: 'botmint-system', uid: 'uid', creationTimestamp: '' };
    live = { metadata: { ...metadata, resourceVersion: String(++version) }, type: 'Opaque', data };
    const before = reads;
    secrets.put({ metadata: live.metadata });
    if (name === 'botmint-operator') await eventually('it was read', () => reads > before);
  };
  return { keys, write, reads: () => reads };
}

test('keys that were taken away, or are too short, leave what is known as it is', async () => {
  const { keys, write } = following();
  const before = keys.verifiers.current;
  await write({});
  await write({ 'verifier-2.key': new SecretValue('c2hvcnQ=') });
  await write({ 'verifier-1.key': keyOf('a'), 'verifier-2.key': new SecretValue('c2hvcnQ=') });
  expect(keys.verifiers.current).toEqual(before);
});

test('a key of 128 bits is long enough, and one of less is none', async () => {
  const { keys, write } = following();
  const ofBytes = (count: number) => new SecretValue(Buffer.alloc(count, 'k').toString('base64'));
  await write({ 'verifier-1.key': keyOf('a'), 'verifier-2.key': ofBytes(16), 'verifier-3.key': ofBytes(15) });
  await eventually('it makes verifiers', () => keys.verifiers.current.number === 2);
});

test('no other Secret is read', async () => {
  const { write, reads } = following();
  await write({ 'verifier-2.key': keyOf('b') }, 'another');
  await write({ 'verifier-1.key': keyOf('a') });
  expect(reads()).toBe(1);
});

test('a listener is told of another key, and of an older one that goes, once each', async () => {
  const { keys, write } = following();
  let told = 0;
  keys.onChange(() => told++);
  await write({ 'verifier-1.key': keyOf('a'), 'verifier-2.key': keyOf('b') });
  await eventually('the new key makes verifiers', () => keys.verifiers.current.number === 2);
  const old = new Verifiers(new Map([[1, keyOf('a')]])).ofGenerated({ uid: 'u', revision: 1 }, keyOf('c'));
  await write({ 'verifier-2.key': keyOf('b') });
  await eventually('the old one is gone', () => keys.verifiers.numberOf(old) === undefined);
  await write({ 'verifier-2.key': keyOf('b') });
  expect(told).toBe(2);
});

test('of two reads at the same time the later one has the last word', async () => {
  const answers = [Promise.withResolvers<object>(), Promise.withResolvers<object>()];
  let reads = 0;
  const client = { get: () => answers[reads++]?.promise as never };
  const keys = knowing(client);
  const { signal } = new AbortController();
  const both = [keys.refresh(signal), keys.refresh(signal)];
  answers[1]?.resolve({ data: { 'verifier-2.key': keyOf('b') } });
  answers[0]?.resolve({ data: { 'verifier-1.key': keyOf('a') } });
  await Promise.all(both);
  expect(keys.verifiers.current.number).toBe(2);
});

test('a read that fails says so, and leaves the next one alone', async () => {
  const answers = [Promise.reject(new Error('the API server is away')), { data: { 'verifier-2.key': keyOf('b') } }];
  const client = { get: async () => answers.shift() as never };
  const keys = knowing(client);
  const { signal } = new AbortController();
  await expect(keys.refresh(signal)).rejects.toThrow('the API server is away');
  await keys.refresh(signal);
  expect(keys.verifiers.current.number).toBe(2);
});

test('one key under two numbers is the higher one, so that verifiers of it are never of an older key', async () => {
  const { keys, write } = following();
  await write({ 'verifier-10.key': keyOf('b'), 'verifier-2.key': keyOf('b') });
  await eventually('it makes verifiers', () => keys.verifiers.current.number === 10);
  expect(keys.verifiers.numberOf(keys.verifiers.ofGenerated({ uid: 'u', revision: 1 }, keyOf('c')))).toBe(10);
});

test('the metric counts verifiers by the number of their key, those in their overlap too', async () => {
  const verifiers = new Verifiers(new Map([[2, keyOf('b')]]));
  const verifier = verifiers.ofGenerated({ uid: 'u', revision: 1 }, keyOf('c'));
  const robots = new Store<RobotAccount>();
  const issued = { inputs: { ...inputs, robot: { ...inputs.robot, verifier } }, secret: { name: 'ci', uid: 'x' } };
  const previous = [{ tokenID: 'old', revokeAt: '2030-01-01T00:00:00Z', verifier: inputs.robot.verifier }];
  robots.put({ ...served, status: { ...served.status, issued, previous } });
  const metrics = new Metrics();
  addVerifierGauge(metrics, { robots, verifiers });
  const text = await metrics.text();
  expect(text).toContain('botmint_verifiers{key="2"} 1\n');
  expect(text).toContain('botmint_verifiers{key="unknown"} 1\n');
});
