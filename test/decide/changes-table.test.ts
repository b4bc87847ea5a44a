import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type * as z from 'zod';
import { type BotToken, botTokenKind } from '../../src/api/bot-token.ts';
import { botUserKind } from '../../src/api/bot-user.ts';
import { replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import { robotAccountKind } from '../../src/api/robot-account.ts';
import { structural } from '../../src/api/structural.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Observed, Step } from '../../src/decide/credential-seen.ts';
import type { StatusWrite } from '../../src/decide/credential-status.ts';
import {
  annotated,
  botUser,
  inputs,
  issuer,
  madeFrom,
  now,
  type Situation,
  seen,
  withIssuerSpec,
  withSecretSpec,
  withSpec,
  withUserSpec,
} from './healthy.ts';
import { robotChanges, withOwn } from './robot-changes.ts';
import * as robots from './robots.ts';
import { written } from './told.ts';

// docs/lifecycle.md says what each change does. Here every row of it is done to a healthy token or robot, and the steps are counted.

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'lifecycle.md'), 'utf8');
const table = page.split('## What a change does\n')[1]?.split('\n## ')[0] ?? '';
const rows = [...table.matchAll(/^\| (.+?) \| (.+?) \| (\w+) \|$/gm)]
  .map(([, field = '', change = '', answer = '']) => ({ row: `${field}: ${change}`, answer }))
  .filter(({ answer }) => answer !== 'answer');

const [github, more] = [inputs.identities[0] ?? { service: '', id: '' }, { service: 'gitlab', id: 'acme' }];
const audience = 'https://buf.example.com';
const cut = madeFrom({ notAfter: inputs.expiresAt });

/** What a row does to the healthy token; rows that the API server refuses are not here: test/api/updates.cluster.test.ts has them. */
const changes: { [row: string]: Partial<Situation> } = {
  'BotToken `spec.label`: any': { token: withSpec({ label: 'another' }) },
  'BotToken `spec.expiresIn`: longer': { token: withSpec({ expiresIn: '91d' }) },
  'BotToken `spec.expiresIn`: shorter': { token: withSpec({ expiresIn: '89d' }) },
  'BotToken `spec.expiresIn`: the same in another unit': { token: withSpec({ expiresIn: '3mo' }) },
  'BotToken `spec.audiences`: one more': { token: withSpec({ audiences: [audience, 'https://api.example.com'] }) },
  'BotToken `spec.audiences`: one less, or another': { token: withSpec({ audiences: ['https://api.example.com'] }) },
  'BotToken `spec.scopes`: one more': { token: withSpec({ scopes: [...inputs.scopes, 'modules:admin'] }) },
  'BotToken `spec.scopes`: one less, or another': { token: withSpec({ scopes: ['modules:read'] }) },
  'BotToken `spec.scopes`: another order': { token: withSpec({ scopes: inputs.scopes.toReversed() }) },
  'BotToken `spec.rotation`: any: it counts from the next issue': {
    token: withSpec({ rotation: { renewBefore: '20d', overlap: '0s' } }),
  },
  'BotToken `spec.restart`: any: it counts from the next issue': {
    token: withSpec({ restart: [{ kind: 'Deployment', name: 'web' }] }),
  },
  'BotToken `spec.secret.data`: any': { token: withSecretSpec({ data: [{ key: 'OTHER', template: '$(token)' }] }) },
  'BotToken `spec.secret.labels`: any': { token: withSecretSpec({ labels: { team: 'b' } }) },
  'BotToken `spec.secret.annotations`: any': { token: withSecretSpec({ annotations: { note: 'x' } }) },
  'BotToken `spec.secret.onLost`: any': { token: withSecretSpec({ onLost: 'Stall' }) },
  'BotToken `spec.secret.copies`: any: [copies](copies.md) come and go': {
    token: withSecretSpec({ copies: { namespaceSelector: {} } }),
  },
  'BotToken annotation `botmint.dev/rotate`: a new value': { token: annotated({ [rotateAnnotation]: '1' }) },
  'BotToken annotation `botmint.dev/replace`: a new value': { token: annotated({ [replaceAnnotation]: '1' }) },
  'BotToken annotation `botmint.dev/rotate`: taken off': madeFrom({ handled: { rotate: '1' } }),
  'BotUser `spec.description`: any': { botUser: withUserSpec({ description: 'another' }) },
  'BotUser `spec.allowedNamespaces`: a namespace less: the next issue is refused': {
    token: withSpec({ botUserRef: { name: 'ci', namespace: 'team-b' } }),
    botUser: { ...botUser, metadata: { ...botUser.metadata, namespace: 'team-b' } },
  },
  'BotUser `spec.identities`: one more': { botUser: withUserSpec({ identities: [github, more] }) },
  'BotUser `spec.identities`: one less, or another': { botUser: withUserSpec({ identities: [] }) },
  "BotUser `spec.notAfter`: earlier than the token's end": {
    botUser: withUserSpec({ notAfter: '2027-01-01T00:00:00Z' }),
  },
  "BotUser `spec.notAfter`: later than the token's end": {
    botUser: withUserSpec({ notAfter: '2028-01-01T00:00:00Z' }),
  },
  'BotUser `spec.notAfter`: later, and it had cut the token short': {
    ...cut,
    botUser: withUserSpec({ notAfter: '2028-01-01T00:00:00Z' }),
  },
  'BotUser `spec.disabled`: true, or false again': { botUser: withUserSpec({ disabled: true }) },
  'ClusterTokenIssuer `spec.jwt.audiences`: another first one': {
    issuer: withIssuerSpec({ jwt: { ...issuer.spec.jwt, audiences: ['https://other', audience] } }),
  },
  'ClusterTokenIssuer `spec.limits`: lower than what is issued: the next issue is refused': {
    issuer: withIssuerSpec({ limits: { scopes: [] } }),
  },
};

