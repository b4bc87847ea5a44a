import { describe, expect, test } from 'vitest';
import { SecretValue as Value } from '../../src/base/secret-value.ts';
import { eventually } from '../cluster/cluster.ts';
import { installed, newKey, robotOf } from './verifier-key-place.ts';

describe('a key that is added to the Secret of the operator', () => {
  test('is known at once by every replica and makes verifiers a while later', async () => {
    const { edit, replica } = await installed();
    const [a, b] = [await replica({ ahead: 300 }), await replica({ ahead: 3_600_000 })];
    const before = a.verifiers.current;
    expect(before).toMatchObject({ number: 1 });
    await edit({ 'verifier-2.key': newKey() });
    await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
    const made = a.verifiers.ofGenerated({ uid: 'uid', revision: 1 }, new Value('secret'));
    await eventually('the other one knows it', () => b.verifiers.numberOf(made) === 2);
    expect(b.verifiers.current).toEqual(before);
    expect([a.changes(), b.changes()]).toEqual([2, 1]);
  });

  test('changes the verifiers of all robots and not a single secret', async () => {
    const at = await installed();
    const [a, server] = [await at.replica(), await at.replica()];
    const [generated, own] = [await robotOf(at, 'generated'), await robotOf(at, 'own', 'Passw0rd-of-ours')];
    for (const name of ['generated', 'own']) await a.reconcile(name);
    const before = [await generated.object(), await own.object()];
    const secrets = [await generated.secret(), await own.secret()];
    await at.edit({ 'verifier-2.key': newKey() });
    for (const each of [a, server]) await eventually('it makes verifiers', () => each.verifiers.current.number === 2);
    for (const name of ['generated', 'own']) await a.reconcile(name);
    for (const [index, robot] of [generated, own].entries()) {
      const { status } = await robot.object();
      const old = before[index]?.status;
      expect(a.verifiers.numberOf(status.issued.inputs.robot.verifier)).toBe(2);
      expect([status.tokenID, status.revision, status.previous]).toEqual([old?.tokenID, old?.revision, undefined]);
      expect((await robot.secret()).reveal()).toBe(secrets[index]?.reveal());
    }
    // The slow way stays the one for what people choose.
    const methods = [await generated.verifier(), await own.verifier()].map(verifier => verifier.split('.')[2]);
    expect(methods).toEqual(['hmac', 'scrypt-14-8-1']);
    await at.edit({ 'verifier-1.key': null });
    for (const each of [a, server]) {
      await eventually(
        'the old key is gone',
        () => each.verifiers.numberOf(before[0]?.status.issued.inputs.robot.verifier ?? '') === undefined,
      );
      await eventually(
        'the robot logs in',
        async () => (await each.enter('generated', secrets[0] ?? new Value(''))) === 'ok',
      );
      await eventually(
        'the other one logs in',
        async () => (await each.enter('own', new Value('Passw0rd-of-ours'))) === 'ok',
      );
    }
  });

  test('is not taken back by a replica that has not heard of it, which turns nobody away either', async () => {
    const at = await installed();
    const [a, late] = [await at.replica(), await at.replica({ follows: false })];
    const robot = await robotOf(at, 'ci');
    await a.reconcile('ci');
    await at.edit({ 'verifier-2.key': newKey() });
    await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
    await a.reconcile('ci');
    const { metadata, status } = await robot.object();
    await eventually(
      'the late one has the record',
      () => late.robot('ci')?.metadata.resourceVersion === metadata.resourceVersion,
    );
    await expect(late.enter('ci', await robot.secret())).rejects.toThrow('key that is not loaded');
    await late.reconcile('ci');
    expect((await robot.object()).metadata.resourceVersion).toBe(metadata.resourceVersion);
    await late.follow();
    await eventually('it lets the robot in', async () => (await late.enter('ci', await robot.secret())) === 'ok');
    expect((await robot.object()).status.issued).toEqual(status.issued);
  });
});

test('a robot whose Secret was deleted meanwhile gets a new secret, made with the new key', async () => {
  const at = await installed();
  const a = await at.replica();
  const robot = await robotOf(at, 'ci');
  await a.reconcile('ci');
  await at.edit({ 'verifier-2.key': newKey() });
  await eventually('it makes verifiers', () => a.verifiers.current.number === 2);
  await at.place.api.delete(`${at.path}/ci`);
  await eventually('the cache has heard of it', () => a.caches.secrets.get(`${at.place.namespace}/ci`) === undefined);
  await a.reconcile('ci');
  expect((await robot.object()).status.revision).toBe(2);
  expect(a.verifiers.numberOf(await robot.verifier())).toBe(2);
});
