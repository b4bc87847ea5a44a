import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, connect as tlsConnect } from 'node:tls';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { managedLabel, managedOperator } from '../../src/api/names.ts';
import { createLog } from '../../src/base/log.ts';
import { Metrics } from '../../src/base/metrics.ts';
import { configMaps, type Secret, secrets, secretText } from '../../src/kube/core-kinds.ts';
import { bundleKey, readPair, servingNames } from '../../src/server/certificate-plan.ts';
import { makeServing } from '../../src/server/certificates.ts';
import { ServingCertificates } from '../../src/server/tls.ts';
import { Authority } from '../cluster/certificates.ts';
import { eventually } from '../cluster/wait.ts';
import { ClusterOfMaps } from './cluster-of-maps.ts';

const namespace = 'botmint-system';
const serviceName = 'botmint.botmint-system.svc';
const authoritySecret = { namespace, name: 'botmint-ca' };
const servingSecret = { namespace, name: 'botmint-tls' };
const someKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const signal = new AbortController().signal;

/** Its clock begins that long before the real one, so that what it has come to today can be tried in a real handshake. */
function installation({ daysAgo = 0 } = {}) {
  const cluster = new ClusterOfMaps();
  const today = Date.now();
  const clock = { daysAgo, now: () => new Date(today - clock.daysAgo * 24 * 3600 * 1000), monotonic: () => 0 };
  const log = createLog('silent', 'json');
  const operator = (metrics = new Metrics()) =>
    new ServingCertificates({ client: cluster, namespace, clock, log, metrics });
  const served = async () => text(await secret('botmint-tls'), 'tls.crt');
  const secret = async (name: string): Promise<Secret> => {
    const found = await cluster.get(secrets, { namespace, name });
    if (found === undefined) throw new Error(`no Secret ${name}`);
    return found;
  };
  const bundle = async () => (await cluster.get(configMaps, authoritySecret))?.data[bundleKey] ?? '';
  return { cluster, clock, operator, secret, served, bundle };
}

function text(secret: Secret, key: string): string {
  return secretText(secret, key)?.reveal() ?? '';
}

async function usersSecret(labels: Record<string, string> = {}) {
  const { certificate, privateKey } = await (await Authority.create('somebody')).server(servingNames(namespace));
  return { certificate, object: tlsSecret(certificate, privateKey, labels) };
}

function tlsSecret(certificate: string, privateKey: string, labels: Record<string, string> = {}) {
  const data = { 'tls.crt': base64(certificate), 'tls.key': base64(privateKey) };
  return { metadata: { ...servingSecret, labels }, type: 'kubernetes.io/tls', data };
}

async function pair(secret: (name: string) => Promise<Secret>) {
  const serving = await secret('botmint-tls');
  return { certificate: text(serving, 'tls.crt'), key: text(serving, 'tls.key') };
}

function base64(value: string): string {
  return Buffer.from(value).toString('base64');
}

/** A TLS handshake as a relying party makes it: why it was refused, or undefined. */
async function refusalOf(given: {
  certificate: string;
  key: string;
  ca: string;
  at?: Date;
}): Promise<string | undefined> {
  const server = createServer(
    { cert: given.certificate, key: given.key },
    socket => socket.on('error', () => undefined).end(), // the other side leaves as soon as it has seen the certificate
  );
  server.on('tlsClientError', () => undefined);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const socket = tlsConnect({ port, host: '127.0.0.1', servername: serviceName, ca: given.ca });
  const outcome = await Promise.race([once(socket, 'secureConnect').then(() => undefined), once(socket, 'error')]);
  socket.destroy();
  return outcome?.map(String).join();
}

test('makes a CA, publishes it, and a certificate that a relying party with that CA accepts', async () => {
  const { cluster, operator, secret, bundle } = installation();
  const certificates = operator();
  await certificates.check(signal);
  expect(cluster.writes).toEqual([
    'create secrets/botmint-ca',
    'apply configmaps/botmint-ca',
    'create secrets/botmint-tls',
  ]);
  const serving = await secret('botmint-tls');
  expect(serving.type).toBe('kubernetes.io/tls');
  expect(serving.metadata.labels).toEqual({ [managedLabel]: managedOperator });
  expect(certificates.current?.certificate).toBe(text(serving, 'tls.crt'));
  const shown = { certificate: text(serving, 'tls.crt'), key: text(serving, 'tls.key') };
  expect(await refusalOf({ ...shown, ca: await bundle() })).toBeUndefined();
  expect(await refusalOf({ ...shown, ca: (await Authority.create('else')).pair.certificate })).toContain('unable to');
});

