import { expect, test } from 'vitest';
import { allowsNamespace, type LabelSelector, type Labels, selects } from '../../src/decide/selector.ts';

const labels = { team: 'a', stage: 'prod' };
const where = (key: string, operator: string, ...values: string[]): LabelSelector => ({
  matchExpressions: [{ key, operator, values }],
});

test.each<[string, LabelSelector, boolean]>([
  ['an empty selector', {}, true],
  ['equal labels', { matchLabels: { team: 'a' } }, true],
  ['one of two labels unequal', { matchLabels: { team: 'a', stage: 'test' } }, false],
  ['In, with the value', where('team', 'In', 'b', 'a'), true],
  ['In, without the value', where('team', 'In', 'b'), false],
  ['In, without the label', where('tier', 'In', 'a'), false],
  ['NotIn, with the value', where('team', 'NotIn', 'a'), false],
  ['NotIn, with another value', where('team', 'NotIn', 'b'), true],
  ['NotIn, without the label, as Kubernetes has it', where('tier', 'NotIn', 'b'), true],
  ['Exists', where('team', 'Exists'), true],
  ['Exists, without the label', where('tier', 'Exists'), false],
  ['Exists, for a name that every object inherits', where('constructor', 'Exists'), false],
  ['DoesNotExist', where('tier', 'DoesNotExist'), true],
  ['DoesNotExist, with the label', where('team', 'DoesNotExist'), false],
  ['an operator of a later Kubernetes', where('team', 'Gt', '1'), false],
  ['expressions and labels that disagree', { matchLabels: { team: 'a' }, ...where('team', 'NotIn', 'a') }, false],
])('%s', (_, selector, matches) => expect(selects(selector, labels)).toBe(matches));

test.each<[string, Parameters<typeof allowsNamespace>[0], Labels | undefined, boolean]>([
  ['All lets everybody in', { from: 'All' }, undefined, true],
  ['None lets nobody in', { from: 'None' }, labels, false],
  ['a selector lets in what it matches', { from: 'Selector', selector: { matchLabels: { team: 'a' } } }, labels, true],
  ['a selector keeps out the rest', { from: 'Selector', selector: { matchLabels: { team: 'b' } } }, labels, false],
  ['an empty selector lets in every namespace that is known', { from: 'Selector', selector: {} }, {}, true],
  ['a selector keeps out a namespace that is not known yet', { from: 'Selector', selector: {} }, undefined, false],
  ['a selector that is missing keeps everybody out', { from: 'Selector' }, labels, false],
])('%s', (_, allowed, given, lets) => expect(allowsNamespace(allowed, given)).toBe(lets));
