import { describe, expect, test } from 'vitest';
import { inputsAnnotation, managedLabel, ownerUIDAnnotation, tokenIDAnnotation } from '../../src/api/names.ts';
import { decide } from '../../src/decide/credential.ts';
import type { SecretSeen, Step } from '../../src/decide/credential-seen.ts';
import {
  fresh,
  gone,
  inputs,
  later,
  madeFrom,
  now,
  secret,
  secretOf,
  seen,
  served,
  tokenID,
  touched,
  uid,
  withAnnotation,
  withoutAnnotation,
  withSecretSpec,
  withStatus,
} from './healthy.ts';
import { message, recorded, told } from './told.ts';

const edited = { digest: 'operator-key.digest-of-something-else', resourceVersion: '41' };
const underAnotherKey = { digest: 'lost-key.digest-of-the-data', resourceVersion: '41' };
const older = secretOf(served, { revision: 2, tokenID: `${uid}.2.any`, inputs: { ...inputs, scopes: [] } });
const next = { revision: 4, tokenID: `${uid}.4.any`, inputs: { ...inputs, digest: 'operator-key.digest-of-the-next' } };

describe('a Secret of ours', () => {
  test.each<[string, SecretSeen, Partial<Step>]>([
    ['is looked at live before it is believed to be lost', { state: 'absent', confirmed: false }, { do: 'confirm' }],
    ['is issued anew when it is lost', gone, { do: 'issue', cause: 'lost', over: undefined }],
    ['is read when nobody knows its content', { ...secret, digest: undefined }, { do: 'confirm', what: 'secret' }],
    ['is issued anew when its content was edited', { ...secret, ...edited }, { do: 'issue', cause: 'edited' }],
    ['is left alone under a digest key that is lost', { ...secret, ...underAnotherKey }, { do: 'rest' }],
    ['is issued anew when an older one was put back', older, { do: 'issue', cause: 'lost', over: older }],
    [
      'is issued anew when another signing of the revision is in it',
      secretOf(served, { tokenID: `${uid}.3.another` }),
      { do: 'issue', cause: 'lost' },
    ],
    [
      'gets its marks back when they claim a token of another revision',
      secretOf(served, { revision: 9, tokenID: `${uid}.2.any` }),
      { do: 'label' },
    ],
    ['gets its label back', touched(() => ({ labels: { team: 'a' } })), { do: 'label' }],
    ['gets its marks back', touched(() => ({ annotations: {} })), { do: 'label' }],
    ['gets its inputs back', withoutAnnotation(inputsAnnotation), { do: 'label' }],
    ['gets its owner UID back', withoutAnnotation(ownerUIDAnnotation), { do: 'label' }],
    ['gets its token id back', withoutAnnotation(tokenIDAnnotation), { do: 'label' }],
    ['gets its owner reference back', touched(() => ({ ownerReferences: [] })), { do: 'label' }],
    [
      'gets the labels of its template back',
      touched(() => ({ labels: { [managedLabel]: 'credential' } })),
      { do: 'label' },
    ],
    ['may have labels of others', touched(({ labels }) => ({ labels: { ...labels, theirs: 'x' } })), { do: 'rest' }],
    [
      'may have annotations of others',
      touched(({ annotations }) => ({ annotations: { ...annotations, theirs: 'x' } })),
      { do: 'rest' },
    ],
    [
      'may belong to others as well',
      touched(({ ownerReferences }) => ({ ownerReferences: [{ uid: 'theirs' }, ...ownerReferences] })),
      { do: 'rest' },
    ],
    [
      'whose inputs somebody wrote over is put right from the record',
      withAnnotation(inputsAnnotation, JSON.stringify({ ...inputs, scopes: ['everything'] })),
      { do: 'label' },
    ],
  ])('%s', (_, given, expected) => expect(decide(seen({ secret: given }), now)).toMatchObject(expected));

  test('is issued anew when nothing is recorded and nothing says what is in it', () => {
    const token = { ...fresh, metadata: served.metadata };
    const unmarked = touched(() => ({ annotations: {} }));
    expect(decide(seen({ token, secret: unmarked }), now)).toMatchObject({ do: 'issue', revision: 1, over: unmarked });
  });
});