test('names the Service in all its forms, and nothing else', async () => {
  const { operator, served } = installation();
  await operator().check(signal);
  const certificate = new X509Certificate(await served());
  expect(certificate.subjectAltName?.split(', ')).toEqual([
    `DNS:${serviceName}`,
    'DNS:botmint.botmint-system',
    `DNS:${serviceName}.cluster.local`,
    'DNS:localhost',
    'IP Address:127.0.0.1',
  ]);
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']); // serverAuth only
});

test('writes nothing when everything is in order', async () => {
  const { cluster, operator } = installation();
  await operator().check(signal);
  cluster.writes.length = 0;
  await operator().check(signal);
  expect(cluster.writes).toEqual([]);
});

test('two operators that start at once end with one CA and one certificate', async () => {
  const { cluster, operator, served } = installation();
  const [one, other] = [operator(), operator()];
  // Neither writes before both have looked: the narrowest race there is.
  cluster.beforeWrite = meeting(2);
  await Promise.all([one.check(signal), other.check(signal)]);
  expect(cluster.writes.filter(write => write === 'create secrets/botmint-ca')).toHaveLength(2);
  expect(one.current?.certificate).toBe(await served());
  expect(other.current?.certificate).toBe(await served());
  expect(other.current?.key.reveal()).toBe(one.current?.key.reveal());
});

/** Holds the callers back until so many have come; only once, so that nobody waits for a second meeting. */
function meeting(size: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let come = 0;
  return () => {
    if (++come === size) resolve();
    return promise;
  };
}

test.each<[string, number, boolean]>([
  ['leaves a certificate of 59 days alone', 59, false],
  ['renews a certificate after two thirds of its 90 days', 61, true],
  ['renews a certificate that has ended', 91, true],
])('%s', async (_, daysAgo, renewed) => {
  const { clock, operator, secret, served, bundle } = installation({ daysAgo });
  const certificates = operator();
  await certificates.check(signal);
  const [before, authority] = [await served(), await secret('botmint-ca')];
  clock.daysAgo = 0;
  await certificates.check(signal);
  expect((await served()) !== before).toBe(renewed);
  expect(certificates.current?.certificate).toBe(await served());
  expect(await secret('botmint-ca')).toEqual(authority);
  expect((await secret('botmint-tls')).metadata.labels).toEqual({ [managedLabel]: managedOperator });
  expect(await refusalOf({ ...(await pair(secret)), ca: await bundle() })).toBeUndefined();
});

test('a renewal that another operator was faster with is taken over from it', async () => {
  const { cluster, clock, operator, served } = installation({ daysAgo: 61 });
  const [one, other] = [operator(), operator()];
  await one.check(signal);
  await other.check(signal);
  clock.daysAgo = 0;
  cluster.beforeWrite = meeting(2);
  await Promise.all([one.check(signal), other.check(signal)]);
  expect(cluster.writes.filter(write => write === 'patch secrets/botmint-tls')).toHaveLength(2);
  expect(one.current?.certificate).toBe(await served());
  expect(other.current?.certificate).toBe(await served());
});

test('a new CA is trusted by those who know only the old one, and the old one by those who know both', async () => {
  const { clock, operator, secret, served, bundle } = installation({ daysAgo: 1300 });
  await operator().check(signal);
  const [oldBundle, oldCA] = [await bundle(), await secret('botmint-ca')];
  clock.daysAgo = 50; // the CA is past two thirds of its 5 years
  await operator().check(signal);
  const newCA = text(await secret('botmint-ca'), 'tls.crt');
  expect(newCA).not.toBe(text(oldCA, 'tls.crt'));
  expect(await bundle()).toBe(newCA + oldBundle);
  expect(new X509Certificate(await served()).checkIssued(new X509Certificate(newCA))).toBe(true);
  for (const ca of [oldBundle, newCA, await bundle()]) {
    expect(await refusalOf({ ...(await pair(secret)), ca })).toBeUndefined();
  }
  const oldKeyAndCertificate = { certificate: text(oldCA, 'tls.crt'), key: text(oldCA, 'tls.key') };
  expect(JSON.stringify(await secret('botmint-ca'))).not.toContain(base64(oldKeyAndCertificate.key));
});

