import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { replaceAnnotation, rotateAnnotation } from '../../src/api/names.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Step } from '../../src/decide/credential-seen.ts';
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
import { written } from './told.ts';

// docs/lifecycle.md says what each change does. Here every row of it is done to a healthy token, and the steps are counted.

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
const tested = rows.filter(({ answer, row }) => answer !== 'immutable' && !row.includes('retire-key'));

test('the table has a row for each change that is tried here', () => {
  expect(tested.map(({ row }) => row).sort()).toEqual(Object.keys(changes).sort());
});

test.each(tested)('$row: $answer', ({ row, answer }) => {
  const change = changes[row] ?? {};
  const { issuer: changed = withIssuerSpec({ limits: { ...open } }) } = change;
  expect(answerOf({ ...change, issuer: changed })).toBe(answer);
});

/** What is done to the Secret in the end, whatever is said of it before. */
function answerOf(change: Partial<Situation>): string {
  const given = seen(change);
  let step: Step = decide(given, now);
  if (step.do === 'write-status') step = decide({ ...given, object: written(given.object as BotToken, step) }, now);
  if (step.do === 'issue') return step.replaces ? 'replaces' : 'overlap';
  const words: { [does in Step['do']]?: string } = { render: 'entries', label: 'metadata', rest: 'nothing' };
  return words[step.do] ?? step.do;
}
