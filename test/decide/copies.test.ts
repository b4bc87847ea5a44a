import { describe, expect, test } from 'vitest';
import { TokenInputs } from '../../src/api/inputs.ts';
import {
  copyAnnotation,
  managedLabel,
  ownerAnnotation,
  ownerUIDAnnotation,
  pausedAnnotation,
} from '../../src/api/names.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import { type CopiesSeen, type NamespaceSeen, takersOf } from '../../src/decide/copies-seen.ts';
import { copyMarksOf, ownerOfCopy, relabelledCopy } from '../../src/decide/copy-metadata.ts';
import { decide } from '../../src/decide/credential.ts';
import type { TargetsSeen } from '../../src/decide/rollout.ts';
import { changesOf, copied, copyIn, observed, source } from './copied.ts';
import {
  annotated,
  botUser,
  deleting,
  foreign,
  gone,
  inputs,
  later,
  madeFrom,
  now,
  type Situation,
  secret,
  secretOf,
  seen,
  served,
  touched,
  uid,
  withoutFinalizer,
  withStatus,
} from './healthy.ts';

describe('which namespaces take a copy', () => {
  const consent = { 'accept.botmint.dev/team-a': 'true' };
  const namespace = (change: Partial<NamespaceSeen> = {}): NamespaceSeen => ({
    name: 'other',
    labels: { team: 'a', ...consent },
    going: false,
    ...change,
  });
  test.each<[string, NamespaceSeen, boolean]>([
    ['one that is selected and agrees', namespace(), true],
    ['not one that does not agree', namespace({ labels: { team: 'a' } }), false],
    ['not one that agrees with another word', namespace({ labels: { team: 'a', ...mapped('yes') } }), false],
    [
      'not one that agrees to another namespace',
      namespace({ labels: { team: 'a', 'accept.botmint.dev/team-b': 'true' } }),
      false,
    ],
    ['not one that is not selected', namespace({ labels: { team: 'b', ...consent } }), false],
    ['never its own', namespace({ name: 'team-a' }), false],
    ['not one that is going', namespace({ going: true }), false],
  ])('%s', (_, given, takes) => {
    expect(takersOf(copied(), [given])).toEqual(takes ? [given.name] : []);
    expect(takersOf(served, [given])).toEqual([]);
  });

  function mapped(word: string) {
    return { 'accept.botmint.dev/team-a': word };
  }
});

const marked = (change: object) => {
  const { metadata } = copyIn('one');
  const marks = { ...copyMarksOf(metadata), ...change };
  return copyIn('one', {
    metadata: { ...metadata, annotations: { ...metadata.annotations, [copyAnnotation]: JSON.stringify(marks) } },
  });
};
const relabelled = (labels: Record<string, string>) => {
  const { metadata } = copyIn('one');
  return copyIn('one', { metadata: { ...metadata, labels } });
};

describe('in a healthy world', () => {
  test.each<[string, Partial<CopiesSeen>, readonly string[]]>([
    ['nothing is done about copies that are right', {}, []],
    ['one that is missing is written', { copies: [copyIn('two')] }, ['write one']],
    ['all that are missing are written in one step', { copies: [] }, ['write one', 'write two']],
    [
      'one that nobody has read is read',
      { copies: [copyIn('one', { digest: undefined }), copyIn('two')] },
      ['read one'],
    ],
    [
      'one that was edited is written',
      { copies: [copyIn('one', { digest: 'operator-key.other' }), copyIn('two')] },
      ['write one'],
    ],
    [
      'under another key of the operator nothing is concluded',
      { copies: [copyIn('one', { digest: 'another-key.other' }), copyIn('two')] },
      [],
    ],
    [
      'one that was made from something else is written',
      { copies: [marked({ digest: 'operator-key.old' }), copyIn('two')] },
      ['write one'],
    ],
    [
      'one whose mark is in no known form is written',
      { copies: [marked({ format: 2 }), copyIn('two')] },
      ['write one'],
    ],
    ['one that lost its label is labelled', { copies: [relabelled({ team: 'a' }), copyIn('two')] }, ['label one']],
    [
      'one that lost a label of the template is labelled',
      { copies: [relabelled({ [managedLabel]: 'copy' }), copyIn('two')] },
      ['label one'],
    ],
    [
      'one that kept a label which the template dropped is labelled',
      { copies: [marked({ labels: ['team', 'old'] }), copyIn('two')] },
      ['label one'],
    ],
    ['one whose namespace does not take it any more is deleted', { takers: ['two'] }, ['delete one']],
    [
      'one that is going already is left to go',
      { takers: ['two'], copies: [copyIn('one', { going: true }), copyIn('two')] },
      [],
    ],
    [
      'and is not written either',
      { copies: [copyIn('one', { going: true, digest: 'operator-key.other' }), copyIn('two')] },
      [],
    ],
  ])('%s', (_, given, expected) => {
    expect(changesOf(observed(given))).toEqual(expected);
  });

  test('a label of somebody else is no reason to write', () => {
    const { metadata } = copyIn('one');
    const touchedCopy = copyIn('one', { metadata: { ...metadata, labels: { ...metadata.labels, theirs: 'x' } } });
    expect(decide(observed({ copies: [touchedCopy, copyIn('two')] }), now)).toMatchObject({ do: 'rest' });
  });

  test('no namespace is looked at where nobody asks for copies', () => {
    expect(decide({ ...seen(), copies: undefined }, now)).toMatchObject({ do: 'rest' });
  });
});

