import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pausedAnnotation } from '../../src/api/names.ts';
import { SecretValue as Value } from '../../src/base/secret-value.ts';
import { eventually, sharedCluster } from '../cluster/cluster.ts';
import { installed, newKey, robotOf } from './verifier-key-place.ts';

const cluster = sharedCluster();
const keyRotationPage = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'key-rotation.md'), 'utf8');

test('keys that are lost go on being used by those who know them', async () => {
  const { edit, replica, place, path } = await installed();
  const a = await replica();
  const { current } = a.verifiers;
  await edit({ 'verifier-1.key': null });
  await place.api.delete(`${path}/botmint-operator`);
  await eventually(
    'the cache has heard of it',
    () => a.caches.secrets.get(`${place.namespace}/botmint-operator`) === undefined,
  );
  await place.api.create(path, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'botmint-operator', labels: { 'botmint.dev/managed': 'operator' } },
    data: { 'verifier-1.key': newKey() },
  });
  await eventually('another key of that number is the one', () => a.verifiers.current.id !== current.id);
  expect(a.changes()).toBe(1);
});

test('a Secret of the operator that is lost after a rotation leaves no robot locked out', async () => {
  const at = await installed();
  const before = await at.replica();
  const [generated, own] = [await robotOf(at, 'generated'), await robotOf(at, 'own', 'Passw0rd-of-ours')];
  const names = ['generated', 'own'];
  for (const name of names) await before.reconcile(name);
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => before.verifiers.current.number === 2);
  for (const name of names) await before.reconcile(name);
  const [secret, { status }] = [await generated.secret(), await generated.object()];
  await at.place.api.delete(`${at.path}/botmint-operator`);
  const after = await at.replica(); // the next start makes keys anew
  expect(after.verifiers.current.number).toBe(1);
  expect(after.verifiers.numberOf(await own.verifier())).toBeUndefined();
  for (const name of names) await after.reconcile(name);
  await eventually('the robot logs in', async () => (await after.enter('generated', secret)) === 'ok');
  const shown = new Value('Passw0rd-of-ours');
  await eventually('the other one logs in', async () => (await after.enter('own', shown)) === 'ok');
  expect((await generated.object()).status).toMatchObject({ tokenID: status.tokenID, revision: status.revision });
});

test('a key that is lost after a rotation costs no robot its secret', async () => {
  const at = await installed();
  const a = await at.replica();
  const robot = await robotOf(at, 'ci');
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
  await a.reconcile('ci');
  const [secret, { status }] = [await robot.secret(), await robot.object()];
  await at.edit({ 'verifier-2.key': null });
  await eventually('the older key makes verifiers', () => a.verifiers.current.number === 1);
  await expect(a.enter('ci', secret)).rejects.toThrow('key that is not loaded');
  await a.reconcile('ci');
  await eventually('the robot logs in', async () => (await a.enter('ci', secret)) === 'ok');
  expect((await robot.object()).status).toMatchObject({ tokenID: status.tokenID, revision: status.revision });
});

test('a paused robot keeps a verifier of a key that goes: it is not Ready, and logs in when it goes on', async () => {
  const at = await installed();
  const a = await at.replica();
  const robot = await robotOf(at, 'ci');
  await a.reconcile('ci');
  const secret = await robot.secret();
  const path = `/apis/botmint.dev/v1alpha1/namespaces/${at.place.namespace}/robotaccounts/ci`;
  const pause = async (paused: 'true' | null) => {
    await at.place.api.patch(path, { metadata: { annotations: { [pausedAnnotation]: paused } } });
    const annotation = () => a.robot('ci')?.metadata.annotations?.[pausedAnnotation];
    await eventually('the cache has heard of it', () => annotation() === (paused ?? undefined));
    await a.reconcile('ci');
  };
  const ready = () => a.robot('ci')?.status?.conditions?.find(({ type }) => type === 'Ready');
  await pause('true');
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
  await a.reconcile('ci');
  expect(ready()).toMatchObject({ status: 'True', reason: 'Issued' });
  const told = a.changes();
  await at.edit({ 'verifier-1.key': null });
  await eventually('robots are looked at', () => a.changes() > told);
  await a.reconcile('ci');
  expect(ready()).toMatchObject({ status: 'False', reason: 'VerifierKeyMissing' });
  const [, columns = ''] = /-o (custom-columns)='(.*)'/.exec(keyRotationPage)?.slice(1) ?? [];
  const shown = await cluster.kubectl([
    'get',
    'robotaccounts',
    '-n',
    at.place.namespace,
    '-o',
    `custom-columns=${columns}`,
  ]);
  expect(shown.split('\n')[1]?.split(/ +/)).toEqual([at.place.namespace, 'ci', '1', 'true', 'VerifierKeyMissing']);
  await pause(null);
  expect(ready()).toMatchObject({ status: 'True', reason: 'Issued' });
  await eventually('the robot logs in', async () => (await a.enter('ci', secret)) === 'ok');
});