test('a certificate that the old CA has signed is served to its own renewal', async () => {
  const { clock, operator, secret, served, bundle } = installation({ daysAgo: 1217 + 30 });
  await operator().check(signal);
  clock.daysAgo = 31;
  await operator().check(signal); // renewed by the old CA, one day before that is due
  const before = await served();
  clock.daysAgo = 0;
  await operator().check(signal);
  expect((await bundle()).match(/BEGIN/g)).toHaveLength(2);
  expect(await served()).toBe(before);
  expect(await refusalOf({ ...(await pair(secret)), ca: await bundle() })).toBeUndefined();
});

test('the old CA leaves the bundle when it has ended', async () => {
  const { clock, operator, secret, served, bundle } = installation({ daysAgo: 1830 });
  await operator().check(signal);
  clock.daysAgo = 500;
  await operator().check(signal);
  expect((await bundle()).match(/BEGIN/g)).toHaveLength(2);
  clock.daysAgo = 0;
  await operator().check(signal);
  expect(await bundle()).toBe(text(await secret('botmint-ca'), 'tls.crt'));
  expect((await served()).match(/BEGIN/g)).toHaveLength(1);
});

test('a CA that has ended while no operator ran is replaced and has no say in its succession', async () => {
  const { clock, operator, secret, bundle } = installation({ daysAgo: 1830 });
  await operator().check(signal);
  clock.daysAgo = 0;
  await operator().check(signal);
  expect((await bundle()).match(/BEGIN/g)).toHaveLength(1);
  expect(Object.keys((await secret('botmint-ca')).data).toSorted()).toEqual(['tls.crt', 'tls.key']);
  expect(await refusalOf({ ...(await pair(secret)), ca: await bundle() })).toBeUndefined();
});

test.each<[string, (i: ReturnType<typeof installation>) => void | Promise<void>]>([
  [
    'edited',
    ({ cluster }) => void cluster.put(configMaps, { metadata: authoritySecret, data: { [bundleKey]: 'mine' } }),
  ],
  ['deleted', ({ cluster }) => cluster.remove(configMaps, authoritySecret)],
])('the published CA is put right after it was %s', async (_, damage) => {
  const made = installation();
  await made.operator().check(signal);
  const before = await made.bundle();
  await damage(made);
  await made.operator().check(signal);
  expect(await made.bundle()).toBe(before);
});

test.each<[string, (i: ReturnType<typeof installation>) => void | Promise<void>]>([
  ['deleted', ({ cluster }) => cluster.remove(secrets, servingSecret)],
  ['damaged', ({ cluster }) => void cluster.put(secrets, tlsSecret('not', 'PEM', { [managedLabel]: managedOperator }))],
  ['made for other names', forOtherNames],
  ['left without its CA', ({ cluster }) => cluster.remove(secrets, authoritySecret)],
])('our own certificate is made anew after it was %s', async (_, damage) => {
  const made = installation();
  await made.operator().check(signal);
  await damage(made);
  await made.operator().check(signal);
  expect(await refusalOf({ ...(await pair(made.secret)), ca: await made.bundle() })).toBeUndefined();
});

async function forOtherNames({ cluster, secret }: ReturnType<typeof installation>): Promise<void> {
  const authority = readPair(await secret('botmint-ca'));
  if (authority.state === 'unusable') throw new Error(authority.because);
  const { certificate, key } = await makeServing(authority, servingNames('elsewhere'), new Date());
  cluster.put(secrets, tlsSecret(certificate, key.reveal(), { [managedLabel]: managedOperator }));
}

test('goes on serving, and writes nothing, when its CA cannot be read', async () => {
  const { cluster, operator, secret } = installation();
  const certificates = operator();
  await certificates.check(signal);
  const { metadata } = await secret('botmint-ca');
  const data = { 'tls.crt': base64('no'), 'tls.key': base64('no') };
  cluster.put(secrets, { metadata: { ...authoritySecret, labels: metadata.labels }, type: 'kubernetes.io/tls', data });
  cluster.writes.length = 0;
  await expect(certificates.check(signal)).rejects.toThrow(
    'the Secret botmint-ca cannot be read; restore it, or delete it',
  );
  expect(cluster.writes).toEqual([]);
  expect(certificates.current).toBeDefined();
});