describe('a new credential', () => {
  const made = TokenInputs.parse({ ...inputs, digest: 'operator-key.new', overlapSeconds: 0 });
  const rotated = { secret: secretOf(served, { revision: 4, tokenID: `${uid}.4.new`, inputs: made }) };
  const current = (namespace: string) => {
    const { metadata } = copyIn(namespace);
    const marks = { ...copyMarksOf(metadata), digest: made.digest };
    const annotations = {
      ...metadata.annotations,
      [copyAnnotation]: JSON.stringify(marks),
      'botmint.dev/token-id': `${uid}.4.new`,
    };
    return copyIn(namespace, { metadata: { ...metadata, annotations }, digest: made.digest });
  };

  test('is in every copy before it is recorded', () => {
    expect(changesOf(observed({}, rotated))).toEqual(['write one', 'write two']);
    expect(changesOf(observed({ copies: [current('one'), copyIn('two')] }, rotated))).toEqual(['write two']);
    expect(decide(observed({ copies: [current('one'), current('two')] }, rotated), now)).toMatchObject({
      do: 'write-status',
      because: 'issued',
      verdict: { reason: 'Issued' },
    });
  });

  test('is in every copy before pods are restarted for it', () => {
    const web = { kind: 'Deployment', name: 'web' } as const;
    const rollout = { tokenID: served.status?.tokenID ?? '', startedAt: later(-60), givesUpAt: later(7140) };
    const token = copied(withStatus({ rollout }, { ...served, spec: { ...served.spec, restart: [web] } }));
    const workload = {
      metadata: { uid: 'web-uid', resourceVersion: '5', generation: 2 },
      replicas: 1,
      templateAnnotations: {},
      counts: { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
      conditions: [],
    };
    const read: TargetsSeen = new Map([['Deployment/web', { state: 'found', workload, restartedUID: undefined }]]);
    for (const [targets, step] of [
      [new Map(), 'read-workloads'],
      [read, 'restart-workload'],
    ] as const) {
      expect(decide(observed({}, { token, targets }), now).do).toBe(step);
      const behind = { copies: [copyIn('one', { digest: 'operator-key.old' }), copyIn('two')] };
      expect(changesOf(observed(behind, { token, targets }))).toEqual(['write one']);
    }
  });

  test('is in every copy before the status list gives up the old one', () => {
    const listed = madeFrom({ statusListIndex: 7 });
    const next = TokenInputs.parse({ ...made, statusListIndex: 8 });
    const over = secretOf(served, { revision: 4, tokenID: `${uid}.4.new`, inputs: next });
    const world = { token: copied(listed.token), secret: over, listed: new Map([[7, 'VALID' as const]]) };
    expect(changesOf(observed({}, world))).toEqual(['write one', 'write two']);
    expect(decide(observed({ takers: [], copies: [] }, world), now)).toMatchObject({ do: 'list' });
  });

  test('is recorded at once where a copy cannot be written, and that is said', () => {
    const attempt = (place: string) =>
      place === 'two' ? { wanted: '40 for 1', at: new Date(later(5)), trouble: 'namespace two: no' } : undefined;
    expect(decide(observed({ copies: [current('one'), copyIn('two')], attempt }, rotated), now)).toMatchObject({
      do: 'write-status',
      because: 'issued',
      verdict: { state: 'ready', reason: 'CopyFailed', message: 'namespace two: no' },
    });
  });

  test('that is rendered anew goes into the copies first as well', () => {
    const renderedInputs = TokenInputs.parse({
      ...inputs,
      digest: made.digest,
      secret: { ...inputs.secret, labels: { team: 'b' } },
    });
    const over = secretOf(served, { inputs: renderedInputs });
    expect(changesOf(observed({}, { secret: over }))).toEqual(['write one', 'write two']);
  });

  test('of the first issue is copied before the record', () => {
    const first = copied(withoutStatus());
    expect(changesOf(observed({ copies: [] }, { token: first }))).toEqual(['write one', 'write two']);
  });

  function withoutStatus() {
    return { ...served, status: { observedGeneration: -1 } };
  }
});

/** Who wants to see to a lost Secret himself. */
function stalled() {
  const token = copied();
  return { ...token, spec: { ...token.spec, secret: { ...token.spec.secret, onLost: 'Stall' as const } } };
}

describe('no copy is made', () => {
  test.each<[string, Partial<Situation>]>([
    [
      'from a Secret that was edited and stalls',
      { secret: { ...touched(() => ({})), digest: 'operator-key.other' }, token: stalled() },
    ],
    ['from a Secret that is lost and stalls', { secret: gone, token: stalled() }],
    ['from a foreign Secret', { secret: foreign }],
    ['from one with an older credential', { secret: older(), token: stalled() }],
    ['from one with another credential of the recorded revision', { secret: another(), token: stalled() }],
    ['while the token is paused', { token: annotated({ [pausedAnnotation]: 'true' }, copied()) }],
    ['while the bot cannot be read', { botUser: 'unreadable' }],
  ])('%s', (_, given) => {
    const pass = { copies: [copyIn('two', { digest: 'operator-key.other' })] };
    expect(changesOf(observed(pass, given))).toEqual([]);
  });

  function older() {
    return secretOf(served, { revision: 2, tokenID: `${uid}.2.old`, inputs });
  }

  function another() {
    return secretOf(served, { revision: 3, tokenID: `${uid}.3.other`, inputs });
  }

  test('but what nobody takes any more is removed while the token is paused', () => {
    const paused = annotated({ [pausedAnnotation]: 'true' }, copied());
    const said = withStatus({ conditions: pausedConditionsOf(paused) }, paused);
    expect(changesOf(observed({ takers: [] }, { token: said }))).toEqual(['delete one', 'delete two']);
  });

  function pausedConditionsOf(token: ReturnType<typeof copied>) {
    const step = decide(observed({}, { token }), now);
    if (step.do !== 'write-status') throw new Error(`the step is ${step.do}`);
    const { conditions } = step.patch as { conditions?: never };
    return conditions ?? [];
  }
});

describe('copies stay', () => {
  test.each<[string, Partial<Situation>]>([
    ['when the credential has expired', { token: copied(withoutRotation()), botUser }],
    ['while the Secret is lost', { secret: gone, token: stalled() }],
    ['while the record cannot be read', { token: unknownRecord() }],
  ])('%s', (_, given) => {
    expect(changesOf(observed({}, given), new Date('2027-06-01T00:00:00Z'))).toEqual([]);
  });

  test('also those that nobody takes any more, while the record cannot be read', () => {
    expect(changesOf(observed({ takers: [] }, { token: unknownRecord() }))).toEqual([]);
  });

  function withoutRotation() {
    const { rotation: _, ...spec } = served.spec;
    return { ...served, spec };
  }

  function unknownRecord() {
    const { issued } = served.status ?? {};
    if (issued === undefined) throw new Error('there is no record');
    return copied(withStatus({ issued: { ...issued, inputs: { format: 9 } } }));
  }
});

describe('at the end', () => {
  const both = ['delete one', 'delete two'];

  test('copies go before the finalizer of a token that is deleted', () => {
    const token = copied(deleting(served));
    expect(decide(observed({}, { token }), now)).toMatchObject({ do: 'delete-secret' });
    expect(changesOf(observed({}, { token, secret: gone }))).toEqual(both);
    expect(decide(observed({ copies: [] }, { token, secret: gone }), now)).toEqual({ do: 'remove-finalizer' });
  });

  test('one that cannot be deleted holds the finalizer for a minute, and no longer', () => {
    const token = copied(deleting(served));
    const attempt = () => ({ wanted: 'delete for 1', at: new Date(later(20)), trouble: 'namespace one: no' });
    const held = observed({ attempt }, { token, secret: gone });
    expect(decide(held, now)).toEqual({ do: 'rest', until: new Date(later(20)) });
    expect(changesOf(held, new Date(later(20)))).toEqual(both);
    const longer = () => ({ wanted: 'delete for 1', at: new Date(later(300)), trouble: 'namespace one: no' });
    const most = observed({ attempt: longer }, { token, secret: gone });
    expect(decide(most, now)).toEqual({ do: 'rest', until: new Date(later(59)) });
    expect(decide(most, new Date(later(59)))).toEqual({ do: 'remove-finalizer' });
  });

  test('a token that was never finalized waits for nothing', () => {
    const token = withoutFinalizer(copied(deleting(served)));
    expect(decide(observed({ copies: [] }, { token }), now)).toEqual({ do: 'rest', until: undefined });
  });

  test('copies go before a revocation is recorded, which waits for none of them', () => {
    const token = copied({ ...served, spec: { ...served.spec, revoked: true } });
    expect(changesOf(observed({}, { token, secret: gone }))).toEqual(both);
    const attempt = () => ({ wanted: 'delete for 1', at: new Date(later(20)), trouble: 'no' });
    expect(decide(observed({ attempt }, { token, secret: gone }), now)).toMatchObject({
      do: 'write-status',
      because: 'revoked',
    });
  });

  test('copies go although the Secret of a revoked token cannot be deleted', () => {
    const revoked = copied({ ...served, spec: { ...served.spec, revoked: true } });
    const retry = { attempts: 1, at: later(60), reason: 'WriteRefused', operation: 'Delete' } as const;
    expect(changesOf(observed({}, { token: withStatus({ retry }, revoked) }))).toEqual(both);
  });

  test('copies go with the bot', () => {
    const bot = { botUser: undefined, secret: gone, confirmed: { principal: true } };
    expect(changesOf(observed({}, bot))).toEqual(both);
  });

  test('copies go where nothing is in force any more', () => {
    const token = copied(withoutRecord());
    expect(changesOf(observed({}, { token, secret: foreign }))).toEqual(both);
    const overlapping = {
      ...token,
      status: { ...token.status, previous: [{ tokenID: `${uid}.2.a`, revokeAt: later(60) }] },
    };
    expect(changesOf(observed({}, { token: overlapping, secret: foreign }))).toEqual([]);
  });

  function withoutRecord() {
    const { conditions, observedGeneration } = served.status ?? {};
    return {
      ...served,
      status: { conditions: conditions ?? [], observedGeneration: observedGeneration ?? 1, revision: 3 },
    };
  }
});

describe('what failed', () => {
  const failed = (wanted: string, seconds = 5) => ({
    copies: [copyIn('two')],
    attempt: (place: string) =>
      place === 'one' ? { wanted, at: new Date(later(seconds)), trouble: 'namespace one: no' } : undefined,
  });

  test('is said, and tried again when its time has come', () => {
    const step = decide(observed(failed('40 for 1')), now);
    expect(step).toMatchObject({ do: 'write-status', verdict: { state: 'ready', reason: 'CopyFailed' } });
    expect(changesOf(observed(failed('40 for 1')), new Date(later(5)))).toEqual(['write one']);
  });

  test('wakes its token by itself once it is said', () => {
    const step = decide(observed(failed('40 for 1')), now);
    if (step.do !== 'write-status') throw new Error(`the step is ${step.do}`);
    const { conditions } = step.patch as { conditions: never };
    const said = withStatus({ conditions }, copied());
    expect(decide(observed(failed('40 for 1'), { token: said }), now)).toEqual({
      do: 'rest',
      until: new Date(later(5)),
    });
  });

  test('is tried at once for another Secret or another spec', () => {
    expect(changesOf(observed(failed('39 for 1')))).toEqual(['write one']);
    expect(changesOf(observed(failed('40 for 0')))).toEqual(['write one']);
  });

  test('is listed in a fixed order, five at most', () => {
    const takers = ['g', 'b', 'c', 'd', 'e', 'f', 'a'];
    const attempt = (place: string) => ({
      wanted: '40 for 1',
      at: new Date(later(5)),
      trouble: `namespace ${place}: no`,
    });
    const step = decide(observed({ takers, copies: [], attempt }), now);
    const message = 'namespace a: no; namespace b: no; namespace c: no; namespace d: no; namespace e: no; and 2 more';
    expect(step).toMatchObject({ verdict: { reason: 'CopyFailed', message } });
  });
});

describe('ServiceAccounts', () => {
  const lists =
    (of: Record<string, readonly string[]>): CopiesSeen['pullSecretsOf'] =>
    (namespace, account) =>
      of[`${namespace}/${account}`];
  const one = (serviceAccounts: readonly string[]) => ({
    takers: ['one'],
    copies: [copyIn('one', {}, serviceAccounts)],
  });

  test.each<[string, readonly string[], Partial<CopiesSeen>, readonly string[]]>([
    [
      'one is noted before it is patched',
      ['default'],
      { ...one([]), pullSecretsOf: lists({ 'one/default': [] }) },
      ['label one'],
    ],
    [
      'then its list gets the name',
      ['default'],
      { ...one(['default']), pullSecretsOf: lists({ 'one/default': ['other'] }) },
      ['list one/default'],
    ],
    [
      'nothing is done for one that lists it',
      ['default'],
      { ...one(['default']), pullSecretsOf: lists({ 'one/default': ['deploy'] }) },
      [],
    ],
    [
      'one that lists it by itself is not noted',
      ['default'],
      { ...one([]), pullSecretsOf: lists({ 'one/default': ['deploy'] }) },
      [],
    ],
    ['nothing is done for one that is not there', ['default'], { ...one([]), pullSecretsOf: lists({}) }, []],
    [
      'one that was taken out of the spec loses the name',
      [],
      { ...one(['default']), pullSecretsOf: lists({ 'one/default': ['deploy'] }) },
      ['unlist one/default'],
    ],
    ['and is forgotten then', [], { ...one(['default']), pullSecretsOf: lists({ 'one/default': [] }) }, ['label one']],
    [
      'one in a namespace without a copy is none of them',
      ['default'],
      { takers: [], copies: [], pullSecretsOf: lists({ 'one/default': [] }) },
      [],
    ],
    [
      'nothing is concluded while nobody knows them',
      ['default'],
      { ...one(['default']), pullSecretsOf: undefined },
      [],
    ],
  ])('%s', (_, accounts, given, expected) => {
    expect(changesOf(observed(given, { token: copied(served, accounts) }))).toEqual(expected);
  });

  test('a new copy notes at once whom it is for, and what an earlier one had noted', () => {
    const given = {
      takers: ['one'],
      copies: [],
      pullSecretsOf: lists({ 'one/default': [], 'one/builder': ['deploy'], 'one/own': ['deploy'] }),
      lastNoted: () => ['builder'],
    };
    const step = decide(observed(given, { token: copied(served, ['default', 'builder', 'own']) }), now);
    expect(step).toMatchObject({ do: 'copy', changes: [{ do: 'write', serviceAccounts: ['builder', 'default'] }] });
  });

  test('that an earlier copy had noted are noted by a new one also while nobody knows them', () => {
    const given = { takers: ['one'], copies: [], pullSecretsOf: undefined, lastNoted: () => ['builder'] };
    const step = decide(observed(given, { token: copied(served, ['builder']) }), now);
    expect(step).toMatchObject({ do: 'copy', changes: [{ do: 'write', serviceAccounts: ['builder'] }] });
  });

  test('that stay unknown are asked about again, and said after a while', () => {
    const given = { ...one([]), pullSecretsOf: undefined };
    const token = copied(served, ['default']);
    expect(decide(observed(given, { token }), now)).toEqual({ do: 'rest', until: new Date(later(2)) });
    expect(decide(observed({ ...given, accountsOverdue: true }, { token }), now)).toMatchObject({
      verdict: { reason: 'CopyFailed', message: expect.stringContaining('ServiceAccounts cannot be watched') },
    });
  });
});

test('what an earlier template had is taken from a copy, and what others put there stays', () => {
  const { metadata } = marked({ labels: ['team', 'old'], annotations: ['note'] });
  const { labels, annotations } = relabelledCopy(metadata, { kind: botTokens, object: served }, source, []);
  expect(labels).toEqual({ ...source.labels, [managedLabel]: 'copy', old: null });
  expect(annotations).toMatchObject({ note: null, [ownerUIDAnnotation]: uid });
});

describe('whose copy a Secret is', () => {
  test('is said by its owner with a namespace', () => {
    expect(ownerOfCopy(copyIn('one').metadata)).toEqual({ uid, kind: 'BotToken', namespace: 'team-a', name: 'deploy' });
  });

  test('is said by no Secret that is a credential itself, nor by one without a UID', () => {
    expect(ownerOfCopy(secret.metadata)).toBeUndefined();
    const { annotations = {} } = copyIn('one').metadata;
    const { [ownerUIDAnnotation]: _, ...rest } = annotations;
    expect(ownerOfCopy({ annotations: rest })).toBeUndefined();
    const other = { ...annotations, [ownerAnnotation]: 'BotToken/team-a/deploy/more' };
    expect(ownerOfCopy({ annotations: other })).toBeUndefined();
  });
});
