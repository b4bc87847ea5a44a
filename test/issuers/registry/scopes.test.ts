import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grant } from '../../../src/issuers/registry/permissions.ts';
import { grantedAccess, parseScopes, type Scope, scopeText } from '../../../src/issuers/registry/scopes.ts';

function parsed(...parameters: string[]): Scope[] {
  const result = parseScopes(parameters);
  if (!result.valid) throw new Error(result.because);
  return result.scopes;
}

const flat = (scopes: readonly Scope[]) => scopes.map(({ type, name, actions }) => [type, name, ...actions].join(' '));

describe('a scope', () => {
  test.each([
    ['repository:shop/cart:pull', 'repository shop/cart pull'],
    ['repository:shop/cart:pull,push', 'repository shop/cart pull push'],
    ['repository:shop/cart:*', 'repository shop/cart *'],
    ['repository:localhost:5000/shop/cart:pull', 'repository localhost:5000/shop/cart pull'],
    ['repository:Registry.example/shop/cart:pull', 'repository Registry.example/shop/cart pull'],
    ['repository(plugin):shop/cart:pull', 'repository shop/cart pull'],
    ['repository:a__b/c---d/e.f_g:pull', 'repository a__b/c---d/e.f_g pull'],
    ['repository:cart:', 'repository cart'],
    [`repository:shop/${'a'.repeat(250)}:pull`, `repository shop/${'a'.repeat(250)} pull`],
    ['registry:catalog:*', 'registry catalog *'],
    ['plugin2:x:install', 'plugin2 x install'],
  ])('%s', (text, expected) => expect(flat(parsed(text))).toEqual([expected]));

  test.each([
    ['repository', 'form'],
    ['repository:shop/cart', 'form'],
    [':shop/cart:pull', 'type'],
    ['Repository:shop/cart:pull', 'type'],
    ['repository(:shop/cart:pull', 'type'],
    ['repository()x:shop/cart:pull', 'type'],
    ['repository::pull', 'name'],
    ['repository:shop//cart:pull', 'name'],
    ['repository:/shop:pull', 'name'],
    ['repository:shop/:pull', 'name'],
    ['repository:shop/../cart:pull', 'name'],
    ['repository:shop/Cart:pull', 'name'],
    ['repository:shop/*:pull', 'name'],
    ['repository:*:pull', 'name'],
    ['repository:shop/cart\n:pull', 'name'],
    [`repository:shop/${'a'.repeat(251)}:pull`, 'name'],
    ['repository:shop/cart:Pull', 'actions'],
    ['repository:shop/cart:pull;push', 'actions'],
    ['repository:shop/cart:**', 'actions'],
    ['registry:"catalog":*', 'name'],
  ])('%j is broken: not a %s', (text, because) => {
    const result = parseScopes(['repository:fine:pull', text]);
    expect(result).toEqual({ valid: false, because: expect.stringMatching(`^scope 2: not .*${because}`) });
  });
});

test('several in one parameter, several parameters, and empty ones', () =>
  expect(flat(parsed('repository:a/b:pull  repository:c/d:push', '', 'registry:catalog:*'))).toEqual([
    'repository a/b pull',
    'repository c/d push',
    'registry catalog *',
  ]));

test('as many as one request can need, and no more', () => {
  const scopes = (count: number) => [Array.from({ length: count }, (_, i) => `repository:a/b${i}:pull`).join(' ')];
  expect(parseScopes(scopes(50)).valid).toBe(true);
  expect(parseScopes(scopes(51))).toEqual({ valid: false, because: 'more than 50 scopes' });
});

test('a name that is made to be slow takes no time', () => {
  const began = process.threadCpuUsage(); // not what a busy machine does meanwhile
  for (const text of ['a'.repeat(254), 'a-'.repeat(127), 'a.'.repeat(127), '-'.repeat(254)]) {
    expect(parseScopes([`repository:${text}!:pull`]).valid).toBe(false);
  }
  const { user, system } = process.threadCpuUsage(began);
  expect((user + system) / 1000).toBeLessThan(500);
});

const robot: Grant[] = [
  { project: 'shop', permissions: ['PushArtifacts', 'PullArtifacts'] },
  { project: 'base', permissions: ['PullArtifacts', 'DeleteTag'] },
];
const account = (grants: Grant[] = robot) => ({ anonymous: false as const, grants });
const nobody = { anonymous: true as const };

