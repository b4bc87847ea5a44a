import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ClusterTokenIssuer, mostKeys, mostWithdrawnKeys } from '../../src/api/cluster-token-issuer.ts';
import { reasons } from '../../src/api/conditions.ts';
import { retireKeyAnnotation } from '../../src/api/names.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { operatorSecretName } from '../../src/controllers/installation.ts';
import { knownAheadMilliseconds } from '../../src/controllers/verifier-keys.ts';
import { firstVerifierKeyName, verifierKeysIn } from '../../src/controllers/verifier-keys-in.ts';
import { handOverAhead, successorAhead } from '../../src/decide/registry-issuer.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'key-rotation.md'), 'utf8');

test('the example on the page of key rotation is right, and says the defaults', () => {
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  const server = { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
  const { metadata, ...rest } = parse(example);
  const said = ClusterTokenIssuer.parse({ ...rest, metadata: { ...metadata, ...server } }).spec.jwt;
  const { keyRotation: _, keyActivationDelay: __, ...bare } = rest.spec.jwt;
  const left = ClusterTokenIssuer.parse({ ...rest, spec: { jwt: bare }, metadata: { ...metadata, ...server } }).spec
    .jwt;
  expect(left).toEqual(said);
});

test('the page names bounds, reasons and the annotation as they are', () => {
  expect(page).toContain(`Up to ${mostKeys} keys are published`);
  expect(page).toContain(`The last ${mostWithdrawnKeys} withdrawn keys`);
  expect(page).toContain(`${retireKeyAnnotation}=<kid>`);
  const named = [...page.matchAll(/`((?:Key|TooMany|SigningKey|Bundle)[A-Z][A-Za-z]+|TooManyKeys)`/g)].map(
    ([, name]) => name,
  );
  expect(named.length).toBeGreaterThan(3);
  for (const name of named) expect(Object.keys(reasons)).toContain(name);
});

test('the page says of registry issuers and verifiers what the code does', () => {
  const years = (milliseconds: number) => milliseconds / (365 * 24 * 3600 * 1000);
  expect(page).toContain(`in the bundle ${years(successorAhead)} years before the end`);
  expect(page).toContain(`certifies leaves ${years(handOverAhead)} year before it`);
  expect(page).toContain(`and ${knownAheadMilliseconds / 1000} s later it makes verifiers`);
  for (const name of [operatorSecretName, firstVerifierKeyName, 'BundleChanged', 'botmint_verifiers'])
    expect(page).toContain(`\`${name}\``);
});

test('the key that the page makes is one', () => {
  const [, patch = ''] = /--patch "(\{.*verifier-2.*\})"/.exec(page) ?? [];
  const made = execFileSync('sh', ['-c', `printf %s "${patch}"`], { encoding: 'utf8' });
  const { data } = JSON.parse(made);
  const secret = { type: 'Opaque', data: { 'verifier-2.key': new SecretValue(data['verifier-2.key']) } };
  const { keys, broken } = verifierKeysIn({
    ...secret,
    metadata: { name: '', uid: '', resourceVersion: '', creationTimestamp: '' },
  });
  expect([[...keys.keys()], broken]).toEqual([[2], []]);
});
