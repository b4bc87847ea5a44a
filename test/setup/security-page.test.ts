import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clusterTokenIssuerKind } from '../../src/api/cluster-token-issuer.ts';
import { structural } from '../../src/api/structural.ts';
import { deployFiles, rulesOf } from '../deploy/manifests.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'security.md'), 'utf8').toLowerCase();
const rules = [...rulesOf('rbac.yaml', 'ClusterRole', 'botmint'), ...rulesOf('rbac.yaml', 'Role', 'botmint')];
const ownKinds = /^(botusers|bottokens|robotaccounts|clustertokenissuers)(\/|$)/;

test.each([...new Set(rules.flatMap(({ resources }) => resources))].filter(resource => !ownKinds.test(resource)))(
  'docs/security.md says why the operator has rights on %s',
  resource => {
    expect(page).toContain(resource.replace(/\/status$/, ''));
  },
);

test.each(['options/use-issuer.yaml', 'options/restart.yaml'])('docs/security.md says what %s is for', option => {
  expect(deployFiles('options')).toContain(option);
  expect(page).toContain(`deploy/${option}`);
});

test('docs/security.md has every ceiling of an issuer', () => {
  const spec = structural(clusterTokenIssuerKind.schema).properties?.spec;
  const limits = Object.keys(spec?.properties?.limits?.properties ?? {});
  expect(limits.length).toBeGreaterThan(2);
  for (const limit of limits) expect(page).toContain(`| \`limits.${limit.toLowerCase()}\` |`);
});
