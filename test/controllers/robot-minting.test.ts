import { expect, test } from 'vitest';
import type { RobotInputs } from '../../src/api/inputs.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { robotMinting, robotRemaking } from '../../src/controllers/robot-minting.ts';
import { RobotSources } from '../../src/controllers/robot-sources.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
import type { SourceSeen } from '../../src/decide/own-secret.ts';
import { toBeMade } from '../../src/decide/robot-account.ts';
import { generateSecret, isGeneratedSecret } from '../../src/issuers/registry/secrets.ts';
import { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { now } from '../decide/healthy.ts';
import { fresh, inputs, registry, seen, served, uid } from '../decide/robots.ts';
import { clientOf, configOf, json, localServer } from '../kube/local-server.ts';

const signal = new AbortController().signal;
const slowHash = async (secret: SecretValue) => Buffer.from(`slow ${secret.reveal()}`);
const verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), slowHash);
const gone = { state: 'absent', confirmed: true } as const;
const asking = { ...fresh, metadata: served.metadata };
const { rotation: _, ...unrotated } = asking.spec;
const valueFrom = { secretKeyRef: { name: 'mine', key: 'password' } };
const bringing = { ...asking, spec: { ...unrotated, secret: { ...unrotated.secret, valueFrom } } };
const source: SourceSeen = { state: 'found', uid: 'mine-uid', resourceVersion: '90', broken: [] };
const live = { revision: 1 };

/** A mint whose API server has this Secret, and the robot's numbers from 18 on. */
async function mintOf(secret: { uid?: string; resourceVersion?: string; password?: string } = {}) {
  const { uid: of = 'mine-uid', resourceVersion = '90', password = 'Passw0rd-of-ours' } = secret;
  const data = { password: Buffer.from(password).toString('base64') };
  const metadata = { name: 'mine', namespace: 'team-a', uid: of, resourceVersion, creationTimestamp: '' };
  const { origin } = await localServer(json(200, { metadata, data }));
  const { client } = clientOf(configOf(origin));
  const clock = { now: () => now } as never;
  let id = 17;
  const takeID = async () => ++id;
  return robotMinting({
    world: { clock },
    sources: new RobotSources(client, verifiers),
    verifiers,
    digestKey: new SecretValue('the key'),
    takeID,
  });
}

function issueOf(...given: Parameters<typeof seen>): Step & { do: 'issue' } {
  const step = decide(seen(...given), now);
  if (step.do !== 'issue') throw new Error(`not an issue: ${step.do}`);
  return step;
}

test('a generated secret stands in the Secret, and what it is checked by in the inputs', async () => {
  const mint = await mintOf();
  const made = await mint(asking, issueOf({ robot: asking, secret: gone }), signal);
  if (made === undefined || 'refused' in made) throw new Error('nothing was made');
  const { auths } = JSON.parse(made.data.get('.dockerconfigjson')?.reveal() ?? '');
  const { username, password } = auths['registry.example.com'];
  expect(username).toBe('robot_payments+ci');
  expect(isGeneratedSecret(password)).toBe(true);
  const verifier = made.inputs.robot?.verifier ?? '';
  expect(verifiers.matchesGenerated(uid, [{ ...live, verifier }], new SecretValue(password))).toBe(true);
  expect(made).toMatchObject({ revision: 1, inputs: { robot: { id: 18, verifierKey: 1 }, username } });
  expect(JSON.stringify(made.inputs)).not.toContain(password);
});

test('a robot keeps its number, and gets another one at another issuer of the same name', async () => {
  const mint = await mintOf();
  expect(await mint(served, issueOf({ secret: gone }), signal)).toMatchObject({ inputs: { robot: { id: 17 } } });
  const issuer = { ...registry, metadata: { ...registry.metadata, uid: 'another' } };
  expect(await mint(served, issueOf({ issuer, confirmed: { issuer: true } }), signal)).toMatchObject({
    inputs: { robot: { id: 18 } },
  });
});

test.each<[string, string | undefined, number]>([
  ['keeps its number at its issuer', registry.metadata.uid, 17],
  ['gets another one at an issuer that has taken the name of its own', 'gone', 18],
  ['gets another one where nobody can tell whose it was', undefined, 18],
])('a robot whose secret was lost %s', async (_, issuerUID, id) => {
  const mint = await mintOf();
  const robot = { ...served, status: { id: 17, fullName: 'robot_payments+ci', ...(issuerUID && { issuerUID }) } };
  expect(await mint(robot, issueOf({ robot, secret: gone }), signal)).toMatchObject({ inputs: { robot: { id } } });
});

test('a secret of its own is read at the version that was decided about', async () => {
  const step = issueOf({ robot: bringing, secret: gone, source });
  const made = await (await mintOf())(bringing, step, signal);
  if (made === undefined || 'refused' in made) throw new Error('nothing was made');
  expect(made.inputs.robot?.source).toEqual({ ...valueFrom.secretKeyRef, uid: 'mine-uid', resourceVersion: '90' });
  const verifier = made.inputs.robot?.verifier ?? '';
  const own = new SecretValue('Passw0rd-of-ours');
  expect(await verifiers.matchesOwn(uid, [{ ...live, verifier }], own)).toBe(true);
  expect(made.data.get('.dockerconfigjson')?.reveal()).toContain('Passw0rd-of-ours');
  expect(await (await mintOf({ resourceVersion: '91' }))(bringing, step, signal)).toBeUndefined();
  expect(await (await mintOf({ uid: 'another' }))(bringing, step, signal)).toBeUndefined();
});

test.each<[string, RobotInputs['robot']['source']]>([
  ['that was generated', undefined],
  ['of its own', { name: 'mine', key: 'password', uid: 'mine-uid', resourceVersion: '90' }],
])('the verifier of a secret %s is made anew by the same method, where one is to be made', async (_, from) => {
  const shown = from === undefined ? generateSecret() : new SecretValue('Passw0rd-of-ours');
  const robot = { ...inputs.robot, verifier: toBeMade, verifierKey: 1, ...(from && { source: from }) };
  const remake = robotRemaking(verifiers);
  const made = await remake(served, { revision: 3, inputs: { ...inputs, robot } }, shown);
  const all = [{ revision: 3, verifier: made.robot?.verifier ?? '' }];
  expect(verifiers.matchesGenerated(uid, all, shown)).toBe(from === undefined);
  expect(await verifiers.matchesOwn(uid, all, shown)).toBe(from !== undefined);
  expect(await remake(served, { revision: 3, inputs }, shown)).toBe(inputs);
});

test('a secret of its own that breaks the rules is refused, and never quoted', async () => {
  const step = issueOf({ robot: bringing, secret: gone, source });
  const refused = await (await mintOf({ password: 'nodigits' }))(bringing, step, signal);
  expect(refused).toMatchObject({ refused: { reason: 'SourceInvalid' } });
  expect(JSON.stringify(refused)).toContain('a digit');
  expect(JSON.stringify(refused)).not.toContain('nodigits');
});