describe('what is granted', () => {
  const granted = (asked: string, grants = robot, open: string[] = []) =>
    scopeText(grantedAccess(parsed(asked), account(grants), open));
  const everywhere = (...permissions: Grant['permissions']): Grant[] => [{ project: '*', permissions }];

  test.each([
    ['repository:shop/cart:pull', 'repository:shop/cart:pull'],
    ['repository:shop/cart:push,pull', 'repository:shop/cart:pull,push'],
    ['repository:shop/cart:pull,push,delete', 'repository:shop/cart:pull,push'],
    ['repository:shop/cart:*', 'repository:shop/cart:pull,push'],
    ['repository:base/os:*', 'repository:base/os:pull,delete'],
    ['repository:shop/cart:admin', ''],
    ['repository:base/os:push', ''],
    ['repository:other/cart:pull', ''],
    ['repository:cart:pull', ''],
    ['repository(plugin):shop/cart:pull', 'repository:shop/cart:pull'],
    ['repository:shop/a:pull repository:shop/a:push', 'repository:shop/a:pull,push'],
    [
      'repository:shop/a:pull,push repository:base/os:pull repository:other/x:pull',
      'repository:shop/a:pull,push repository:base/os:pull',
    ],
    ['plugin:shop/cart:pull', ''],
  ])('of %s is %j', (asked, expected) => expect(granted(asked)).toBe(expected));

  test('the catalog, to an account that may pull everything and to no other', () => {
    expect(granted('registry:catalog:*', everywhere('PullArtifacts'))).toBe('registry:catalog:*');
    expect(granted('registry:catalog:*', everywhere('DeleteTag'))).toBe('');
    expect(granted('registry:catalog:*')).toBe('');
    expect(granted('registry:catalog:pull', everywhere('PullArtifacts'))).toBe('');
    expect(granted('registry:other:*', everywhere('PullArtifacts'))).toBe('');
    expect(granted('registry:catalog:*', robot, ['*'])).toBe('');
    expect(grantedAccess(parsed('registry:catalog:*'), nobody, ['*'])).toEqual([]);
  });

  test('to nobody in particular, a pull from the open projects', () => {
    const asked = parsed('repository:public/a:pull,push,delete repository:shop/a:pull repository:a:pull');
    expect(scopeText(grantedAccess(asked, nobody, ['public']))).toBe('repository:public/a:pull');
    expect(scopeText(grantedAccess(asked, nobody, []))).toBe('');
  });

  test('to an account, also what is open to all', () =>
    expect(granted('repository:public/a:pull,push', robot, ['public'])).toBe('repository:public/a:pull'));
});

describe('for every request', () => {
  const action = fc.constantFrom('pull', 'push', 'delete', '*', 'x');
  const project = fc.constantFrom('shop', 'base', 'other', 'public');
  const name = fc.oneof(
    fc.tuple(project, fc.constantFrom('a', 'b/c')).map(([first, rest]) => `${first}/${rest}`),
    project,
  );
  const scope = fc.record({
    type: fc.constantFrom('repository', 'registry', 'plugin'),
    name: fc.oneof(name, fc.constant('catalog')),
    actions: fc.array(action, { maxLength: 4 }),
  });
  const grants: fc.Arbitrary<Grant[]> = fc.array(
    fc.record({
      project: fc.oneof(project, fc.constant('*')),
      permissions: fc.subarray(['PushArtifacts', 'PullArtifacts', 'DeleteArtifacts', 'CreateScan'] as const),
    }),
    { maxLength: 4 },
  );

  test('nothing is granted that was not asked for, twice, or that no grant and no open project gives', () => {
    fc.assert(
      fc.property(fc.array(scope, { maxLength: 6 }), grants, fc.boolean(), (asked, given, anonymous) => {
        const access = grantedAccess(asked, anonymous ? nobody : account(given), ['public']);
        expect(new Set(access.map(entry => `${entry.type}:${entry.name}`)).size).toBe(access.length);
        for (const { type, name: of, actions } of access) {
          expect(actions.length).toBeGreaterThan(0);
          for (const allowed of actions) {
            const wanted = asked.filter(one => one.type === type && one.name === of).flatMap(one => one.actions);
            expect(wanted.some(word => word === allowed || word === '*')).toBe(true);
            expect(isGiven(type, of, allowed, anonymous ? [] : given)).toBe(true);
          }
        }
      }),
    );
  });

  test('what is written can be read again', () => {
    fc.assert(
      fc.property(fc.array(scope, { maxLength: 6 }), grants, (asked, given) => {
        const access = grantedAccess(asked, account(given), []);
        expect(parsed(scopeText(access))).toEqual(access);
      }),
    );
  });

  /** The rule said once more, in another way. */
  function isGiven(type: string, of: string, allowed: string, given: Grant[]): boolean {
    const segments = of.split('/');
    const counting = given.filter(({ project: in_ }) => in_ === '*' || (segments.length > 1 && in_ === segments[0]));
    const has = (word: Grant['permissions'][number]) => counting.some(({ permissions }) => permissions.includes(word));
    if (type === 'registry') return of === 'catalog' && (has('PullArtifacts') || has('PushArtifacts'));
    if (type !== 'repository') return false;
    if (allowed === 'pull') {
      return has('PullArtifacts') || has('PushArtifacts') || (segments.length > 1 && segments[0] === 'public');
    }
    return allowed === 'push' ? has('PushArtifacts') : has('DeleteArtifacts');
  }
});
