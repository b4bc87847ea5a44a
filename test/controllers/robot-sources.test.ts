import { describe, expect, test } from 'vitest';
import type { RobotAccount } from '../../src/api/robot-account.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { RobotSources } from '../../src/controllers/robot-sources.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { inputs, madeFrom, served, tokenID, uid } from '../decide/robots.ts';
import { clientOf, configOf, json, localServer } from '../kube/local-server.ts';

const signal = new AbortController().signal;
const robot: RobotAccount = withRef({ name: 'mine', key: 'password' });
const own = 'Passw0rd-of-ours';
const verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]));

function withRef(secretKeyRef: { name: string; key: string }): RobotAccount {
  return { ...served, spec: { ...served.spec, secret: { ...served.spec.secret, valueFrom: { secretKeyRef } } } };
}

/** An API server with this one Secret, which a test changes, and what it was asked. */
async function sources() {
  const state = { value: own as string | Buffer | undefined, version: 90, missing: false };
  const { origin, seen } = await localServer((request, response) => {
    const absent = { kind: 'Status', code: 404, reason: 'NotFound', details: { name: 'mine' } };
    if (state.missing) return json(404, absent)(request, response);
    const metadata = { name: 'mine', namespace: 'team-a', uid: 'mine-uid', resourceVersion: String(state.version) };
    const data = state.value === undefined ? {} : { password: Buffer.from(state.value as string).toString('base64') };
    const isMetadata = request.headers.accept?.includes('PartialObjectMetadata') === true;
    return json(200, { metadata, ...(isMetadata ? {} : { data }) })(request, response);
  });
  const { client } = clientOf(configOf(origin));
  return { of: new RobotSources(client, verifiers), state, seen };
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

/** The same robot with a secret that was read from there at version 90. */
async function issuedWith(value: string): Promise<RobotAccount> {
  const verifier = await verifiers.ofOwn({ uid, revision: 3 }, new SecretValue(value));
  const source = { name: 'mine', key: 'password', uid: 'mine-uid', resourceVersion: '90' };
  return madeFrom({ robot: { ...inputs.robot, verifier, source } }, robot).robot;
}

describe('a later version', () => {
  test('with the value that the robot has is known for the same', async () => {
    const { of, state, seen } = await sources();
    const issued = await issuedWith(own);
    await of.look(issued, signal);
    expect(of.seen(issued)).toEqual(found);
    state.version = 91;
    await of.look(issued, signal);
    expect(of.seen(issued)).toEqual({ ...found, resourceVersion: '91', sameAs: tokenID });
    const asked = seen.length;
    await of.look(issued, signal);
    expect(seen).toHaveLength(asked + 1);
  });

  test('with another value is not', async () => {
    const { of, state } = await sources();
    const issued = await issuedWith(own);
    Object.assign(state, { version: 91, value: `${own}2` });
    await of.look(issued, signal);
    expect(of.seen(issued)).toEqual({ ...found, resourceVersion: '91' });
  });

  test('is compared again with a credential that came since', async () => {
    const { of, state } = await sources();
    state.version = 91;
    await of.look(await issuedWith('Another-value-1'), signal);
    const issued = await issuedWith(own);
    const later = `${uid}.3.later`;
    const again = { ...issued, status: { ...issued.status, tokenID: later } };
    await of.look(again, signal);
    expect(of.seen(again)).toMatchObject({ sameAs: later });
  });

  test('is compared, and not handed out, where the credential was recorded after the look', async () => {
    const { of, state } = await sources();
    state.version = 91;
    await of.look(robot, signal);
    const issued = await issuedWith(own);
    const at = { name: 'mine', key: 'password', uid: 'mine-uid', resourceVersion: '91' };
    expect(await of.read(issued, at, signal)).toBeUndefined();
    expect(of.seen(issued)).toMatchObject({ sameAs: tokenID });
    expect(await of.read(issued, at, signal)).toMatchObject({ value: expect.any(SecretValue) });
  });
});

test.each<[string, Buffer, string]>([
  ['is no text', Buffer.from([0xff, 0xfe, ...Buffer.from('Ab1defgh')]), 'UTF-8 text'],
  ['has a byte order mark', Buffer.from('\uFEFFAb1defgh'), 'no byte order mark'],
])('a value that %s is against the rules: no two values are taken for one', async (_, value, rule) => {
  const { of, state } = await sources();
  state.value = value;
  await of.look(robot, signal);
  expect(of.seen(robot)).toEqual({ ...found, broken: [rule] });
  const at = { name: 'mine', key: 'password', uid: 'mine-uid', resourceVersion: '90' };
  expect(await of.read(robot, at, signal)).toEqual({ broken: [rule] });
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
  const read = await of.read(robot, at, signal);
  expect(read !== undefined && 'value' in read && read.value.reveal()).toBe(own);
  state.version = 92;
  expect(await of.read(robot, at, signal)).toBeUndefined();
  expect(of.seen(robot)).toMatchObject({ resourceVersion: '92' });
});