describe('a Secret that names a later revision than the record', () => {
  test('is recorded as it is', () => {
    const token = recorded(seen({ secret: secretOf(served, next) }));
    expect(token.status).toMatchObject({ tokenID: next.tokenID, revision: 4, issued: { inputs: next.inputs } });
  });

  test('is read first when nobody knows its content', () => {
    const unread = { ...secretOf(served, next), digest: undefined };
    expect(decide(seen({ secret: unread }), now)).toEqual({ do: 'confirm', what: 'secret' });
  });

  test('is recorded and then issued anew when its content was edited since', () => {
    const both = { ...secretOf(served, next), ...edited };
    const token = recorded(seen({ secret: both }));
    expect(token.status?.issued?.secret).not.toHaveProperty('resourceVersion');
    expect(decide(seen({ token, secret: both }), now)).toMatchObject({ do: 'issue', cause: 'edited', revision: 5 });
  });

  test('but not above the numbers that were given is written over: it is from before a revocation', () => {
    const token = { ...fresh, metadata: served.metadata, status: { revision: 4 } };
    expect(decide(seen({ token, secret: secretOf(token, next) }), now)).toMatchObject({ do: 'issue', revision: 5 });
  });
});

describe('a Secret with another look', () => {
  const data = [{ key: 'TOKEN', template: 'Bearer $(token)' }];
  const token = withSecretSpec({ data });
  const rendered = { ...inputs, secret: { ...inputs.secret, data }, digest: 'operator-key.digest-of-other-entries' };

  test('is rendered anew with the same credential', () => {
    expect(decide(seen({ token }), now)).toMatchObject({ do: 'render', over: secret, record: { tokenID, inputs } });
  });

  test('is recorded with its new look, and the credential is the old one', () => {
    const after = { ...secretOf(served, { inputs: rendered }), resourceVersion: '41' };
    const { status } = recorded(seen({ token, secret: after }));
    expect(status).toMatchObject({
      tokenID,
      revision: 3,
      issued: { inputs: rendered, secret: { resourceVersion: '41' } },
    });
    expect(status).not.toHaveProperty('previous');
    expect(told(seen({ token: { ...token, status: { ...status } }, secret: after }))).toBe('Ready=True, Issued');
  });

  test('is issued anew only when no entry holds the credential any more', () => {
    const step = decide(seen({ token, secret: { ...secret, unreadable: true } }), now);
    expect(step).toMatchObject({ do: 'issue', cause: 'edited' });
  });

  test('is only labelled when only labels are new, and that is recorded too', () => {
    const relabelled = withSecretSpec({ labels: { team: 'b' } });
    const look = { ...inputs, secret: { ...inputs.secret, labels: { team: 'b' } } };
    expect(decide(seen({ token: relabelled }), now)).toMatchObject({ do: 'label' });
    const after = secretOf(relabelled, { inputs: look });
    expect(recorded(seen({ token: relabelled, secret: after })).status?.issued?.inputs).toEqual(look);
  });
});

