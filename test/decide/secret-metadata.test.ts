import { describe, expect, test } from 'vitest';
import type { BotToken } from '../../src/api/bot-token.ts';
import { inputsAnnotation, revisionAnnotation, tokenIDAnnotation } from '../../src/api/names.ts';
import { botTokens } from '../../src/decide/bot-token.ts';
import {
  dropped,
  isLabelled,
  marksOf,
  type Owner,
  sameCredential,
  wantedMetadata,
} from '../../src/decide/secret-metadata.ts';
import { inputs, secret, served, tokenID, uid, withAnnotation, withoutAnnotation, withSecretSpec } from './healthy.ts';

const of = (object: BotToken): Owner => ({ kind: botTokens, object });
const record = { revision: 3, tokenID, inputs };

test('a Secret carries the template, the marks, and whose it is', () => {
  expect(wantedMetadata(of(served), record)).toEqual({
    labels: { team: 'a', 'botmint.dev/managed': 'credential' },
    annotations: {
      'botmint.dev/owner': 'BotToken/deploy',
      'botmint.dev/owner-uid': uid,
      'botmint.dev/revision': '3',
      'botmint.dev/token-id': tokenID,
      'botmint.dev/inputs': JSON.stringify(inputs),
    },
    ownerReferences: [
      {
        apiVersion: 'botmint.dev/v1alpha1',
        kind: 'BotToken',
        name: 'deploy',
        uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  });
});

test('a template cannot write over the marks', () => {
  const rogue = { 'botmint.dev/managed': 'operator', 'botmint.dev/owner-uid': 'another' };
  const wanted = wantedMetadata(of(served), {
    ...record,
    inputs: { ...inputs, secret: { ...inputs.secret, labels: rogue, annotations: rogue } },
  });
  expect(wanted.labels).toMatchObject({ 'botmint.dev/managed': 'credential' });
  expect(wanted.annotations).toMatchObject({ 'botmint.dev/owner-uid': uid });
});

describe('marks', () => {
  test('are read as they were written', () => expect(marksOf(secret.metadata)).toEqual(record));

  test.each([
    ['are none without annotations', {}],
    ['are none without a revision', withoutAnnotation(revisionAnnotation).metadata],
    ['are none without a token id', withoutAnnotation(tokenIDAnnotation).metadata],
    ['are none without inputs', withoutAnnotation(inputsAnnotation).metadata],
    ['are none with a revision that is no number', withAnnotation(revisionAnnotation, 'x').metadata],
    ['are none with a revision of 0', withAnnotation(revisionAnnotation, '0').metadata],
    ['are none with half a revision', withAnnotation(revisionAnnotation, '1.5').metadata],
    ['are none with an empty revision', withAnnotation(revisionAnnotation, '').metadata],
  ])('%s', (_, metadata) => expect(marksOf(metadata)).toBeUndefined());

  test.each([
    ['that are no JSON', '{'],
    ['of another format', JSON.stringify({ ...inputs, format: 2 })],
    ['without a format', JSON.stringify({ ...inputs, format: undefined })],
    ['with a life that cannot be read', JSON.stringify({ ...inputs, expiresIn: '10x' })],
  ])('with inputs %s are unknown', (_, text) => {
    expect(marksOf(withAnnotation(inputsAnnotation, text).metadata)).toMatchObject({ inputs: 'unknown' });
  });
});

test('a Secret is labelled when it says what record and spec want, and not when the spec wants another look', () => {
  expect(isLabelled(secret.metadata, of(served), record)).toBe(true);
  expect(isLabelled(secret.metadata, of(withSecretSpec({ labels: { team: 'b' } })), record)).toBe(false);
  expect(isLabelled(secret.metadata, of(withSecretSpec({ annotations: { a: 'b' } })), record)).toBe(false);
});

test('what a template has no more is taken away by name, also names that every object inherits', () => {
  expect(dropped({ a: '1', b: '2', constructor: '3' }, { b: '4' })).toEqual({ a: null, constructor: null });
});

test('inputs are of one credential however they are rendered', () => {
  const look = { ...inputs.secret, labels: {} };
  expect(sameCredential(inputs, { ...inputs, secret: look, digest: 'another' }, botTokens)).toBe(true);
  expect(sameCredential(inputs, { ...inputs, scopes: [] }, botTokens)).toBe(false);
});
