import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import { reasons } from '../../src/api/conditions.ts';
import { permissions } from '../../src/api/permissions.ts';
import { RobotAccount } from '../../src/api/robot-account.ts';
import { actionsOn, withoutEffect } from '../../src/issuers/registry/permissions.ts';
import { ofAccount, ofAddress } from '../../src/server/attempts.ts';
import { guide } from './guide.ts';

// docs/registry.md is run as a whole by test/e2e/registry-guide.alone.test.ts; here are its names and numbers.

const root = join(import.meta.dirname, '..', '..');
const { page, files } = guide('registry.md');
const server = { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
const manifests = [...files]
  .filter(([name]) => name !== 'config.yml')
  .flatMap(([, text]) => text.split(/^---$/m).map(each => parse(each)))
  .map(({ metadata, ...rest }) => ({ ...rest, metadata: { ...metadata, ...server } }));
const of = (kind: string) => manifests.filter(each => each.kind === kind);

describe('the manifests', () => {
  test('are all that a person needs', () =>
    expect([...files.keys()]).toEqual(['issuer.yaml', 'config.yml', 'robots.yaml', 'pod.yaml', 'own.yaml']));

  test.each(of('RobotAccount').map(each => [each.metadata.name, each]))('RobotAccount %s is one', (_, robot) => {
    expect(RobotAccount.safeParse(robot).error?.issues ?? []).toEqual([]);
  });

  test('the registry and its issuer agree', () => {
    const [issuer] = of('ClusterTokenIssuer').map(each => ClusterTokenIssuer.parse(each));
    const { auth, http } = z
      .object({
        auth: z.object({ token: z.object({ realm: z.string(), service: z.string(), issuer: z.string() }) }),
        http: z.object({ addr: z.string() }),
      })
      .parse(parse(files.get('config.yml') ?? ''));
    const { service, issuer: name, host } = issuer?.spec.registry ?? {};
    expect({ service, issuer: name }).toEqual({ service: auth.token.service, issuer: auth.token.issuer });
    expect(new URL(auth.token.realm).pathname).toBe(`/registry/${issuer?.metadata.name}/token`);
    expect(http.addr).toBe(host);
  });
});

test('registry and crane are of the versions that the tests run', () => {
  const modules = readFileSync(join(root, 'test', 'registry', 'binaries', 'go.mod'), 'utf8');
  const named = [...page.matchAll(/go install (github\.com\/\S+?)\/cmd\/\w+@(\S+)/g)];
  expect(named).toHaveLength(2);
  for (const [, module = '', version = ''] of named) expect(modules).toContain(`${module} ${version} `);
});

test('what each permission lets a robot do is what it does', () => {
  const table = page.split('| permission | lets it |')[1]?.split('\n\n')[0] ?? '';
  const rows = [...table.matchAll(/^\| (`.+`) \| (.+?) \|$/gm)];
  const said = rows.flatMap(([, names = '', may = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => [name, may.split(':')[0]]),
  );
  const done = permissions.map(permission => {
    const actions = actionsOn('a/b', [{ project: 'a', permissions: [permission] }]);
    return [permission, actions.join(' and ') || 'nothing'];
  });
  expect(Object.fromEntries(said)).toEqual(Object.fromEntries(done));
  expect(withoutEffect(permissions).toSorted()).toEqual(['CreateArtifactLabels', 'CreateScan']);
});

test('the limits of guessing are these', () => {
  expect(page).toContain(`an account has ${ofAccount.burst} failures at once and one a second`);
  expect(ofAccount.perSecond).toBe(1);
  expect(page).toContain(`an address ${ofAddress.burst} and four a second`);
  expect(ofAddress.perSecond).toBe(4);
});

test('what it quotes is said by the token endpoint', () => {
  const source = [join('src', 'server'), join('src', 'issuers', 'registry')]
    .flatMap(folder => readdirSync(join(root, folder)).map(file => join(root, folder, file)))
    .map(path => readFileSync(path, 'utf8'))
    .join('\n');
  for (const words of [
    'no issuer has this name',
    'this issuer is for the service',
    'unknown robot account or wrong secret',
    'the robot account is ',
    'too many attempts',
    'the caches are too old',
    'the issuer has no valid signing key',
    'too many secrets are being checked',
    'a verifier of a key that is not loaded',
    'TOOMANYREQUESTS',
  ]) {
    expect(page).toContain(words);
    expect(source).toContain(words);
  }
});

test('the reasons that it names exist', () => {
  const named = [...page.matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`/g)].map(([, name = '']) => name);
  const known = [...Object.keys(reasons), ...permissions, 'ErrImagePull'];
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(name => !known.includes(name))).toEqual(['LoadBalancer'].filter(name => named.includes(name)));
});