describe('a Secret that is not ours', () => {
  const held = {
    state: 'held',
    confirmed: true,
    owner: 'BotToken/first',
    uid: 'their-uid',
    resourceVersion: '5',
  } as const;
  const fresher = { ...fresh, metadata: served.metadata };

  test('without any mark is left alone, and the token says so', () => {
    const given = seen({ token: fresher, secret: { state: 'foreign', confirmed: true } });
    expect(told(given)).toBe('Ready=False, Stalled=True, SecretNotOwned');
    expect(message(given)).toContain('Secret deploy exists and is not from botmint');
  });

  test('is left alone too where ours was before', () => {
    expect(told(seen({ secret: { state: 'foreign', confirmed: true } }))).toBe(
      'Ready=False, Stalled=True, SecretNotOwned',
    );
  });

  test('is looked at again soon, because no watch covers it', () => {
    const token = recorded(seen({ token: fresher, secret: { state: 'foreign', confirmed: true } }));
    const step = decide(seen({ token, secret: { state: 'foreign', confirmed: true } }), now);
    expect(step).toEqual({ do: 'rest', until: new Date(later(15)) });
  });

  test('is looked for live before its name is tried again, and then the token goes on', () => {
    const token = recorded(seen({ token: fresher, secret: { state: 'foreign', confirmed: true } }));
    const unsure = seen({ token, secret: { state: 'absent', confirmed: false } });
    expect(decide(unsure, now)).toEqual({ do: 'confirm', what: 'secret' });
    expect(decide(seen({ token, secret: gone }), now)).toMatchObject({ do: 'issue', cause: 'first' });
  });

  test('but of another token keeps its holder, whom the condition names', () => {
    const given = seen({ token: fresher, secret: held });
    expect(told(given)).toBe('Ready=False, Stalled=True, SecretInUse');
    expect(message(given)).toContain('BotToken/first writes to Secret deploy');
    const token = recorded(given);
    expect(decide(seen({ token, secret: { state: 'absent', confirmed: false } }), now).do).toBe('confirm');
  });

  test('and that nobody has yet is for the token that was there first', () => {
    const given = seen({ token: fresher, secret: gone, earlierClaim: 'BotToken/first' });
    expect(told(given)).toBe('Ready=False, Stalled=True, SecretInUse');
    expect(message(given)).toContain('BotToken/first');
  });

  test('and that we hold already stays ours, though another token was there first', () => {
    expect(decide(seen({ earlierClaim: 'BotToken/first' }), now)).toMatchObject({ do: 'rest' });
  });

  test('but of an object of our name that is gone makes room', () => {
    const predecessor = { ...held, owner: 'BotToken/deploy' } as const;
    const step = decide(seen({ token: fresher, secret: predecessor }), now);
    expect(step).toEqual({ do: 'delete-secret', uid: 'their-uid', resourceVersion: '5', cause: 'predecessor' });
  });
});

describe('a form that this version does not know', () => {
  const said = new Set(['observedGeneration', 'conditions']);
  const newer = { ...inputs, format: 2 };
  const unknownRecord = withStatus({ issued: { inputs: newer, secret: { name: 'deploy', uid: 'secret-uid' } } });
  const unknownMarks = withAnnotation(inputsAnnotation, JSON.stringify(newer));

  test.each<[string, Parameters<typeof seen>[0]]>([
    ['in the record', { token: unknownRecord }],
    ['in the record, the Secret being lost', { token: unknownRecord, secret: gone }],
    ['in the record, the bot being gone', { token: unknownRecord, botUser: undefined, confirmed: { principal: true } }],
    ['in the Secret', { secret: unknownMarks }],
    [
      'in the Secret of a token without a record',
      { token: { ...fresh, metadata: served.metadata }, secret: unknownMarks },
    ],
    ['in a record without its token id', { token: withoutTokenID() }],
  ])('%s is left alone, and the token says so', (_, given) => {
    expect(told(seen(given))).toBe('Ready=False, Stalled=True, UnknownFormat');
    const step = decide(seen(given), now);
    expect(step).toMatchObject({ do: 'write-status' });
    if (step.do === 'write-status') expect(Object.keys(step.patch).filter(field => !said.has(field))).toEqual([]);
  });
});

test('a field that an older record lacks is no reason to issue', () => {
  expect(told(seen(madeFrom({ audiencesDefaulted: undefined })))).toBe('Ready=True, Issued');
});

test('a field that a newer record has is kept, and is no reason to issue', () => {
  expect(told(seen(madeFrom({ statusListIndex: 7 })))).toBe('Ready=True, Issued');
});

function withoutTokenID() {
  const { tokenID: _, ...status } = served.status ?? {};
  return { ...served, status };
}

describe('a record of another UID, put there by a restored backup', () => {
  const restored = { ...served, metadata: { ...served.metadata, uid: 'new-uid' } };

  test('is no record: the object gets its first credential', () => {
    expect(decide(seen({ token: restored, secret: gone }), now)).toMatchObject({
      do: 'issue',
      cause: 'first',
      revision: 1,
    });
  });

  test('does not hide what the object has in its own Secret', () => {
    const own = secretOf(restored, { revision: 1, tokenID: 'new-uid.1.any' });
    expect(recorded(seen({ token: restored, secret: own })).status).toMatchObject({
      revision: 1,
      tokenID: 'new-uid.1.any',
    });
  });
});
