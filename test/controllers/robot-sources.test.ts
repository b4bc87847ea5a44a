import { expect, test } from 'vitest';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { RobotSources } from '../../src/controllers/robot-sources.ts';
import { served } from '../decide/robots.ts';
import { clientOf, configOf, json, localServer } from '../kube/local-server.ts';

const signal = new AbortController().signal;
const robot: RobotAccount = withRef({ name: 'mine', key: 'password' });
const own = 'Passw0rd-of-ours';

function withRef(secretKeyRef: { name: string; key: string }): RobotAccount {
  return { ...served, spec: { ...served.spec, secret: { ...served.spec.secret, valueFrom: { secretKeyRef } } } };
}

/** An API server with this one Secret, which a test changes, and what it was asked. */
async function sources() {
  const state: { value: string | undefined; version: number; missing: boolean } = {
    value: own,
    version: 90,
    missing: false,
  };
  const { origin, seen } = await localServer((request, response) => {
    const absent = { kind: 'Status', code: 404, reason: 'NotFound', details: { name: 'mine' } };
    if (state.missing) return json(404, absent)(request, response);
    const metadata = { name: 'mine', namespace: 'team-a', uid: 'mine-uid', resourceVersion: String(state.version) };
    const data = state.value === undefined ? {} : { password: Buffer.from(state.value).toString('base64') };
    const isMetadata = request.headers.accept?.includes('PartialObjectMetadata') === true;
    return json(200, { metadata, ...(isMetadata ? {} : { data }) })(request, response);
  });
  const { client } = clientOf(configOf(origin));
  return { of: new RobotSources(client), state, seen };
}

const found = { state: 'found', uid: 'mine-uid', resourceVersion: '90', broken: [] };

test('a value is read once for each version, and only what it breaks is kept', async () => {
  const { of, state, seen } = await sources();
  await of.look(robot, signal);
  expect(of.seen(robot)).toEqual(found);
  expect(seen).toHaveLength(2);
  await of.look(robot, signal);
  expect(seen).toHaveLength(3);
  Object.assign(state, { version: 91, value: 'nodigits' });
  await of.look(robot, signal);
  expect(of.seen(robot)).toMatchObject({ resourceVersion: '91', broken: ['an upper-case letter', 'a digit'] });
  expect(JSON.stringify(of.seen(robot))).not.toContain('nodigits');
});

test('a Secret that is not there, or lacks the key, is absent', async () => {
  const { of, state } = await sources();
  state.value = undefined;
  await of.look(robot, signal);
  expect(of.seen(robot)).toEqual({ state: 'absent', what: 'key' });
  state.missing = true;
  await of.look(robot, signal);
  expect(of.seen(robot)).toEqual({ state: 'absent', what: 'secret' });
});

test('what was seen for another reference says nothing', async () => {
  const { of } = await sources();
  await of.look(robot, signal);
  expect(of.seen(withRef({ name: 'mine', key: 'other' }))).toBeUndefined();
  expect(of.seen(withRef({ name: 'other', key: 'password' }))).toBeUndefined();
  expect(of.seen(served)).toBeUndefined();
  await of.look(served, signal);
  expect(of.seen(robot)).toBeUndefined();
});

test('a value is handed out at the version that was decided about, and what is there instead is seen', async () => {
  const { of, state } = await sources();
  const at = { name: 'mine', key: 'password', uid: 'mine-uid', resourceVersion: '90' };
  expect((await of.read(robot, at, signal))?.reveal()).toBe(own);
  state.version = 92;
  expect(await of.read(robot, at, signal)).toBeUndefined();
  expect(of.seen(robot)).toMatchObject({ resourceVersion: '92' });
});