const open = { ...issuer.spec.limits, identities: ['*'] };
const tried = rows.filter(({ answer, row }) => answer !== 'immutable' && !row.includes('retire-key'));
const [robotRows, tokenRows] = [true, false].map(ofRobots =>
  tried.filter(({ row }) => row in robotChanges === ofRobots),
);

test('the table has a row for each change that is tried here', () => {
  const here = [...Object.keys(changes), ...Object.keys(robotChanges)];
  expect(tried.map(({ row }) => row).sort()).toEqual(here.sort());
});

/** The fields of a spec as the table has them: those of the Secret one by one. */
function fieldsOf({ kind, schema }: { kind: string; schema: z.ZodType }): string[] {
  const { properties: { secret, ...others } = {} } = structural(schema).properties?.spec ?? {};
  const ofSecret = Object.keys(secret?.properties ?? {}).map(field => `secret.${field}`);
  return [...Object.keys(others), ...ofSecret].map(field => `${kind} \`spec.${field}\``);
}

test('the table has every field', () => {
  const fields = [botTokenKind, botUserKind, robotAccountKind].flatMap(fieldsOf);
  const missing = fields.filter(field => !rows.some(({ row }) => row.startsWith(`${field}: `)));
  expect(missing).toEqual(['BotToken `spec.revoked`']); // the end, which is an event
});

test.each(tokenRows ?? [])('$row: $answer', ({ row, answer }) => {
  const change = changes[row] ?? {};
  const { issuer: changed = withIssuerSpec({ limits: { ...open } }) } = change;
  const given = seen({ ...change, issuer: changed });
  expect(answerOf(given, step => written(given.object as BotToken, step))).toBe(answer);
});

test.each(robotRows ?? [])('$row: $answer', ({ row, answer }) => {
  const given = robots.seen(robotChanges[row]);
  expect(answerOf(given, () => robots.recorded(given))).toBe(answer);
});

/** What is done to the Secret in the end, whatever is said of it before. */
function answerOf(given: Observed, after: (step: StatusWrite) => Observed['object']): string {
  const first = decide(given, now);
  const step = first.do === 'write-status' ? decide({ ...given, object: after(first) }, now) : first;
  if (step.do === 'issue') return step.replaces ? 'replaces' : 'overlap';
  if (step.do === 'rest' && first.do === 'write-status' && isInForce(first)) return 'status';
  const words: { [does in Step['do']]?: string } = { render: 'entries', label: 'metadata', rest: 'nothing' };
  return words[step.do] ?? step.do;
}

/** What a registry's answers depend on. */
function isInForce({ patch }: StatusWrite): boolean {
  return 'permissions' in patch || 'enabled' in patch;
}

test('a secret of its own that has not changed changes nothing', () => {
  const given = robots.seen(withOwn());
  expect(answerOf(given, () => robots.recorded(given))).toBe('nothing');
});