test("does not sign with a CA of somebody else's under the name of ours", async () => {
  const { cluster, operator } = installation();
  const { certificate, privateKey } = (await Authority.create('company')).pair;
  cluster.put(secrets, { ...tlsSecret(certificate, privateKey), metadata: authoritySecret });
  await expect(operator().check(signal)).rejects.toThrow('the Secret botmint-ca is not from botmint');
  expect(cluster.writes).toEqual([]);
});

test.each([
  ['without our label', {}],
  ['in a Secret that was ours', { [managedLabel]: managedOperator }],
])("a user's certificate %s is served and never written", async (_, labels) => {
  const { cluster, operator } = installation();
  const { certificate, object } = await usersSecret(labels);
  cluster.put(secrets, object);
  const certificates = operator();
  await certificates.check(signal);
  expect(certificates.current?.certificate).toBe(certificate);
  expect(cluster.writes).toEqual([]);
});

test("a user's certificate replaces ours, and its renewal replaces it, without a restart", async () => {
  const { cluster, operator } = installation();
  const certificates = operator();
  const told: string[] = [];
  certificates.onChange(({ certificate }) => told.push(certificate));
  await certificates.check(signal);
  const [first, second] = [await usersSecret(), await usersSecret()];
  for (const { object } of [first, second, second]) {
    cluster.put(secrets, object);
    await certificates.check(signal);
  }
  expect(told.slice(1, 3)).toEqual([first.certificate, second.certificate]);
  expect(certificates.current?.certificate).toBe(second.certificate);
});

test.each<[string, (good: { certificate: string; privateKey: string }) => ReturnType<typeof tlsSecret>]>([
  ['is not PEM', good => tlsSecret('not PEM', good.privateKey)],
  ['has the key of another one', good => tlsSecret(good.certificate, someKey)],
  ['has no key', good => tlsSecret(good.certificate, '')],
])("a user's certificate that %s leaves the one before in service", async (_, broken) => {
  const { cluster, operator } = installation();
  const { certificate, object } = await usersSecret();
  cluster.put(secrets, object);
  const certificates = operator();
  await certificates.check(signal);
  cluster.put(secrets, broken(await (await Authority.create('somebody')).server(servingNames(namespace))));
  await certificates.check(signal);
  expect(certificates.current?.certificate).toBe(certificate);
  expect(cluster.writes).toEqual([]);
});

test("a user's certificate that has ended does not replace one that worked", async () => {
  const { cluster, clock, operator } = installation();
  const [first, second] = [await usersSecret(), await usersSecret()];
  cluster.put(secrets, first.object);
  const certificates = operator();
  await certificates.check(signal);
  clock.daysAgo = -366;
  cluster.put(secrets, second.object);
  await certificates.check(signal);
  expect(certificates.current?.certificate).toBe(first.certificate);
});

test('says when the certificate in service ends', async () => {
  const { operator, served } = installation();
  const metrics = new Metrics();
  const certificates = operator(metrics);
  expect(await metrics.text()).not.toMatch(/^botmint_tls_certificate_expiry_timestamp_seconds/m);
  await certificates.check(signal);
  const end = new X509Certificate(await served()).validToDate.getTime() / 1000;
  expect(await metrics.text()).toContain(
    `\nbotmint_tls_certificate_expiry_timestamp_seconds{secret="botmint-tls"} ${end}\n`,
  );
});

test('keeps the private key out of everything that prints', async () => {
  const { operator, secret } = installation();
  const certificates = operator();
  await certificates.check(signal);
  const body = text(await secret('botmint-tls'), 'tls.key').split('\n')[1] ?? '';
  expect(body.length).toBeGreaterThan(40);
  expect(inspect(certificates, { depth: 9, showHidden: true })).not.toContain(body);
  expect(JSON.stringify(certificates.current)).not.toContain(body);
});

test('tries again after a failure, sooner than the next look would be', async () => {
  const { cluster, operator } = installation();
  let failures = 0;
  cluster.beforeWrite = async () => {
    if (failures++ === 0) throw new Error('quota');
  };
  const certificates = operator();
  const stop = new AbortController();
  const ended = certificates.run(stop.signal);
  await eventually('a certificate', () => certificates.current);
  stop.abort();
  await ended;
});
