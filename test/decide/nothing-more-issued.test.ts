import { describe, expect, test } from 'vitest';
import { replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import * as tokens from './healthy.ts';
import * as robots from './robots.ts';
import * as tellingTokens from './told.ts';

// A credential is in force, and its issuer issues nothing more: whoever asks for nothing else is served, and whoever does must see that it waits.

const { annotated, deleting, withSpec } = tokens;
const times = { lastTransitionTime: tokens.later(-60), observedGeneration: 1 };
const stalled = [{ type: 'Stalled', status: 'True', reason: 'any', message: 'is broken', ...times } as const];
const closed = { allowedNamespaces: { from: 'None' as const } };
const { issuer } = tokens;
const { registry, served } = robots;
const { rotation: _, ...unrotated } = served.spec;

const asking = (annotations: Record<string, string>) => ({ ...served, metadata: { ...served.metadata, annotations } });
const [rotate, replace] = [{ [rotateAnnotation]: 'now' }, { [replaceAnnotation]: 'leaked' }];

const replaced = tokens.madeFrom({ handled: { replace: 'leaked' } });

/** What each kind is blocked by, and what is said of one that asks for something else meanwhile. */
const blocks: [
  reason: string,
  waits: string,
  ofTokens: Partial<tokens.Situation>,
  ofRobots: Partial<robots.Situation>,
][] = [
  ['IssuerDeleted', 'Reconciling', { issuer: deleting(issuer) }, { issuer: deleting(registry) }],
  [
    'IssuerNotReady',
    'Reconciling',
    { issuer: { ...issuer, status: { ...issuer.status, conditions: stalled } } },
    { issuer: { ...registry, status: { conditions: stalled } } },
  ],
  [
    'NamespaceNotAllowed',
    'Stalled',
    { issuer: { ...issuer, spec: { ...issuer.spec, ...closed } } },
    { issuer: { ...registry, spec: { ...registry.spec, ...closed } } },
  ],
];

describe.each(blocks)('while nothing more is issued: %s', (reason, waits, ofTokens, ofRobots) => {
  const refused = `Ready=False, ${waits}=True, ${reason}`;

  test('a token and a robot that ask for nothing else are Ready, and it is said', () => {
    expect(tellingTokens.told(tokens.seen(ofTokens))).toBe(`Ready=True, ${reason}`);
    expect(tellingTokens.message(tokens.seen(ofTokens))).toMatch(/^nothing more is issued: /);
    expect(robots.told(ofRobots)).toBe(`Ready=True, ${reason}`);
    expect(robots.message(ofRobots)).toMatch(/^nothing more is issued: /);
  });

  test.each<[string, Partial<tokens.Situation>, string]>([
    ['rotated', { token: annotated(rotate) }, refused],
    ['replaced', { token: annotated(replace) }, refused],
    ['replaced, and has been', { ...replaced, token: annotated(replace, replaced.token) }, `Ready=True, ${reason}`],
    ['given a shorter life', { token: withSpec({ expiresIn: '60d' }) }, refused],
    ['given fewer scopes', { token: withSpec({ scopes: ['modules:read'] }) }, refused],
  ])('a token that is to be %s', (__, change, says) => {
    expect(tellingTokens.told(tokens.seen({ ...ofTokens, ...change }))).toBe(says);
  });

  test.each<[string, Partial<robots.Situation>, string]>([
    ['rotated', { robot: asking(rotate) }, refused],
    ['replaced', { robot: asking(replace) }, refused],
    [
      'replaced, and has been',
      robots.madeFrom({ handled: { replace: 'leaked' } }, asking(replace)),
      `Ready=True, ${reason}`,
    ],
    ['given a longer life', { robot: robots.withSpec({ expiresIn: '120d' }) }, refused],
    ['given a shorter life, with rotation', { robot: robots.withSpec({ expiresIn: '60d' }) }, refused],
    [
      'given more permissions',
      { robot: robots.withSpec({ permissions: ['PushArtifacts', 'PullArtifacts', 'DeleteTag'] }) },
      refused,
    ],
    [
      'given fewer permissions',
      { robot: robots.withSpec({ permissions: ['PullArtifacts'] }) },
      `Ready=True, ${reason}`,
    ],
    [
      'given a shorter life, without rotation',
      { robot: robots.withSpec({ expiresIn: '60d' }, { ...served, spec: unrotated }) },
      'render',
    ],
  ])('a robot that is to be %s', (__, change, says) => {
    expect(robots.told({ ...ofRobots, ...change })).toBe(says);
  });
});
