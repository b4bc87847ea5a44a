import type { BotToken } from '../../src/api/bot-token.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import type { CopiesSeen, CopyChange, CopySeen } from '../../src/decide/copies-seen.ts';
import { wantedCopyMetadata } from '../../src/decide/copy-metadata.ts';
import { decide } from '../../src/decide/credential.ts';
import type { Observed } from '../../src/decide/credential-seen.ts';
import { inputs, now, type Situation, secret, seen, served, tokenID } from './healthy.ts';

// The healthy token of `healthy.ts`, with copies in two namespaces.

export function copied(token: BotToken = served, accounts: readonly string[] = []): BotToken {
  const copies = {
    namespaceSelector: { matchLabels: { team: 'a' } },
    ...(accounts.length > 0 && { imagePullSecretsOf: [...accounts] }),
  };
  return { ...token, spec: { ...token.spec, secret: { ...token.spec.secret, copies } } };
}

export const source = {
  uid: secret.uid,
  resourceVersion: secret.resourceVersion,
  tokenID,
  digest: inputs.digest,
  labels: inputs.secret.labels,
  annotations: inputs.secret.annotations,
};

/** A copy as botmint wrote it. */
export function copyIn(
  namespace: string,
  change: Partial<CopySeen> = {},
  serviceAccounts: readonly string[] = [],
): CopySeen {
  return {
    namespace,
    uid: `copy-in-${namespace}`,
    resourceVersion: '50',
    metadata: wantedCopyMetadata({ kind: botTokens, object: served }, source, serviceAccounts),
    going: false,
    digest: inputs.digest,
    ...change,
  };
}

/** Two namespaces take copies, and both have one. */
export function copies(change: Partial<CopiesSeen> = {}): CopiesSeen {
  return {
    takers: ['one', 'two'],
    copies: [copyIn('one'), copyIn('two')],
    pullSecretsOf: () => undefined,
    lastNoted: () => [],
    accountsOverdue: false,
    attempt: () => undefined,
    ...change,
  };
}

export function observed(change: Partial<CopiesSeen> = {}, situation: Partial<Situation> = {}): Observed {
  return { ...seen({ token: copied(), ...situation }), copies: copies(change) };
}

/** What is done about the copies next, in short: `write one`, `list one/default`. */
export function changesOf(of: Observed, at = now): string[] {
  const step = decide(of, at);
  return step.do === 'copy' ? step.changes.map(inShort) : [];
}

function inShort(change: CopyChange): string {
  const about = 'account' in change ? `${change.namespace}/${change.account}` : change.namespace;
  return `${change.do} ${about}`;
}
