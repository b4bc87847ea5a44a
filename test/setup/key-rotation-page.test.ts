import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ClusterTokenIssuer, mostKeys, mostWithdrawnKeys } from '../../src/api/cluster-token-issuer.ts';
import { reasons } from '../../src/api/conditions.ts';
import { retireKeyAnnotation } from '../../src/api/names.ts';

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
  const named = [...page.matchAll(/`((?:Key|TooMany|SigningKey)[A-Z][A-Za-z]+|TooManyKeys)`/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(3);
  for (const name of named) expect(Object.keys(reasons)).toContain(name);
});
